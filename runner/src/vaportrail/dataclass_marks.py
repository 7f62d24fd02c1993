"""Makes the marks inside dataclasses travel by name: there is one of each in a process."""

from __future__ import annotations

import copyreg
import dataclasses
from functools import partial
from typing import Final

__all__ = ["pickle_marks_by_name"]

_MARKS: Final = ("MISSING", "KW_ONLY", "_HAS_DEFAULT_FACTORY")


def pickle_marks_by_name() -> None:
    """Have this process pickle the marks of `dataclasses` as what they are.

    Pickled as objects they arrive as others, and the fields of a class that travels by value, as one of
    a script does, say from then on that they have defaults: also in the process that it came from.
    """
    for name in _MARKS:
        copyreg.pickle(type(getattr(dataclasses, name)), partial(_called, name))


def _called(name: str, _mark: object) -> str:
    return name
