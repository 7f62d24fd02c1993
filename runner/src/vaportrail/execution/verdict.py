"""How a run ended, in a word and a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vaportrail.contract.outcome import Failure, Outcome

__all__ = ["CANCELLED", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ended: in a word, in a line, and what the pipeline's body raised if it did."""

    outcome: Outcome
    message: str
    failure: Failure | None = None


CANCELLED: Final = Verdict(Outcome.CANCELLED, "cancelled")
