"""An attempt that may be handed over with others, and such a bundle as it is with Ray."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from vaportrail.execution.attempt import AttemptSpec
from vaportrail.execution.backend import AttemptEnd, Running
from vaportrail.execution.pace import Pace

__all__ = ["Bundle", "Get", "HandedOver"]

Get = Callable[[], bytes]


@dataclass(slots=True, eq=False)
class HandedOver:
    """An attempt that may be handed over with others.

    Attributes:
        remote: what hands it over by itself.
        packed: what it has in common with others of its kind.
        pace: how quick these are.
        cpus: how many it asks for.
        alone: whether it is to go by itself, as those that it was with were lost.
        report: Ray's reference to its report, where it went by itself.
        bundle: where it is, if it did not.
        number: its place there.
        counted: whether it is one of those that others wait for.
        running: what its value is told to; dropped at its end.
    """

    spec: AttemptSpec
    remote: Any
    packed: bytes
    pace: Pace
    payload: bytes
    inputs: list[Any]
    on_end: Callable[[AttemptEnd], None]
    cpus: float
    alone: bool = False
    report: Any = None
    bundle: Bundle | None = None
    number: int = 0
    counted: bool = False
    running: Running | None = None

    @property
    def together(self) -> int:
        """How many may be handed over as one with this among them."""
        return 1 if self.alone else self.pace.together

    def has(self, value: Any) -> None:
        """Take its value, or the reference to it."""
        if self.running is not None:
            self.running.value = value

    def let_go(self) -> None:
        """Drop what only those need that are handed over once more."""
        self.payload, self.inputs = b"", []


class Owner(Protocol):
    """What a bundle tells of."""

    def reported(self, bundle: Bundle, get: Get) -> None:
        """Take the next end of a bundle."""
        ...

    def over(self, bundle: Bundle, get: Get) -> None:
        """Take that a bundle is over."""
        ...

    def look(self, bundle: Bundle) -> None:
        """Look whether others wait behind an attempt that is not a quick one."""
        ...


@dataclass(slots=True, eq=False)
class Bundle:
    """Attempts that are with Ray as one task.

    Attributes:
        open: those that may still begin or end here, in their order.
        received: how many reports came.
        report: of the last one, whose value comes by itself.
        value: the reference to that.
        moved: when one was last heard of; up to the first begin, when that was looked for.
        begun: whether the first one has begun, as far as was seen.
    """

    owner: Owner
    log: str
    open: deque[HandedOver]
    generator: Any = None
    received: int = 0
    report: bytes | None = None
    value: Any = None
    moved: float = 0.0
    begun: bool = False
    counted: bool = True

    @property
    def left(self) -> int:
        return len(self.open)

    @property
    def value_follows(self) -> bool:
        return self.report is not None

    def reported(self, get: Get) -> None:
        self.owner.reported(self, get)

    def came(self, value: Any) -> None:
        # Whether it could leave the worker is told as the bundle is over.
        self.value = value

    def over(self, get: Get) -> None:
        self.owner.over(self, get)

    def look(self) -> None:
        self.owner.look(self)
