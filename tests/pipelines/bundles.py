"""Tasks so quick that several go to Ray as one, and among them one that is not as the others."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray

import vaportrail
from vaportrail import log, outcome, pipeline, result, task
from vaportrail.execution import packed_attempt, packed_bundle

# How quick this machine is, is no matter here.
packed_attempt.QUICK_SECONDS = 60.0
packed_bundle._SECONDS = 60.0

MANY = 48
ODD = 9
"""The one among them."""


def note(folder: str, line: str) -> None:
    with Path(folder, "ran").open("a") as file:
        file.write(line + "\n")


def noted(folder: str) -> list[str]:
    return Path(folder, "ran").read_text().splitlines()


def until(holds: Callable[[], bool]) -> bool:
    """Return whether something came to hold."""
    deadline = time.monotonic() + 120
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def act(folder: str, key: str, what: str, values: tuple[Any, ...] = ()) -> Any:
    note(folder, key)
    group = key.split()[0]
    if group == "fails":
        log.param("ray", ray.get_runtime_context().get_task_id())
    if os.environ.get("LEFT_BY_ANOTHER") or Path.cwd() == Path("/"):
        note(folder, "saw what another left")
    if what == "die" or (what == "die once" and vaportrail.context().attempt == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "die soon":  # while the next ones run, or between them
        threading.Thread(target=lambda: (time.sleep(0.002), os.kill(os.getpid(), signal.SIGKILL))).start()
    if what == "fail":
        raise ValueError("this one fails")
    if what == "be deaf":
        while True:
            with suppress(BaseException):
                time.sleep(600)
    if what == "oversleep":
        time.sleep(600)
    if what == "wait for the others":
        return until(lambda: len([each for each in noted(folder) if each.startswith(f"{group} ")]) == MANY)
    if what == "wait for a word":
        return until(lambda: f"word {group}" in noted(folder))
    if what == "unloadable":
        return threading.Lock()
    if what == "an object":
        return Path(key)
    if what == "change the process":
        note(folder, "changed the process")
        os.environ["LEFT_BY_ANOTHER"] = "yes"
        os.chdir("/")
    return list(values)


@task
def dies(folder: str, key: str, what: str = "") -> Any:
    return act(folder, key, what)


@task
def dies_soon(folder: str, key: str, what: str = "") -> Any:
    return act(folder, key, what)


@task(retries=1, backoff="10ms")
def dies_once(folder: str, key: str, what: str = "") -> Any:
    return act(folder, key, what)


@task
def fails(folder: str, key: str, what: str = "") -> Any:
    return act(folder, key, what)


@task(timeout="2s")
def oversleeps(folder: str, key: str, what: str = "") -> Any:
    return act(folder, key, what)


@task
def is_long(folder: str, key: str, what: str = "") -> Any:
    return act(folder, key, what)


@task
def is_cancelled(folder: str, key: str, what: str = "") -> Any:
    return act(folder, key, what)


@task
def is_deaf(folder: str, key: str, what: str = "") -> Any:
    return act(folder, key, what)


@task
def blocks(folder: str, key: str, what: str = "") -> Any:
    return act(folder, key, what)


@task
def returns_objects(folder: str, key: str, what: str = "") -> Any:
    return act(folder, key, what)


@task
def returns_locks(folder: str, key: str, what: str = "") -> Any:
    return act(folder, key, what)


@task
def changes_the_process(folder: str, key: str, what: str = "") -> Any:
    return act(folder, key, what)


@task
def takes(folder: str, key: str, what: str = "", *values: Any) -> Any:
    return act(folder, key, what, tuple(len(value) for value in values))


def known_as_quick(step: Any, folder: str) -> None:
    for handle in [step(folder, "warm") for _ in range(MANY)]:
        outcome(handle)


def group(step: Any, folder: str, what: str, count: int = MANY) -> list[Any]:
    """Call a task many times, and once so that it does something else."""
    known_as_quick(step, folder)
    handles = [step(folder, f"{step.name} {i}", what if i == ODD else "") for i in range(count)]
    for handle in handles:
        outcome(handle)
    return handles


@pipeline
def bundles(folder: str) -> None:
    group(dies, folder, "die")
    group(dies_soon, folder, "die soon")
    group(dies_once, folder, "die once")
    group(fails, folder, "fail")
    group(oversleeps, folder, "oversleep")
    assert result(group(is_long, folder, "wait for the others")[ODD]) is True
    objects = group(returns_objects, folder, "an object")
    assert result(objects[ODD]) == Path(f"returns_objects {ODD}")
    group(returns_locks, folder, "unloadable")
    group(changes_the_process, folder, "change the process")

    known_as_quick(takes, folder)
    first = [takes(folder, f"takes {i}", "", "a", "b") for i in range(MANY)]
    second = [takes(folder, f"takes second {i}", "", each, each) for i, each in enumerate(first)]
    assert [result(each) for each in second] == [[2, 2]] * MANY

    cancelled(folder)


def cancelled(folder: str) -> None:
    """Some are cancelled before their turn, with Ray and before that, and one while it runs."""
    known_as_quick(is_cancelled, folder)
    cpus = int(ray.cluster_resources()["CPU"])
    blocking = [blocks(folder, f"blocks {i}", "wait for a word") for i in range(cpus)]
    assert until(lambda: sum(line.startswith("blocks ") for line in noted(folder)) == cpus)
    handles = [is_cancelled(folder, f"is_cancelled {i}", "oversleep" if i == 0 else "") for i in range(MANY)]
    for place in (3, MANY - 1):
        vaportrail.cancel(handles[place])
        assert outcome(handles[place]).value == "CANCELLED"
    note(folder, "word blocks")
    assert until(lambda: "is_cancelled 0" in noted(folder))
    vaportrail.cancel(handles[0])
    for handle in (*handles, *blocking):
        outcome(handle)

    known_as_quick(is_deaf, folder)
    deaf = [is_deaf(folder, f"is_deaf {i}", "be deaf" if i == ODD else "") for i in range(MANY)]
    assert until(lambda: f"is_deaf {ODD}" in noted(folder))
    vaportrail.cancel(deaf[ODD])
    for handle in deaf:
        outcome(handle)
