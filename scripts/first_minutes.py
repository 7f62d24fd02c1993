"""The first ten minutes on a cluster, as docs/kubernetes.md tells them: its commands, step by step.

Who runs them runs what the page says; nothing is written down twice. Standard library only.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["PAGE", "Step", "StepFailed", "changed", "perform", "steps_of"]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "kubernetes.md"
_SECTION = re.compile(r"^## The first ten minutes\n(.*?)(?=^## )", re.DOTALL | re.MULTILINE)
_STEP = re.compile(r"^### (.+?)\n.*?^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What a step leaves running in the background ends with it.
_PROLOGUE = "trap 'kill $(jobs -p) 2> /dev/null || true; wait' EXIT\n"


class StepFailed(Exception):
    """A command of a step failed; it has told why itself."""


@dataclass(frozen=True)
class Step:
    """A step: its heading, and its commands as one shell script."""

    title: str
    commands: str


def steps_of(page: str) -> list[Step]:
    """Return the steps of the page, in their order.

    Raises:
        ValueError: the page has no such section, or a step of it has not exactly one block of commands.
    """
    section = _SECTION.search(page)
    if section is None:
        raise ValueError("there is no section `The first ten minutes`")
    found = [Step(title, commands) for title, commands in _STEP.findall(section[1])]
    if len(found) != section[1].count("\n### ") or len(found) != section[1].count("```sh\n"):
        raise ValueError("each step of `The first ten minutes` needs a heading and one block of commands")
    return found


def changed(step: Step, changes: Mapping[str, str]) -> Step:
    """Return a step with some of its words changed: each where it stands, which must be somewhere."""
    commands = step.commands
    for old, new in changes.items():
        if old not in commands:
            raise ValueError(f"the step {step.title!r} no longer says {old!r}")
        commands = commands.replace(old, new)
    return replace(step, commands=commands)


def perform(steps: Iterable[Step], *, env: Mapping[str, str] | None = None) -> float:
    """Run steps one after another at the root of the checkout; returns the seconds that they took.

    Args:
        steps: what to run; each is printed first.
        env: added to this process's environment.

    Raises:
        StepFailed: a command failed; what would have followed was not run.
    """
    begun = time.monotonic()
    for step in steps:
        print(f"\n== {step.title}\n\n{step.commands}", flush=True)
        script = ["bash", "-euo", "pipefail", "-c", _PROLOGUE + step.commands]
        done = subprocess.run(script, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise StepFailed(f"the step {step.title!r} ended with {done.returncode}; see docs/kubernetes.md")
    return time.monotonic() - begun
