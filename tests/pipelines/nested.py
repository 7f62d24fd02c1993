"""Work that a body and a task give to Ray itself and to programs, and what becomes of it in the record."""

import multiprocessing
import os
import subprocess
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from vaportrail import log, pipeline, result, task

Said = dict[str, int]
"""What work of Ray's own printed, and the process that did."""


def inner(number: int) -> Said:
    print("print of nested work", number, flush=True)
    log.metric("nested", number)
    return {f"print of nested work {number}": os.getpid()}


class Actor:
    def ask(self) -> Said:
        print("print of an actor", flush=True)
        return {"print of an actor": os.getpid()}


def remote(what: Any) -> Any:
    import ray

    return ray.remote(num_cpus=0.1)(what)


@task
def plain() -> int:
    return os.getpid()


@task(cpus=0.1)
def outer() -> tuple[int, Said]:
    import ray

    actor = remote(Actor).remote()
    said: Said = ray.get(actor.ask.remote())
    for more in ray.get([remote(inner).remote(number) for number in range(3)]):
        said |= more
    return os.getpid(), said


@pipeline
def nested() -> None:
    import ray

    worker = result(plain())
    said: Said = {}
    # Its worker is idle now, and Ray gives it this: one after another, since another needs a new worker.
    for number in range(10, 14):
        said |= ray.get(remote(inner).remote(number))
    other, more = result(outer())
    said |= more
    log.param("in a former worker", sorted(text for text, pid in said.items() if pid in (worker, other)))

    subprocess.run(["echo", "print of a program"], check=True)
    os.system("echo print of a program")
    subprocess.run(["echo", "a program that is heard"], check=True, capture_output=True)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(log.metric, "of the body's child", 1.0).result()
