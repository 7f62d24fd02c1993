"""What goes wrong with a run in a world, and how the world says that a write did."""

from __future__ import annotations

from dataclasses import dataclass

from vaportrail.contract.outcome import Outcome
from vaportrail.crd.status import Phase

__all__ = ["Conflict", "Killed", "Script"]


class Conflict(Exception):
    """The run is not in the version that was meant."""


class Killed(BaseException):
    """The operator was killed."""


@dataclass(frozen=True)
class Script:
    """What happens to a run beside the operator.

    Attributes:
        outcome: what the pipeline ends with; None: it goes on until it is told to end.
        sealers_lost: so many sealers go without a word before one seals.
        refused: how the names end of what the API server refuses to make.
        deeds: what somebody does, once, when the run's phase is first the given one: a name of
            `DEEDS`.
    """

    outcome: Outcome | None = Outcome.SUCCEEDED
    sealers_lost: int = 0
    refused: tuple[str, ...] = ()
    deeds: tuple[tuple[Phase | str, str], ...] = ()
