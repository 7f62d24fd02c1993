"""A task's name with the plain arguments that tell it from its siblings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vaportrail.record.manifest import TaskInfo

__all__ = ["call_label", "task_label"]

_TEXT_LIMIT = 40


def call_label(name: str, arguments: Mapping[str, Any]) -> str:
    """Return a call as a person would write it, its large and upstream arguments left out.

    >>> call_label("train", {"n": 600, "split": {"$task": "split-1"}})
    'train(n=600)'
    """
    plain = [
        f"{key}={value}"
        for key, value in arguments.items()
        if isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _TEXT_LIMIT)
    ]
    return f"{name}({', '.join(plain)})"


def task_label(task: TaskInfo) -> str:
    """Return a recorded task as a person would write its call."""
    return call_label(task.name, task.arguments)
