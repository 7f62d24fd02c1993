"""What became of each tick, run by run of equal decisions, and its text in a run's annotation.

Ticks are decided in their order, each once: a ledger only grows at its end.
"""

from __future__ import annotations

import json
from typing import Final

from vaportrail.crd.schedule_status import SPAN_LIMIT, Decision, DecisionSpan, PipelineScheduleStatus
from vaportrail.scheduling.timetable import Timetable

__all__ = ["TickLedger", "read_ledger"]

_TEXT_LIMIT: Final = 4096
_APART: Final = 8
"""Of so many minutes that daylight saving leaves out each is told at its place, of more in one."""


class TickLedger:
    """A schedule's ledger while a step is planned.

    Attributes:
        last: the last minute that something was decided of, or None.
        spans: the last decisions.
        uncarried: those that no run carries yet.
        left_out: of how many ticks no run ever carries them: there was no room.
        counts: of how many ticks each decision is, in all.
    """

    def __init__(self, status: PipelineScheduleStatus) -> None:
        self.last = status.last_tick
        self.spans = list(status.decisions)
        self.uncarried = list(status.uncarried)
        self.left_out = status.uncarried_left_out
        self.counts = dict(status.counts)
        self.added: list[DecisionSpan] = []

    def decide(self, timetable: Timetable, after: int, until: int, decision: Decision) -> None:
        """Decide all ticks after a minute until another alike, but for what daylight saving leaves out."""
        if after >= until:
            return
        left_out = [*timetable.left_out(after, until)]
        if len(left_out) > _APART:
            self._add_ticks(timetable, after, until, decision)
            self.add(Decision.SKIPPED_DST, left_out[0], left_out[-1], len(left_out))
            return
        for minute in left_out:
            self._add_ticks(timetable, after, minute, decision)
            self.add(Decision.SKIPPED_DST, minute, minute, 1)
            after = minute
        self._add_ticks(timetable, after, until, decision)

    def _add_ticks(self, timetable: Timetable, after: int, until: int, decision: Decision) -> None:
        count = timetable.count(after, until)
        if not count:
            return
        first, last = timetable.next(after), timetable.previous(until + 1, after)
        if first is not None and last is not None:
            self.add(decision, first, last, count)

    def add(self, decision: Decision, first: int, last: int, count: int) -> None:
        """Add a decision of ticks that come after all others."""
        span = DecisionSpan(decision=decision, first=first, last=last, count=count)
        self.last = last if self.last is None else max(self.last, last)
        self.counts[decision] = self.counts.get(decision, 0) + count
        self.added.append(span)
        _append(self.spans, span)
        _append(self.uncarried, span)
        del self.spans[:-SPAN_LIMIT]
        # Room for the span of the run that will carry them.
        while len(self.uncarried) > SPAN_LIMIT - 1:
            self.left_out += self.uncarried.pop(0).count

    def carried(self) -> str:
        """Return what a run carries that is made now; nothing is uncarried then."""
        text = json.dumps(
            [[str(each.decision), each.first, each.last, each.count] for each in self.uncarried],
            separators=(",", ":"),
        )
        self.uncarried.clear()
        return text


def read_ledger(text: str, timetable: Timetable, after: int, tick: int) -> list[DecisionSpan]:
    """Return what a run's annotation says of the ticks after a minute until its own.

    It is believed where it is what an operator writes: a decision for each tick of the timetable, in
    their order, and the run's own last. Of anything else the result is empty. It may begin before the
    minute: of a clock that was set back, or where decisions of two timetables are told in one.
    """
    if len(text) > _TEXT_LIMIT:
        return []
    try:
        told = [
            DecisionSpan.model_validate({"decision": decision, "first": first, "last": last, "count": count})
            for decision, first, last, count in json.loads(text)
        ]
    except (ValueError, TypeError, RecursionError):
        return []
    spans = [_later(span, timetable, after) for span in told if span.last > after]
    # What daylight saving leaves out may be told in one, beside the ticks around it.
    reached = {False: after, True: after}
    for span in spans:
        left_out = span.decision is Decision.SKIPPED_DST
        before = reached[left_out]
        if not before < span.first <= span.last <= tick or not _has(timetable, span, before):
            return []
        reached[left_out] = span.last
    own = spans[-1] if spans else None
    if own is None or own.last != tick or own.decision not in (Decision.RAN, Decision.REPLACED):
        return []
    return spans


def _later(span: DecisionSpan, timetable: Timetable, after: int) -> DecisionSpan:
    """Return what of a span is after a minute, or the span where none of it is."""
    if span.first > after:
        return span
    if span.decision is Decision.SKIPPED_DST:
        left_out = [*timetable.left_out(after, span.last)]
        first, count = left_out[0] if left_out else None, len(left_out)
    else:
        first, count = timetable.next(after), timetable.count(after, span.last)
    if first is None or not 0 < count < span.count:
        return span
    return DecisionSpan(decision=span.decision, first=first, last=span.last, count=count)


def _has(timetable: Timetable, span: DecisionSpan, before: int) -> bool:
    if span.decision is Decision.SKIPPED_DST:
        left_out = [*timetable.left_out(span.first - 1, span.last)]
        return len(left_out) == span.count and left_out[0] == span.first
    first_to_last = timetable.count(span.first - 1, span.last)
    return (
        first_to_last == span.count == timetable.count(before, span.last)
        and span.first in timetable
        and span.last in timetable
    )


def _append(spans: list[DecisionSpan], span: DecisionSpan) -> None:
    if spans and spans[-1].decision is span.decision:
        before = spans.pop()
        count = before.count + span.count
        span = DecisionSpan(decision=span.decision, first=before.first, last=span.last, count=count)
    spans.append(span)
