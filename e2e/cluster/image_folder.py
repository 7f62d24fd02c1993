"""Where images are kept, and how what makes them is run: with a log each, and failures that show its end."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from e2e.cluster.cache import cache_root
from e2e.cluster.progress import Failed

__all__ = ["ImageError", "images_folder", "logged_run"]

_LOG_LINES = 30


class ImageError(Failed):
    """An image could not be built; the message has the command and the end of its output."""


def images_folder() -> Path:
    """Return the folder of archives, logs and the engine's own storage."""
    folder = cache_root() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def logged_run(image: str, command: list[str]) -> None:
    """Run a command; its output is appended to the log of `image`.

    Raises:
        ImageError: it failed.
    """
    log = images_folder() / f"{image}.log"
    with log.open("ab") as output:
        output.write(f"\n$ {shlex.join(command)}\n".encode())
        output.flush()
        done = subprocess.run(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    if done.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
        raise ImageError(
            f"image {image}: `{shlex.join(command)}` ended with {done.returncode}; the end of {log}:\n{last}"
        )
