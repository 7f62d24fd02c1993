"""What is to be done for an object of ours, whichever kind it is of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

__all__ = ["Rest", "Step"]


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing is to be done for so many seconds; None: until something of it changes."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """A plan, ready to be carried out.

    Attributes:
        uid: of the object.
        again: seconds until another look, where nothing changes by it; None: not needed.
        carry_out: does it; returns whether anything changed by it.
    """

    uid: str
    again: float | None
    carry_out: Callable[[], Awaitable[bool]]
