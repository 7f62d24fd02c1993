"""Tasks that leave something behind in their process, each followed by one that looks around.

With one CPU they share a worker, one after the other.
"""

import os
import sys

from vaportrail import log, outcome, pipeline, task


class Tee:
    """The well-known one: it writes to both, and has no flush."""

    def __init__(self, *files: object) -> None:
        self.files = files

    def write(self, text: str) -> int:
        for file in self.files:
            file.write(text)  # type: ignore[attr-defined]
        return len(text)


class Bad:
    """A stream whose flush fails in a way of its own."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        raise KeyError("flushed")


def tee() -> None:
    sys.stdout = sys.stderr = Tee(sys.stdout)  # type: ignore[assignment]


def closed_file() -> None:
    with open(os.devnull, "w") as file:
        sys.stdout = sys.stderr = file


def closed_stdout() -> None:
    sys.stdout.close()
    sys.stderr.close()


def no_stdout() -> None:
    sys.stdout = sys.stderr = None  # type: ignore[assignment]


def bad_flush() -> None:
    sys.stdout = sys.stderr = Bad()  # type: ignore[assignment]


def closed_descriptors() -> None:
    os.close(1)
    os.close(2)


def other_descriptors() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


STREAMS = {
    f.__name__: f
    for f in (tee, closed_file, closed_stdout, no_stdout, bad_flush, closed_descriptors, other_descriptors)
}


@task
def leaves(name: str) -> None:
    log.param("pid", os.getpid())
    print("before", flush=True)
    STREAMS[name]()


@task
def looks(name: str) -> None:
    log.param("pid", os.getpid())
    print("printed")
    print("complained", file=sys.stderr)
    os.write(1, b"written\n")


@task
def closes_its_record() -> None:
    """As a program does that closes all descriptors it does not know."""
    for name in os.listdir("/proc/self/fd"):
        if os.path.realpath(f"/proc/self/fd/{name}").endswith(".spool"):
            os.close(int(name))


@pipeline
def leftovers() -> None:
    for name in STREAMS:
        outcome(leaves(name))
        outcome(looks(name))
    outcome(closes_its_record())
    outcome(looks("after its record was closed"))
