"""Following a run through its parts and, once these are cleared up, through its record."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.record.clusters import Cluster, ship
from tests.record.conftest import Unsealed

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.record.reading.follow import Follower
from vaportrail.record.reading.read import open_run
from vaportrail.record.reading.run_events import RunEvent
from vaportrail.telemetry.recorder import Recorder

UID = "4f1c9f5e-0000-4000-8000-000000000000"


@pytest.fixture
def spool(tmp_path: Path) -> Unsealed:
    """The spool of a runner that said a word, and died before its output was on record."""
    settings = RunSettings(
        RunIdentity(UID, "flow", "first", 1_900_000_000_000_000_000),
        spool=str(tmp_path / "pods" / UID),
        root=str(tmp_path / "root"),
        path="runs/flow/20300317T174640Z-4f1c9f5e",
    )
    recorder = Recorder(settings, "runner", writer_id="runner-1")
    recorder.log("a word")
    recorder.writer.close()
    output = "same line\nsame line\nlast words"
    Path(settings.spool, "runner-1.err").write_text(output)
    Path(settings.spool, "run.json").write_text(settings.to_json())
    return Unsealed(Path(settings.spool), Path(settings.record_uri))


def lines(events: list[RunEvent]) -> list[str]:
    return [event.text for event in events if event.kind == "log"]


def test_output_that_a_shipper_recovered_is_told_at_once_and_not_again_from_the_record(
    spool: Unsealed,
) -> None:
    settings = RunSettings.from_json((spool.spool / "run.json").read_text())
    cluster = Cluster(settings.root, settings)
    follower = Follower(cluster.store, cluster.settings)

    ship(spool, cluster)
    live = lines(follower.poll())
    rest = lines(follower.rest(open_run(cluster.seal().uri)))

    assert (live, rest) == (["a word", "same line", "same line", "last words"], [])
