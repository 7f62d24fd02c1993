"""What is remembered of a run beside its objects: what no list and no watch tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from vaportrail_operator.planning.types import Refusal, SecretState, SweepResult

__all__ = ["STRANGERS", "RunMemory"]

STRANGERS: Final = 16
"""How many objects that only say that they are a run's are told of."""


@dataclass(slots=True)
class RunMemory:
    """What was found out of a run; `namespace` is its own."""

    secret: SecretState = SecretState.UNKNOWN
    refused: Refusal | None = None
    sweep_result: SweepResult | None = None
    namespace: str = ""
    made: set[str] = field(default_factory=set)
    strangers: set[str] = field(default_factory=set)
