"""One task call, as the driver holds it: what was asked, of which tasks, and what the record says."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vaportrail.authoring.handle import Handle
from vaportrail.authoring.hidden import HIDDEN_TEXT, hidden_names
from vaportrail.authoring.task import Task
from vaportrail.contract import Failure, Outcome
from vaportrail.execution.backend import AttemptEnd, Running
from vaportrail.telemetry.values import describe

__all__ = ["TaskCall", "describe_call", "find_edges"]


@dataclass(slots=True)
class TaskCall:
    """A task of the run: the call, its current attempt, and its end."""

    task_id: str
    task: Task[..., Any]
    function: bytes
    payload: bytes
    inputs: list[str]
    upstream: list[str]
    label: str
    span_id: str
    submitted_unix_nano: int
    handed_over_unix_nano: int = 0
    running: Running | None = None
    last_end: AttemptEnd | None = None
    outcome: Outcome = Outcome.UNFINISHED
    attempts: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    watchers: list[Callable[[], None]] = field(default_factory=list)

    @property
    def failure(self) -> Failure | None:
        return self.last_end.failure if self.last_end is not None else None


def describe_call(task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return a call's arguments by name as the record tells them, handles as ``{"$task": id}``."""
    hidden = hidden_names(task.fn)
    try:
        bound = inspect.signature(task.fn).bind(*args, **kwargs)
        named = dict(bound.arguments)
        for parameter in bound.signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                named |= named.pop(parameter.name, {})
    except (TypeError, ValueError):
        named = {**{str(i): a for i, a in enumerate(args)}, **kwargs}
    return {
        name: HIDDEN_TEXT if name in hidden else _describe_argument(value) for name, value in named.items()
    }


def _describe_argument(value: Any) -> Any:
    if isinstance(value, Handle):
        return {"$task": value.task_id}
    if isinstance(value, list | tuple):
        return [_describe_argument(item) for item in value] if _holds_handle(value) else describe(value)
    if isinstance(value, dict) and _holds_handle(value.values()):
        return {str(k): _describe_argument(v) for k, v in value.items()}
    return describe(value)


def _holds_handle(values: Any) -> bool:
    return any(isinstance(v, Handle | list | tuple | dict) for v in values)


def find_edges(arguments: dict[str, Any], inputs: list[str], after: list[str]) -> list[dict[str, str]]:
    """Return a task's edges: upstream id, `value` or `order`, and the argument that carries it."""
    edges: list[dict[str, str]] = []
    carriers: dict[str, str] = {}
    for name, value in arguments.items():
        for task_id in _tasks_in(value):
            carriers.setdefault(task_id, name)
    for task_id in dict.fromkeys(inputs):
        edges.append({"task": task_id, "kind": "value", "argument": carriers.get(task_id, "")})
    for task_id in dict.fromkeys(after):
        if task_id not in inputs:
            edges.append({"task": task_id, "kind": "order", "argument": ""})
    return edges


def _tasks_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        if set(value) == {"$task"}:
            return [value["$task"]]
        return [task for item in value.values() for task in _tasks_in(item)]
    return [task for item in value for task in _tasks_in(item)] if isinstance(value, list) else []
