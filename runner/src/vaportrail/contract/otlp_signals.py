"""The signals of a record, in the one table that spool, shipper, collector, seal and readers go by.

This module imports nothing but the standard library: every worker and every notebook's kernel
starts with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["BY_KIND", "COUNTED", "FIRST_FORMAT", "IN_LEDGERS", "SIGNALS", "Kind", "Signal"]

Kind = Literal["L", "T", "M"]
"""The letter that a line of a spool file names its signal by."""
FIRST_FORMAT: Final = "1.0"


@dataclass(frozen=True, slots=True)
class Signal:
    """One of OpenTelemetry's signals, and what it is called wherever it comes by.

    Attributes:
        kind: its letter.
        slot: which of the counters of a ledger file is its, from 0; never another's again.
        file: what collectors and the names of files call it.
        resources: the key of a request's groups by process, in OTLP's JSON form.
        scopes: the key of such a group's groups by instrumentation scope.
        records: the key of what is in such a group.
        many: what its records are called wherever they are counted by name.
        noun: what they are called in prose.
        attributes: the key of a record's own attributes.
        counted: whether a record and a run's status say how many there are, as processes of ours make some.
        since: the version of the record's format that it came with; what is older does not count it.
    """

    kind: Kind
    slot: int
    file: str
    resources: str
    scopes: str
    records: str
    many: str
    noun: str
    attributes: str = "attributes"
    counted: bool = True
    since: str = FIRST_FORMAT

    @property
    def path(self) -> str:
        """Where OTLP over HTTP takes it."""
        return f"/v1/{self.file}"

    @property
    def counter(self) -> str:
        """The attribute that says how many of its records a process made."""
        return f"vaportrail.ledger.made.{self.many}"

    @property
    def status_field(self) -> str:
        """The field of a run's status that says how many of its records are lost."""
        return self.noun.replace(" ", "_")


SIGNALS: Final[tuple[Signal, ...]] = (
    Signal("T", 1, "traces", "resourceSpans", "scopeSpans", "spans", "spans", "spans"),
    Signal("L", 0, "logs", "resourceLogs", "scopeLogs", "logRecords", "logs", "log records"),
    Signal(
        "M", 2, "metrics", "resourceMetrics", "scopeMetrics", "metrics", "metrics", "metrics",
        attributes="metadata", counted=False,
    ),
)  # fmt: skip
BY_KIND: Final[dict[Kind, Signal]] = {signal.kind: signal for signal in SIGNALS}
IN_LEDGERS: Final[tuple[Signal, ...]] = tuple(sorted(SIGNALS, key=lambda signal: signal.slot))
"""In the order of a ledger's counters."""
COUNTED: Final[tuple[Signal, ...]] = tuple(signal for signal in SIGNALS if signal.counted)
