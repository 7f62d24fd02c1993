#!/usr/bin/env python3
"""Compile the requirement files into locked ones: names, versions, hashes, and no address."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "runner/pyproject.toml"
OPERATOR = "operator/pyproject.toml"
EVERYTHING = "requirements.txt"


@dataclass(frozen=True)
class Lock:
    """A locked file, what it is compiled from, and the locked files whose versions it takes over."""

    target: str
    sources: tuple[str, ...]
    extras: tuple[str, ...] = ()
    agrees_with: tuple[str, ...] = ()


# In this order: a lock agrees with those above it only.
LOCKS = (
    Lock("requirements-setup.txt", ("requirements-setup.in",)),
    Lock(EVERYTHING, ("requirements.in", PROJECT), extras=("run",)),
    Lock("requirements-dev.txt", ("requirements-dev.in", PROJECT, OPERATOR), extras=("run",)),
    Lock("requirements-build.txt", ("requirements-build.in",), agrees_with=(EVERYTHING,)),
    Lock("requirements-operator.txt", (PROJECT, OPERATOR), agrees_with=(EVERYTHING,)),
    Lock("requirements-runner.txt", (PROJECT,), extras=("run", "cluster"), agrees_with=(EVERYTHING,)),
    Lock(
        "examples/mnist/requirements.txt",
        ("examples/mnist/requirements.in",),
        agrees_with=(EVERYTHING, "requirements-runner.txt"),
    ),
)


def main() -> int:
    for lock in LOCKS:
        command = [
            sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes",
            "--python-version", "3.11", "--no-emit-index-url", "--no-emit-find-links",
            "--no-emit-package", "vaportrail", "--custom-compile-command", "make lock", *sys.argv[1:],
        ]  # fmt: skip
        for extra in lock.extras:
            command += ["--extra", extra]
        for constraint in lock.agrees_with:
            command += ["--constraint", constraint]
        env = {"UV_SYSTEM_CERTS": "1", **os.environ}
        subprocess.run([*command, "-o", lock.target, *lock.sources], cwd=ROOT, check=True, env=env)
    return 0


if __name__ == "__main__":
    sys.exit(main())
