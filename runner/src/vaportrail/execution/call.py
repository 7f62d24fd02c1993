"""One task call, as the driver holds it: what was asked, of which tasks, and what the record says."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vaportrail.authoring.handle import Handle
from vaportrail.authoring.hidden import hidden_names
from vaportrail.authoring.task import Task
from vaportrail.contract import Failure, Outcome
from vaportrail.errors import UsageError
from vaportrail.execution.backend import AttemptEnd, Running
from vaportrail.telemetry.described import describe
from vaportrail.telemetry.hidden import HIDDEN_TEXT
from vaportrail.telemetry.recorder import Recorder

__all__ = ["TaskCall", "check_fits", "describe_call", "find_edges"]


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
    attempts_ended: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    watchers: list[Callable[[], None]] = field(default_factory=list)

    @property
    def failure(self) -> Failure | None:
        return self.last_end.failure if self.last_end is not None else None


def check_fits(task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse arguments that the task's function does not take, at the call and not in the worker.

    Raises:
        UsageError: names the task and what does not fit.
    """
    try:
        signature = inspect.signature(task.fn)
    except (TypeError, ValueError):  # some of Python's own functions have none
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise UsageError(
            f"task {task.name!r} cannot be called like this: {error}; it takes {signature}"
        ) from None


def describe_call(
    task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder | None = None
) -> dict[str, Any]:
    """Return a call's arguments by name as the record tells them, handles as ``{"$task": id}``.

    The task's own variables are secrets of the recorder's process from here on: what the task raises
    comes back to it, and is told there.
    """
    secrets = None
    if recorder is not None:
        recorder.keep_secret(task.task_options.variables)
        secrets = recorder.writer.redact
    described = _describe_call(task, args, kwargs, secrets or _unchanged)
    return described if secrets is None else secrets.tree(described)


def _describe_call(
    task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], plain: Callable[[str], str]
) -> dict[str, Any]:
    hidden = hidden_names(task.fn)
    try:
        signature = inspect.signature(task.fn)
        bound = signature.bind(*args, **kwargs)
    except (TypeError, ValueError):
        # Whose they are is unknown, so where anything is hidden all of them are.
        named = {**{str(i): a for i, a in enumerate(args)}, **kwargs}
        return {
            n: HIDDEN_TEXT if hidden else describe(v, known=_describe_handle, plain=plain)
            for n, v in named.items()
        }
    described: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            for key, item in value.items():
                described[key] = (
                    HIDDEN_TEXT if name in hidden else describe(item, known=_describe_handle, plain=plain)
                )
        else:
            described[name] = (
                HIDDEN_TEXT if name in hidden else describe(value, known=_describe_handle, plain=plain)
            )
    return described


def _unchanged(text: str) -> str:
    return text


def _describe_handle(value: Any) -> Any:
    return {"$task": value.task_id} if isinstance(value, Handle) else None


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
