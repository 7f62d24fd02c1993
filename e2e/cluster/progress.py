"""What the program tells while it works: one line a step, with what it took."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Failed", "command", "step"]

_TAIL = 25


class Failed(Exception):
    """Something the cluster needs did not work; the message tells what, and what to do about it."""


@contextmanager
def step(what: str) -> Iterator[None]:
    """Tell that `what` begins, and how long it took when it ended."""
    print(f"{what} …", flush=True)
    begun = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - begun:.1f} s", flush=True)


def command(
    *words: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    text: str | None = None,
) -> str:
    """Run a command and return its standard output.

    Args:
        words: the program and its arguments.
        cwd: where to run it.
        env: its whole environment; by default this process's.
        text: its standard input; by default nothing.

    Raises:
        Failed: it cannot be started, or ended with another exit code than 0; with the end of what it printed.
    """
    line = [str(word) for word in words]
    try:
        done = subprocess.run(line, cwd=cwd, env=env, input=text or "", capture_output=True, text=True)
    except OSError as error:
        raise Failed(f"{line[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        printed = (done.stdout[-4000:] + done.stderr).strip().splitlines()[-_TAIL:]
        raise Failed("\n".join([f"failed with {done.returncode}: {' '.join(line)[:400]}", *printed]))
    return done.stdout
