"""Tasks that fail in every way there is; each says something first."""

import logging
import os
import signal
import sys
import time
from pathlib import Path

from vaportrail import log, notebook, outcome, pipeline, result, task

broken_notebook = notebook("broken_notebook.py", retries=1, backoff="50ms", retry_on=(ZeroDivisionError,))
slow_notebook = notebook("slow_notebook.py", timeout="20s")


class Odd(Exception):
    """An exception that cannot be rebuilt from its pickle."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def deeper(n: int) -> None:
    if n == 0:
        raise ValueError("the very bottom")
    deeper(n - 1)


@task
def raises() -> int:
    print("before raising")
    logging.getLogger("failures").warning("a warning before raising")
    log.metric("reached", 1)
    deeper(3)
    return 1


@task
def odd() -> None:
    raise Odd("this", "that")


@task(retries=2, backoff="50ms")
def flaky(path: str) -> str:
    count = len(os.listdir(path))
    open(os.path.join(path, str(count)), "w").close()
    if count < 2:
        raise ConnectionError(f"try {count}")
    return "third time lucky"


@task(retries=5, backoff="50ms", retry_on=(ConnectionError,))
def not_worth_a_retry() -> None:
    raise ValueError("retrying this is no use")


@task(timeout="1s")
def sleeps() -> None:
    print("before sleeping")
    time.sleep(60)


@task(timeout="1s")
def deaf() -> None:
    """Holds the interpreter lock in C code, where no signal is heard."""
    print("before going deaf", flush=True)
    sum(range(10**12))


@task(timeout="3s")
def queued(seconds: float) -> float:
    """Six of these take longer than their timeout, but each runs for less."""
    time.sleep(seconds)
    return seconds


@task
def killed() -> None:
    logging.getLogger("failures").warning("a warning before the kill")
    print("before the kill", flush=True)
    sys.stdout.write("half a line")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


@task
def exits() -> None:
    print("before os._exit", flush=True)
    os._exit(3)


@task
def asks_to_exit() -> None:
    sys.exit("leaving")


@task
def unpicklable() -> object:
    return (x for x in range(3))


@task
def needs(*values: object) -> str:
    return "needed"


@task(allow_failure=True)
def may_fail() -> None:
    raise RuntimeError("nobody minds")


@task(env={"API_TOKEN": "not-for-the-record"})
def tells_a_secret() -> None:
    print("the token is", os.environ["API_TOKEN"])


@task(gpus=1000)
def too_much() -> None:
    raise AssertionError("unreachable")


@task
def independent() -> str:
    return "still here"


@pipeline
def failures() -> None:
    bottom = raises()
    needs(needs(bottom))
    odd()
    tries = Path("flaky").absolute()
    tries.mkdir()
    flaky(str(tries))
    not_worth_a_retry()
    sleeps()
    deaf()
    for _ in range(6):
        queued(1.0)
    killed()
    exits()
    asks_to_exit()
    unpicklable()
    needs(may_fail())
    needs(broken_notebook(x=1))
    slow_notebook()
    too_much()
    tells_a_secret()
    log.param("outcome_of_bottom", outcome(bottom).value)
    independent()
    result(bottom)
