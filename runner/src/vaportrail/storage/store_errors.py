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
from vaportrail.storage.certificate import certificate_problem

__all__ = ["Translate", "is_connect_timeout", "is_denied", "is_outage"]

_ANSWERED: Final = re.compile(r"status code: (\d{3})")
_INNERMOST: Final = re.compile(r'(?:message|error): "([^"]+)"')
"""In what obstore tells of an error's sources: the last is where it comes from."""
_CONNECTING: Final = re.compile(r"Error\(\s*Connect,")
_ADDRESS: Final = re.compile(r"https?://[^/\s]+")
_TRIES: Final = re.compile(r"after \d+ retries")
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
            raise RecordError(f"cannot {self.verb} {self.where}: {_cause_first(str(error))}") from error


def _cause_first(text: str) -> str:
    """Return in words what obstore says, on one line, what it comes from in front.

    Of a request that has no answer its first words are the address once more, and never why.
    """
    words = " ".join(re.split(r"\n\s*\n|\n\s*Debug source", text)[0].split())
    if "HTTP error: " not in words:
        return words
    said = _INNERMOST.findall(text)
    cause = said[-1] if said else "no answer in time" if "kind: Timeout" in text else words
    address, tries = _ADDRESS.search(words), _TRIES.search(words)
    told = ", ".join(found[0] for found in (address, tries) if found)
    if _METADATA.search(words):
        missing = "AWS_ACCESS_KEY_ID is not in the environment, and no identity is given here"
        cause = f"no credentials: {missing} ({cause})"
    return f"{cause}: HTTP error of {told}" if told else cause


def is_connect_timeout(error: RecordError) -> bool:
    """Return whether a connection was not taken in time: nothing of the request has been seen then.

    obstore itself tries such a write no second time.
    """
    words = str(error.__cause__)
    return "kind: Timeout" in words and _CONNECTING.search(words) is not None


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
    return (
        "HTTP error: " in words
        and _METADATA.search(words) is None
        and not certificate_problem(error.__cause__ or error)
    )
