"""Processes that must have run and of which a cluster's record knows nothing: their loss is unknown.

A count says how much is missing of those who were heard of. A node that goes away takes the spool of
a worker, and its count, along; then the records of others tell that there was one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Final

from vaportrail.contract.otlp_signals import Kind
from vaportrail.contract.outcome import Outcome
from vaportrail.record.known_outcomes import read_outcome
from vaportrail.record.seal.spool_plan import LedgerEntry, SealPlan
from vaportrail.telemetry import conventions as c

__all__ = ["MissingWriters"]

_ENDED_ITSELF: Final = (Outcome.SUCCEEDED, Outcome.FAILED)
"""Ends of a task whose last attempt reported to the runner, unless the runner resolved it."""
_RUNNER: Final = "runner"
_MOST: Final = 100_000
"""Attempts that are named."""
_Attempt = tuple[str, int]


@dataclass(slots=True)
class MissingWriters:
    """Watches the runner's and the workers' records go by, then names whom none of them is of."""

    _seen_attempts: set[_Attempt] = field(default_factory=set)
    _resolved: dict[_Attempt, Outcome] = field(default_factory=dict)
    _reported: dict[str, int] = field(default_factory=dict)
    """How many attempts of a task are known to have reported, by its id."""

    def see(self, kind: Kind, event: str, named: Mapping[str, Any]) -> None:
        """Take note of one span or log record.

        Args:
            kind: its signal.
            event: its event's name, if it is one.
            named: its attributes.
        """
        if kind == "T":
            if c.OUTCOME in named and c.TASK_RUN_ID in named:
                self._see_end(named[c.TASK_RUN_ID], named)
        elif event == c.EVENT_ATTEMPT_STARTED:
            self._seen_attempts.add((named[c.TASK_RUN_ID], named[c.ATTEMPT]))
        elif event == c.EVENT_ATTEMPT_RESOLVED:
            self._resolved[named[c.TASK_RUN_ID], named[c.ATTEMPT]] = read_outcome(named[c.OUTCOME])

    def _see_end(self, task: str, named: Mapping[str, Any]) -> None:
        if c.ATTEMPT in named:
            self._seen_attempts.add((task, named[c.ATTEMPT]))
            return
        # The last one may have been cancelled before it ran; all before it had ended.
        attempts = int(named.get(c.TASK_ATTEMPTS, 0))
        known = attempts if named[c.OUTCOME] in _ENDED_ITSELF else attempts - 1
        self._reported[task] = max(known, self._reported.get(task, 0))

    def entries(self, plan: SealPlan) -> Iterator[LedgerEntry]:
        """Yield a count that is unknown for each process that must have been, and was not heard of.

        On a laptop there are none: all spools lie in one folder, which no node takes along.
        """
        report = plan.report
        if report is None:
            return
        if report.runner_started and not _runner_has_records(plan):
            yield LedgerEntry(writer=_RUNNER, state="unknown")
        reported = ((task, number) for task, most in self._reported.items() for number in range(1, most + 1))
        resolved = (key for key, outcome in self._resolved.items() if outcome.traits.has_run)
        ran = chain((key for key in reported if key not in self._resolved), resolved)
        # A count that somebody made up shall fill no memory: that some are missing is known by fewer.
        missing = islice((key for key in ran if key not in self._seen_attempts), _MOST)
        for task, attempt in sorted(missing):
            yield LedgerEntry(writer=f"worker of {task}, attempt {attempt}", state="unknown")


def _runner_has_records(plan: SealPlan) -> bool:
    return any(part.role == _RUNNER for part in plan.writers) or any(
        entry.writer.startswith(f"{_RUNNER}-") for entry in plan.lost
    )
