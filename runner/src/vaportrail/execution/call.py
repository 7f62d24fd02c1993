"""One task call, as the driver holds it: what was asked, of which tasks, and what the record says."""

from __future__ import annotations

import inspect
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vaportrail.authoring.handle import Handle
from vaportrail.authoring.hidden_parameters import hidden_names
from vaportrail.authoring.task import Task
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.errors import UsageError
from vaportrail.execution.attempt import AttemptSpec
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
    watchers: list[tuple[queue.SimpleQueue[Handle], Handle]] = field(default_factory=list)
    """Who waits for its end: what its handle is put into."""

    @property
    def failure(self) -> Failure | None:
        return self.last_end.failure if self.last_end is not None else None

    def spec(self, attempt: int) -> AttemptSpec:
        """Return what an attempt of this number is to know."""
        options = self.task.task_options
        return AttemptSpec(
            self.task_id,
            self.task.name,
            attempt,
            self.function,
            options.timeout,
            dict(options.env),
            options.retry_on,
        )


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
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a call's arguments by name as the record tells them, and which of them holds which task.

    In the first handles read ``{"$task": id}``, as a mapping of the user's may; so the second says by
    a task's id the argument in which its handle was found.

    The task's own variables are secrets of the recorder's process from here on: what the task raises
    comes back to it, and is told there.
    """
    secrets = None
    if recorder is not None:
        recorder.keep_secret(task.task_options.variables)
        secrets = recorder.writer.redact
    described, carriers = _describe_call(task, args, kwargs, secrets or _unchanged)
    return described if secrets is None else secrets.tree(described), carriers


def _describe_call(
    task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], plain: Callable[[str], str]
) -> tuple[dict[str, Any], dict[str, str]]:
    hidden = hidden_names(task.fn)
    described: dict[str, Any] = {}
    carriers: dict[str, str] = {}

    def describe_argument(name: str, value: Any, *, is_hidden: bool) -> None:
        def handle(found: Any) -> dict[str, str] | None:
            if not isinstance(found, Handle):
                return None
            carriers.setdefault(found.task_id, name)
            return {"$task": found.task_id}

        described[name] = HIDDEN_TEXT if is_hidden else describe(value, known=handle, plain=plain)

    try:
        signature = inspect.signature(task.fn)
        bound = signature.bind(*args, **kwargs)
    except (TypeError, ValueError):
        # Whose they are is unknown, so where anything is hidden all of them are.
        named = {**{str(i): a for i, a in enumerate(args)}, **kwargs}
        for name, value in named.items():
            describe_argument(name, value, is_hidden=bool(hidden))
        return described, carriers
    for name, value in bound.arguments.items():
        further = signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
        for key, item in value.items() if further else [(name, value)]:
            describe_argument(key, item, is_hidden=name in hidden)
    return described, carriers


def _unchanged(text: str) -> str:
    return text


def find_edges(carriers: dict[str, str], inputs: list[str], after: list[str]) -> list[dict[str, str]]:
    """Return a task's edges: upstream id, `value` or `order`, and the argument that carries it."""
    edges = [
        {"task": task_id, "kind": "value", "argument": carriers.get(task_id, "")}
        for task_id in dict.fromkeys(inputs)
    ]
    for task_id in dict.fromkeys(after):
        if task_id not in inputs:
            edges.append({"task": task_id, "kind": "order", "argument": ""})
    return edges
