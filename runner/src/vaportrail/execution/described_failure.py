"""An exception as a failure: its type, its words, and its traceback from the user's first frame on."""

from __future__ import annotations

import os
import re
import traceback
from typing import Final

from vaportrail.contract.outcome import Failure, Outcome, exception_type
from vaportrail.errors import SpoolError, UsageError
from vaportrail.execution.deadline import AttemptInterrupted

__all__ = ["FailureCarrier", "describe_failure"]

_PACKAGE: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep
_MACHINERY: Final = tuple(os.path.join(_PACKAGE, room) + os.sep for room in ("execution", "notebooks"))
"""Where what calls the user's code lies."""
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


class FailureCarrier(Exception):
    """An exception that already knows how it should be told, such as a notebook cell's."""

    def __init__(
        self,
        failure: Failure,
        original: BaseException | None = None,
        outcome: Outcome = Outcome.FAILED,
    ) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.original = original
        """The exception itself where it could leave the notebook's kernel."""
        self.outcome = outcome


def describe_failure(error: BaseException) -> Failure:
    """Return an exception's type, message and whole traceback, from the user's first frame on."""
    if isinstance(error, FailureCarrier | AttemptInterrupted) and error.failure is not None:
        return error.failure
    # What Ray raises for nested work says in one coloured text what its cause says better.
    cause = getattr(error, "cause", None) if type(error).__module__ == "ray.exceptions" else None
    told = cause if isinstance(cause, BaseException) else error
    printed = traceback.TracebackException.from_exception(error)
    refused = isinstance(error, UsageError | SpoolError)  # by us: the message says why
    users = _own_frames_off(printed, (_PACKAGE,) if refused else _MACHINERY)
    try:
        message = _COLOUR.sub("", str(told))
    except Exception as broken:
        message = f"<str() of the exception raised {type(broken).__name__}>"
    text = "" if refused and not users else "".join(printed.format(chain=not refused))
    return Failure(type=exception_type(told), message=message, traceback=_COLOUR.sub("", text))


def _own_frames_off(printed: traceback.TracebackException, own: tuple[str, ...]) -> bool:
    """Take off what called the user's code, and what interrupted it; return whether there is any of it."""
    users = [i for i, frame in enumerate(printed.stack) if not _is_machinery(frame.filename, own)]
    if users:
        printed.stack[:] = printed.stack[users[0] : users[-1] + 1]
    return bool(users)


def _is_machinery(file: str, own: tuple[str, ...]) -> bool:
    """Return whether a frame's file is what calls the user's code, here or in a notebook's kernel."""
    return file.startswith(own) or file.endswith(("IPython/core/interactiveshell.py",))
