"""What was made and what of it is in the record, by what each process counted itself. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from vaportrail.contract.otlp_signals import COUNTED, Kind
from vaportrail.record.loss import loss_reasons
from vaportrail.record.manifest import Counts, SignalCount
from vaportrail.record.times import rfc3339
from vaportrail.telemetry import conventions as c

__all__ = ["RecordCounts"]


class RecordCounts:
    """Counts records as they go by."""

    def __init__(self) -> None:
        self._recorded: Counter[tuple[str, Kind]] = Counter()
        self._ledgers: dict[str, tuple[tuple[int, str, int], Mapping[str, Any]]] = {}
        self._not_captured: Counter[str] = Counter()
        self.synthesised = 0
        self.recovered = 0

    def record(self, writer: str, kind: Kind) -> None:
        """Count a record of a process's own."""
        self._recorded[writer, kind] += 1

    def not_captured(self, reason: str, times: int) -> None:
        """Take note of what a process said it did not capture."""
        self._not_captured[reason] += times

    def ledger(self, when: tuple[int, str, int], said: Mapping[str, Any]) -> None:
        """Take note of what a process counted; of several words the latest."""
        writer = said[c.LEDGER_WRITER]
        if writer not in self._ledgers or self._ledgers[writer][0] <= when:
            self._ledgers[writer] = (when, said)

    def build(self, sealed: Mapping[str, Any]) -> Counts:
        """Return the counts; `sealed` is what the sealer said, empty where nobody has sealed."""
        made: Counter[Kind] = Counter()
        recorded: Counter[Kind] = Counter()
        writers = {writer for writer, _ in self._recorded} | self._ledgers.keys()
        unsure: dict[str, int] = {}
        for writer in writers:
            _, ledger = self._ledgers.get(writer, (None, {}))
            if ledger.get(c.LEDGER_STATE) != "exact":
                unsure[writer] = ledger.get(c.LEDGER_COUNTED_AT, 0)
            for signal in COUNTED:
                kind = signal.kind
                here = self._recorded[writer, kind]
                recorded[kind] += here
                made[kind] += max(here, ledger.get(signal.counter, 0))
        signals = {
            signal.many: SignalCount(
                made=made[kind], recorded=recorded[kind], lost=made[kind] - recorded[kind]
            )
            for signal in COUNTED
            for kind in (signal.kind,)
        }
        parts = sealed.get(c.SEAL_UNREADABLE_PARTS, 0)
        lines = sealed.get(c.SEAL_UNREADABLE_RECORDS, 0)
        unsure = unsure if sealed else {}
        reasons = loss_reasons(self._not_captured, unsure, parts, lines)
        lost = any(count.lost for count in signals.values())
        return Counts(
            **signals,
            loss="Unknown" if reasons else "Counted" if lost else "None",
            loss_reasons=reasons,
            synthesised_spans=self.synthesised,
            recovered_lines=self.recovered,
            unreadable_parts=parts,
            unreadable_records=lines,
            known_until=_known_until(unsure) if not (parts or lines) else "",
        )


def _known_until(unsure: Mapping[str, int]) -> str:
    until = min(unsure.values(), default=0)
    return rfc3339(until) if until else ""
