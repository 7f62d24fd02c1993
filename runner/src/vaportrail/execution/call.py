"""One task call, as the runner holds it: what was asked, of which tasks, and what the record says."""

from __future__ import annotations

import inspect
import queue
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from vaportrail.authoring.handle import Handle
from vaportrail.authoring.hidden_parameters import hidden_names
from vaportrail.authoring.options import TaskOptions
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
    """A task of the run: the call, its current attempt, and its end.

    Attributes:
        takers: how many calls were made with its value among their arguments.
        takers_ended: how many of them have ended.
        handle: the body's own, dead once the body cannot ask for the task any more; None: it never could.
        watchers: who waits for its end: what its handle is put into.
        over: whether its end is written down and told.
    """

    task_id: str
    name: str
    kind: str
    options: TaskOptions
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
    takers: int = 0
    takers_ended: int = 0
    handle: weakref.ref[Handle] | None = None
    watchers: list[tuple[queue.SimpleQueue[Handle], Handle]] = field(default_factory=list)
    over: bool = False

    @property
    def failure(self) -> Failure | None:
        return self.last_end.failure if self.last_end is not None else None

    def spec(self, attempt: int) -> AttemptSpec:
        """Return what an attempt of this number is to know."""
        options = self.options
        return AttemptSpec(
            self.task_id,
            self.name,
            attempt,
            self.span_id,
            self.function,
            options.timeout,
            dict(options.env),
            options.retry_on,
        )

    def handed_over(self, running: Running) -> None:
        """Take that an attempt is with the backend, which has its arguments: the last one's are let go."""
        self.running = running
        if self.attempts > self.options.retries:
            self.payload = self.function = b""

    def let_go(self) -> None:
        """Drop what nobody can ask for any more: arguments at the end, the value once it has no reader left.

        In the executor's thread. Nobody takes a value, or asks for it, but by its handle: where that is
        dead, `takers` rises no more.
        """
        if not self.outcome.ended:
            return
        self.payload = self.function = b""
        if self.running is None:
            return
        wanted = self.handle is not None and self.handle() is not None
        if self.outcome.ok and (wanted or self.takers > self.takers_ended):
            self.running = self.running.value_alone()
        else:
            self.running = None


def check_fits(
    task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments | None:
    """Refuse arguments that the task's function does not take, at the call and not in the worker.

    Returns:
        the arguments by the names of its parameters; None where it does not say which it has.

    Raises:
        UsageError: names the task and what does not fit.
    """
    try:
        signature = _signature(task.fn)
    except (TypeError, ValueError):  # some of Python's own functions have none
        return None
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        raise UsageError(
            f"task {task.name!r} cannot be called like this: {error}; it takes {signature}"
        ) from None


_signatures: weakref.WeakKeyDictionary[Callable[..., Any], inspect.Signature] = weakref.WeakKeyDictionary()


def _signature(fn: Callable[..., Any]) -> inspect.Signature:
    if type(fn) is not FunctionType:
        return inspect.signature(fn)
    known = _signatures.get(fn)
    if known is None:
        known = _signatures[fn] = inspect.signature(fn)
    return known


def describe_call(
    task: Task[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    recorder: Recorder | None = None,
    *,
    bound: inspect.BoundArguments | None = None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a call's arguments by name as the record tells them, and which of them holds which task.

    In the first handles read ``{"$task": id}``, as a mapping of the user's may; so the second says by
    a task's id the argument in which its handle was found.

    The task's own variables are secrets of the recorder's process from here on: what the task raises
    comes back to it, and is told there.

    Args:
        task: what is called.
        args: its arguments by place.
        kwargs: its arguments by name.
        recorder: knows the secrets.
        bound: both, as `check_fits` returned them; looked for here unless given.
    """
    secrets = None
    if recorder is not None:
        if own := task.task_options.variables:
            recorder.keep_secret(own)
        secrets = recorder.writer.redact
    if bound is None:
        with suppress(TypeError, ValueError):
            bound = _signature(task.fn).bind(*args, **kwargs)
    described, carriers = _describe_call(task, args, kwargs, bound, secrets or _unchanged)
    return described if secrets is None else secrets.tree(described), carriers


def _describe_call(
    task: Task[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    bound: inspect.BoundArguments | None,
    plain: Callable[[str], str],
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

    if bound is None:
        # Whose they are is unknown, so where anything is hidden all of them are.
        named = {**{str(i): a for i, a in enumerate(args)}, **kwargs}
        for name, value in named.items():
            describe_argument(name, value, is_hidden=bool(hidden))
        return described, carriers
    parameters = bound.signature.parameters
    for name, value in bound.arguments.items():
        further = parameters[name].kind is inspect.Parameter.VAR_KEYWORD
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
