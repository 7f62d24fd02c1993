"""Outcomes as a record says them: a word that this version does not know is kept as it is."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from vaportrail.contract.outcome import Outcome

__all__ = ["OutcomeText", "is_outcome", "read_outcome"]

_WORD: Final = re.compile(r"[A-Z][A-Z0-9_]{0,39}")


@lru_cache(maxsize=256)
def read_outcome(word: str) -> Outcome:
    """Return the outcome of a word; of one that is not known the word itself: it ended, and not well.

    Raises:
        ValueError: no version writes such a word.

    >>> read_outcome("SUCCEEDED") is Outcome.SUCCEEDED, read_outcome("PREEMPTED").ok
    (True, False)
    """
    try:
        return Outcome(word)
    except ValueError:
        if not is_outcome(word):
            raise
    unknown = str.__new__(Outcome, word)
    unknown._name_ = unknown._value_ = word
    return unknown


def is_outcome(word: Any) -> bool:
    """Return whether a value can be the word of an outcome, known or not."""
    return type(word) is str and _WORD.fullmatch(word) is not None


def _read(word: Any) -> Any:
    return read_outcome(word) if type(word) is str else word


OutcomeText = Annotated[
    Outcome | Annotated[Outcome, BeforeValidator(_read)],
    Field(union_mode="left_to_right"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{_WORD.pattern}$",
            "examples": [outcome.value for outcome in Outcome],
        }
    ),
]
"""How something ended. Of a word that is not known a reader knows that it ended, and not well."""
