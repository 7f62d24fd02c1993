"""What somebody planted in a spool: it hangs no seal, is not believed, and is sealed around."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vaportrail.cli.main import main
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import RecordError
from vaportrail.execution.prepare import keep_to_oneself
from vaportrail.record.manifest import Manifest
from vaportrail.record.seal.local_seal import is_alive, seal_spool, spools
from vaportrail.record.seal.spool_plan import plan_spool
from vaportrail.storage import layout
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.recorder import Recorder, run_values

UID = "0f0e0d0c-0b0a-4009-8807-060504030201"
NOW = 1_900_000_000_000_000_000


def left(root: Path, uid: str = UID) -> Path:
    """Leave the spool of a run whose runner is gone."""
    identity = RunIdentity(uid, "p", "n", 1_700_000_000_000_000_000)
    settings = RunSettings(identity, str(root / "spool" / uid), str(root), layout.run_path(identity))
    recorder = Recorder(settings, "runner")
    spool = Path(settings.spool)
    (spool / layout.RUN_FILE).write_text(settings.to_json())
    (spool / layout.LOCK).touch()
    values = {**run_values(identity, 1), c.RUN_ENVIRONMENT: "{}"}
    recorder.span_started("RUN p", recorder.run_span_id, "", kind=2, event=c.EVENT_RUN_STARTED, values=values)
    recorder.writer.close()
    return spool


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return left(tmp_path / "root")


def sealed(spool: Path) -> Manifest:
    return seal_spool(spool, clock=lambda: NOW).manifest


def folder(path: Path) -> None:
    path.mkdir()


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def pipe(path: Path) -> None:
    os.mkfifo(path)


ODD = [folder, link, pipe]


# The lock


@pytest.mark.parametrize("plant", ODD)
def test_a_lock_that_is_no_file_is_told_and_stops_no_other_seal(
    spool: Path, plant: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    other = left(spool.parents[1], UID.replace("0f", "1f"))
    (spool / layout.LOCK).unlink()
    plant(spool / layout.LOCK)

    with pytest.raises(RecordError, match=r"runner\.lock"):
        sealed(spool)
    with pytest.raises(SystemExit) as ended:
        main(["seal", "--all", "--record", str(spool.parents[1])])

    assert ended.value.code == 1
    assert "runner.lock" in capsys.readouterr().err
    assert (spool.exists(), other.exists()) == (True, False)
    assert not is_alive(spool)


def test_a_seal_that_fails_in_an_unforeseen_way_stops_no_other(
    spool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = left(spool.parents[1], UID.replace("0f", "1f"))

    def fails(folder: Path, **how: Any) -> Any:
        if folder == spool:
            raise OverflowError("too large")
        return seal_spool(folder, **how)

    monkeypatch.setattr("vaportrail.cli.seal_command.seal_spool", fails)
    with pytest.raises(SystemExit) as ended:
        main(["seal", "--all", "--record", str(spool.parents[1])])

    assert ended.value.code == 1
    assert f"left out: {spool}: OverflowError: too large" in capsys.readouterr().err
    assert not other.exists()


# The plan


def planned(spool: Path) -> dict[str, Any]:
    settings = RunSettings.from_json((spool / layout.RUN_FILE).read_text())
    plan = plan_spool(settings, open_store(str(spool)), "", [], NOW)
    found: dict[str, Any] = json.loads(plan.model_dump_json())
    return found


def test_a_plan_that_stands_is_carried_out(spool: Path) -> None:
    (spool / layout.PLAN).write_text(json.dumps(planned(spool)))

    assert seal_spool(spool, clock=lambda: NOW + 10**9).manifest.counts.loss == "None"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sealed_at_unix_nano", 10**25),
        ("sealed_at_unix_nano", -1),
        ("settings.identity.uid", UID.replace("0f", "1f")),
        ("settings.identity.pipeline", "\x1b[31m/../x"),
        ("settings.identity.parameters", {"invented": 1}),
        ("settings.path", "runs/q/20231114T221320Z-0f0e0d0c"),
        ("settings.driver", 7),
        ("writers.0.ledger.logs", 10**30),
        ("writers.0.ledger.logs", -5),
        ("writers.0.started_unix_nano", 10**30),
        ("writers.0.writer", "\x1b[2J"),
        ("writers.0.writer", "another"),
        ("writers.0.records.size", -1),
        ("writers.0.records.path", "../run.json"),
        ("lost", [{"writer": "x", "state": "exact", "logs": -5}]),
        ("lost", [{"writer": "\x1b[2J", "state": "exact"}]),
        ("unreadable_parts", -1),
        ("version", "\x1b[2J"),
    ],
)
def test_a_plan_that_none_of_ours_would_fix_is_refused(spool: Path, field: str, value: object) -> None:
    plan = planned(spool)
    at: Any = plan
    *way, last = [int(name) if name.isdigit() else name for name in field.split(".")]
    for name in way:
        at = at[name]
    at[last] = value
    (spool / layout.PLAN).write_text(json.dumps(plan))

    with pytest.raises(RecordError, match=r"seal-plan\.json"):
        sealed(spool)
    assert spool.exists()


def test_a_plan_larger_than_any_of_ours_is_not_read(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "PLAN_LIMIT", 1000, raising=False)
    (spool / layout.PLAN).write_text(" " * 2000 + json.dumps(planned(spool)))

    with pytest.raises(RecordError, match=r"seal-plan\.json.*1000 bytes"):
        sealed(spool)


# The record's place


@pytest.mark.parametrize("up", [0, 1, 2], ids=["record", "pipeline", "runs"])
def test_a_link_where_the_record_goes_is_refused_and_nothing_beyond_it_is_touched(
    spool: Path, tmp_path: Path, up: int
) -> None:
    settings = RunSettings.from_json((spool / layout.RUN_FILE).read_text())
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    unfinished = victim / "manifest.json#1"
    unfinished.touch()
    place = [Path(settings.record_uri), *Path(settings.record_uri).parents][up]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(victim)

    with pytest.raises(RecordError, match="a link or no folder"):
        sealed(spool)
    with pytest.raises(RecordError, match="no folder"):
        keep_to_oneself(settings)

    assert list(victim.iterdir()) == [unfinished]
    assert victim.stat().st_mode & 0o777 == 0o700


def test_a_root_may_be_a_link(spool: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(spool.parents[1])
    settings = json.loads((spool / layout.RUN_FILE).read_text())
    (spool / layout.RUN_FILE).write_text(json.dumps({**settings, "root": str(tmp_path / "link")}))

    assert seal_spool(tmp_path / "link" / "spool" / UID).manifest.counts.loss == "None"


def test_the_mark_of_a_kept_spool_is_not_made_through_a_link(spool: Path, tmp_path: Path) -> None:
    (spool / "sealed").symlink_to(tmp_path / "elsewhere")

    seal_spool(spool, keep_spool=True)

    assert not (tmp_path / "elsewhere").exists()
    assert (spool / "sealed").is_file()
    assert spools(str(spool.parents[1])) == []


# Files of the spool


@pytest.mark.timeout(60)
@pytest.mark.parametrize("plant", [link, pipe])
@pytest.mark.parametrize("ending", ["spool", "ledger", "recovered", "out", "digests"])
def test_what_is_no_file_among_a_spools_is_counted_and_the_rest_is_sealed(
    spool: Path, ending: str, plant: Callable[[Path], None]
) -> None:
    [records] = spool.glob("*.spool")
    of_its_writer = records.with_suffix(f".{ending}")
    own = ending in ("spool", "recovered")
    odd = spool / f"x.{ending}" if own else of_its_writer
    odd.unlink(missing_ok=True)
    plant(odd)
    if ending == "digests":
        records.with_suffix(".out").write_text("password hunter2\n")

    manifest = sealed(spool)

    assert manifest.counts.loss == "Unknown"
    assert len(manifest.counts.loss_reasons) == 1
    assert manifest.counts.logs.recorded > 0 or manifest.counts.spans.recorded > 0
    assert not spool.exists()


@pytest.mark.parametrize("name", ["\udcff.spool", "a\n\x1b[31mb.spool", "a b.ledger", "\udcff.recovered"])
def test_a_file_of_a_spool_that_no_process_of_ours_could_name_is_counted(spool: Path, name: str) -> None:
    (spool / name).write_bytes(next(spool.glob("*.spool")).read_bytes())

    counts = sealed(spool).counts

    assert (counts.loss, counts.unreadable_parts) == ("Unknown", 1)
    assert counts.loss_reasons == ["1 file or shipped part could not be read whole"]


def test_what_has_other_endings_in_a_spool_is_none_of_the_record(spool: Path) -> None:
    (spool / "\udcff.txt").touch()
    os.mkfifo(spool / "children.json")

    assert sealed(spool).counts.loss == "None"


@pytest.mark.parametrize("digests", [b"", b"nonsense", b'{"format":9}'])
def test_output_whose_secrets_are_not_known_any_more_is_left_out_and_counted(
    spool: Path, digests: bytes
) -> None:
    [records] = spool.glob("*.spool")
    records.with_suffix(".out").write_text("password hunter2\n")
    records.with_suffix(".digests").write_bytes(digests)

    manifest = sealed(spool)

    assert (manifest.counts.loss, manifest.counts.recovered_lines) == ("Unknown", 0)
