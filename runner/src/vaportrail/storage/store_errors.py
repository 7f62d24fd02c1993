"""What obstore raises, as our errors; and which of them another try may mend."""

from __future__ import annotations

import re
from typing import Final

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
)

from vaportrail.errors import RecordError, RecordNotFound

__all__ = ["Translate", "is_denied", "is_outage"]

_ANSWERED: Final = re.compile(r"status code: (\d{3})")
_METADATA: Final = re.compile(r"http://(169\.254\.|metadata)")
"""Where credentials are asked for that the environment does not have."""


class Translate:
    """Turns obstore's errors into ours, which say what was tried and where."""

    def __init__(self, verb: str, where: str) -> None:
        self.verb, self.where = verb, where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, tb: object) -> None:
        if isinstance(error, NotFoundError | FileNotFoundError):
            raise RecordNotFound(f"nothing stands at {self.where}") from error
        if isinstance(error, AlreadyExistsError | PreconditionError):
            return
        if isinstance(error, BaseError | OSError | ValueError):
            reason = re.split(r"\n\s*\n|\n\s*Debug source", str(error))[0].strip()
            raise RecordError(f"cannot {self.verb} {self.where}: {reason}") from error


def is_denied(error: RecordError) -> bool:
    """Return whether a store refuses a request for want of a right."""
    return isinstance(error.__cause__, PermissionDeniedError)


def is_outage(error: RecordError) -> bool:
    """Return whether a store cannot be reached or is too busy: another try may mend that, and nothing else.

    Args:
        error: what a `Store` raised. A refusal, what is not there and missing credentials are no outage.
    """
    # obstore has no type for it, only words.
    words = str(error.__cause__)
    if (answered := _ANSWERED.search(words)) is not None:
        return answered[1] in ("408", "429") or answered[1] >= "500"
    return "HTTP error: " in words and _METADATA.search(words) is None
