"""Work that a body and a task give to Ray itself, and what becomes of it in the record."""

from typing import Any

from vaportrail import log, pipeline, result, task


def inner(number: int) -> int:
    print("print of nested work", number, flush=True)
    log.metric("nested", number)
    return number


class Actor:
    def ask(self) -> int:
        print("print of an actor", flush=True)
        return 1


def remote(what: Any) -> Any:
    import ray

    return ray.remote(num_cpus=0.1)(what)


@task(cpus=0.1)
def outer() -> int:
    import ray

    actor = remote(Actor).remote()
    numbers = [remote(inner).remote(number) for number in range(3)]
    return sum(ray.get(numbers)) + int(ray.get(actor.ask.remote()))


@pipeline
def nested() -> None:
    import ray

    result(outer())
    # Its worker is idle now, and Ray may give it this.
    ray.get([remote(inner).options(num_cpus=0.1).remote(number) for number in range(10, 14)])
