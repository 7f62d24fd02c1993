"""A folder with a name that no run has, among those of runs: every command still finds the runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.storage.layout import run_path
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.recorder import Recorder, run_values

if TYPE_CHECKING:
    from tests.cli.conftest import Command

UID = "0f0e0d0c-0b0a-4009-8807-060504030201"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root in which a run waits for its seal, among folders with odd names."""
    root = tmp_path / "root"
    identity = RunIdentity(UID, "p", "n", 1_700_000_000_000_000_000)
    settings = RunSettings(identity, str(root / "spool" / UID), str(root), run_path(identity))
    recorder = Recorder(settings, "runner")
    (Path(settings.spool) / "run.json").write_text(settings.to_json())
    values = {**run_values(identity, 1), c.RUN_ENVIRONMENT: "{}"}
    recorder.span_started("RUN p", recorder.run_span_id, "", kind=2, event=c.EVENT_RUN_STARTED, values=values)
    recorder.writer.close()
    for name in ("\udcff", "a\n\x1b[31mb"):
        for place in ("spool", "runs", "runs/p"):
            (root / place / name).mkdir(parents=True)
        (root / "spool" / name / "run.json").write_text(settings.to_json())
    return root


def test_runs_beside_folders_with_odd_names_are_listed_shown_and_sealed(command: Command, root: Path) -> None:
    listed = command("ls", "--record", root)
    shown = command("show", UID, "--record", root)
    sealed = command("seal", "--all", "--record", root)
    verified = command("verify", UID, "--record", root)

    assert (listed.code, UID[:8] in listed.out) == (0, True), listed.err
    assert shown.code == 0, shown.err
    assert "record      " in sealed.out, sealed.err
    assert sealed.err.count("left out: ") == 2
    assert verified.code == 0, verified.err
