"""What a pipeline's body returned, with its tasks' values where the handles were."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Mapping
from typing import Any

from vaportrail.authoring.handle import Handle
from vaportrail.authoring.nested import filled
from vaportrail.errors import UsageError

__all__ = ["Returned", "call_body", "refuse_lazy"]

_LAZY = (
    (inspect.iscoroutine, "a coroutine"),
    (inspect.isasyncgen, "an asynchronous generator"),
    (inspect.isgenerator, "a generator"),
)


def call_body(fn: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Run a pipeline's body and return what it returns; an exit without a code is a return of None.

    Raises:
        UsageError: what it returned is a coroutine or a generator, of which nothing has run.
    """
    try:
        value = fn(**arguments)
    except SystemExit as error:
        if error.code not in (None, 0):
            raise
        return None
    refuse_lazy(value)
    return value


def refuse_lazy(value: Any) -> None:
    """Refuse what a body gives back when nothing of it has run, such as a decorated async function's.

    Raises:
        UsageError: it is a coroutine or a generator.
    """
    for is_kind, words in _LAZY:
        if is_kind(value):
            if inspect.iscoroutine(value):
                value.close()  # or Python warns that it was never awaited, later and elsewhere
            raise UsageError(
                f"the pipeline returned {words}, of which nothing has run: make it a plain function, or run "
                "it in the body (asyncio.run(...), list(...))"
            )


class Returned:
    """The return value of one run. That it cannot be had is told, and never decides the verdict.

    Attributes:
        value: the value; None while `missing` says why there is none.
        missing: why there is none, in words; empty where there is.
    """

    def __init__(self) -> None:
        self.value: Any = None
        self.missing = "the pipeline's body has not returned"

    def resolve(self, value: Any) -> None:
        """Take what the body returned; every task has ended, and Ray is still there."""
        try:
            self.value = filled(value, _value_of)
        except Exception as error:
            self.missing = f"{type(error).__name__}: {error}"
        else:
            self.missing = ""

    def lost(self, why: str) -> None:
        """Say why there is no value."""
        self.missing = why


def _value_of(handle: Handle) -> Any:
    from ray import cloudpickle

    # Copied: arrays that Ray hands out lie in its memory, which goes away with it.
    return pickle.loads(cloudpickle.dumps(handle.session.result(handle, None)))
