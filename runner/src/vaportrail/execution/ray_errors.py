"""What Ray raises in place of an attempt's own report, as the typed end that it means."""

from __future__ import annotations

import re
from typing import Any, Final

from vaportrail.contract.outcome import Failure, Outcome, exception_type
from vaportrail.errors import VaportrailError
from vaportrail.execution.attempt_cancellation import AttemptCancelled
from vaportrail.execution.backend import AttemptEnd

__all__ = ["RAY_ERRORS", "end_from_ray_error", "failure_of", "original", "plain"]

RAY_ERRORS: Final = {
    "OutOfMemoryError": Outcome.OOM_KILLED,
    "NodeDiedError": Outcome.NODE_LOST,
    "LocalRayletDiedError": Outcome.NODE_LOST,
    "ObjectLostError": Outcome.VALUE_LOST,
    "ObjectReconstructionFailedError": Outcome.VALUE_LOST,
    "WorkerCrashedError": Outcome.WORKER_LOST,
}
"""Outcomes by the class of `ray.exceptions`, first hit first; of all others the outcome is `FAILED`."""
_WORDS: Final = {
    "LocalRayletDiedError": "Ray's raylet on this machine has ended",
    "WorkerCrashedError": "the attempt's process ended without a word: a signal, os._exit() or a crash",
}
"""What is said in place of Ray's own words."""
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


def end_from_ray_error(error: BaseException, *, forced: bool) -> AttemptEnd:
    """Return the typed end of an attempt that could not report for itself.

    Args:
        error: what Ray raised.
        forced: whether its process was ended by force, as it did not hear that it is cancelled.
    """
    from ray import exceptions

    if isinstance(error, exceptions.TaskCancelledError):
        failure = failure_of(AttemptCancelled(), _cancelled(error, forced=forced))
        return AttemptEnd(Outcome.CANCELLED, failure, self_reported=False)
    for name, outcome in RAY_ERRORS.items():
        if isinstance(error, getattr(exceptions, name)):
            failure = failure_of(error, _WORDS.get(name) or plain(error))
            # Where this machine's raylet is gone, no attempt begins any more.
            retryable = name != "LocalRayletDiedError"
            return AttemptEnd(outcome, failure, self_reported=False, retryable=retryable)
    text, traceback = plain(error), ""
    if isinstance(error, exceptions.RayTaskError):
        text, traceback, error = _around_the_code(error), text, _cause(error)
    elif isinstance(error, exceptions.RuntimeEnvSetupError):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        text, traceback = f"{lines[0].rstrip('.')}: {lines[-1]}", text
    return AttemptEnd(Outcome.FAILED, failure_of(error, text, traceback), self_reported=False)


def plain(error: BaseException) -> str:
    """Return an error's words without the colours that Ray puts into them."""
    return _COLOUR.sub("", str(error)).strip()


def original(error: Any) -> BaseException:
    """Return what Ray wraps: a `RaySystemError`'s words hold a traceback of Ray's own."""
    inner = getattr(error, "client_exc", None) or getattr(error, "cause", None)
    return inner if isinstance(inner, BaseException) else error


def failure_of(error: BaseException, message: str, traceback: str = "") -> Failure:
    """Return an error's failure in words that are not its own."""
    return Failure(type=exception_type(error), message=message, traceback=traceback)


def _cancelled(error: BaseException, *, forced: bool) -> str:
    """Return how it came that an attempt was cancelled and did not say so itself."""
    from ray import exceptions

    if forced:
        return "cancelled, and ended by force, as it did not end by itself"
    if isinstance(error, exceptions.RayTaskError):  # of its worker
        return "cancelled as it was about to run or to end"
    return "cancelled before it ran, or its process ended as it was cancelled"


def _cause(error: Any) -> BaseException:
    return original(getattr(error, "cause", None) or error)


def _around_the_code(error: Any) -> str:
    """Return what broke before or after the user's code."""
    from ray import exceptions

    cause = getattr(error, "cause", None) or error
    if isinstance(cause, VaportrailError):
        return str(cause)
    if isinstance(cause, exceptions.RaySystemError):
        return f"an argument cannot be loaded in the worker: {plain(original(cause))}"
    if isinstance(cause, exceptions.RayError):
        return f"its result could not leave the worker: {plain(original(cause))}"
    return f"the worker could not begin or end the attempt: {plain(original(cause))}"
