"""What became of runs, as counters and histograms: by what they ended as, never by which they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram

from vaportrail.contract.outcome import Outcome
from vaportrail.crd.status import Loss, Phase, PipelineRunStatus

__all__ = ["UNKNOWN", "RunMetrics"]

UNKNOWN: Final = "UNKNOWN"
"""The outcome of a run that ended before anything of it ran."""
_SECONDS: Final = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600)
_ENDS: Final = tuple(phase for phase in Phase if phase.terminal)
_LIVE: Final = tuple(phase for phase in Phase if not phase.terminal)
_LOSSES: Final = get_args(Loss.model_fields["state"].annotation)
_UNSEALED: Final = "Unsealed"

Key = tuple[str, str]


class RunMetrics:
    """Counts what is seen of runs as the operator goes through them.

    Every series is there from the beginning, at 0: the first failure of all must be an increase. A run that
    had ended when this operator saw it first counts for nothing: another one has counted it.

    Args:
        registry: where the metrics are.
        clock: seconds that only go on.
    """

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._live: dict[Key, tuple[str, float]] = {}
        self._finished = Counter(
            "vaportrail_runs_finished",
            "Runs that ended, by phase and by what their code did.",
            ["phase", "outcome"],
            registry=registry,
        )
        self._records = Counter(
            "vaportrail_records",
            "Records of runs that ended, by what is missing in them.",
            ["loss"],
            registry=registry,
        )
        self._phases = Histogram(
            "vaportrail_run_phase_seconds",
            "How long runs were in a phase that they have left.",
            ["phase"],
            buckets=_SECONDS,
            registry=registry,
        )
        for end in _ENDS:
            for outcome in (*Outcome, UNKNOWN):
                self._finished.labels(end, outcome)
        for loss in (*_LOSSES, _UNSEALED):
            self._records.labels(loss)
        for live in _LIVE:
            self._phases.labels(live)

    @property
    def followed(self) -> int:
        """How many live runs are known: of each a phase and a time is kept."""
        return len(self._live)

    def saw(self, key: Key, phase: str, status: Callable[[], PipelineRunStatus]) -> None:
        """Take note of the phase that a run is in.

        Args:
            key: of the run.
            phase: its phase; empty before it has one.
            status: gives its status; asked for only as it ends.
        """
        now, phase = self._clock(), phase or Phase.PENDING
        before = self._live.get(key)
        over = phase not in _LIVE
        if before is not None and before[0] != phase:
            self._phases.labels(before[0]).observe(now - before[1])
            if over:
                self._count(phase, status())
        if over:
            self._live.pop(key, None)
        elif before is None or before[0] != phase:
            self._live[key] = (phase, now)

    def gone(self, key: Key) -> None:
        """Forget a run that there is not any more."""
        self._live.pop(key, None)

    def _count(self, phase: str, status: PipelineRunStatus) -> None:
        outcome = status.outcome if status.outcome in list(Outcome) else UNKNOWN
        self._finished.labels(phase, outcome).inc()
        record = status.record
        if record is None:
            return  # nothing of it could be recorded: it never began
        sealed = record.state == "Sealed"
        self._records.labels(
            record.loss.state if sealed and record.loss else "None" if sealed else _UNSEALED
        ).inc()
