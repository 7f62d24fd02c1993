"""Facts that no run made: a head with little in it, and the rows that a test is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vaportrail.contract.outcome import Outcome
from vaportrail.record.manifest import Counts, Manifest, RunInfo, SignalCount, VerdictInfo
from vaportrail.record.rows import ArtifactInfo, AttemptInfo, TaskInfo
from vaportrail.record.run_facts import Facts

NONE = SignalCount(made=0, recorded=0, lost=0)
CREATED = "2026-11-23T01:37:43.5Z"


def make_head(**changed: Any) -> Manifest:
    """Return a manifest of a run that succeeded and did nothing."""
    run = RunInfo(
        uid="u", pipeline="p", name="n", created=CREATED, entrypoint="", parameters={},
        tags={"team": "vision"}, trace_id="", version="",
    )  # fmt: skip
    verdict = VerdictInfo(
        outcome=Outcome.SUCCEEDED, message="", started="", ended="", duration_seconds=4.5, tasks={},
        failure=None,
    )  # fmt: skip
    counts = Counts(logs=NONE, spans=NONE, loss="None", synthesised_spans=0, recovered_lines=0)
    plain: dict[str, Any] = {
        "run": run, "verdict": verdict, "counts": counts, "totals": {}, "metrics": [], "timeline": [],
        "receipt": [], "environment": {}, "sealed": "", "files": [],
    }  # fmt: skip
    return Manifest(**{**plain, **changed})


def make_facts(
    tasks: Sequence[TaskInfo] = (),
    attempts: Sequence[AttemptInfo] = (),
    artifacts: Sequence[ArtifactInfo] = (),
    **changed: Any,
) -> Facts:
    """Return facts with these rows."""
    return Facts.of(make_head(**changed), {"task": tasks, "attempt": attempts, "artifact": artifacts})
