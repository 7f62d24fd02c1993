"""A run that has begun, without anything that runs."""

from __future__ import annotations

from pathlib import Path

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.storage import layout
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.recorder import Recorder, run_values

__all__ = ["begun_recorder"]


def begun_recorder(folder: Path) -> Recorder:
    """Return a runner's recorder that has said how its run began."""
    uid = "0f0e0d0c-0b0a-4009-8807-060504030201"
    identity = RunIdentity(uid, "p", "n", 1_700_000_000_000_000_000)
    run = RunSettings(identity, str(folder / "spool" / uid), str(folder), layout.run_path(identity))
    made = Recorder(run, "runner")
    (Path(run.spool) / layout.RUN_FILE).write_text(run.to_json())
    values = {**run_values(identity, 1), c.RUN_ENVIRONMENT: "{}"}
    made.span_started("RUN p", made.run_span_id, "", kind=2, event=c.EVENT_RUN_STARTED, values=values)
    return made
