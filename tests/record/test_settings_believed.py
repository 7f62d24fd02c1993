"""`run.json` is believed in nothing that says where to write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import RecordError, UsageError
from vaportrail.record.reading.read import list_runs, scan_runs
from vaportrail.record.seal.local_seal import seal_spool, spools
from vaportrail.record.settings import parse_settings, spool_settings
from vaportrail.record.sound import Unsound
from vaportrail.storage.layout import run_path

UID = "4f1c9f5e-0000-4000-8000-000000000000"
IDENTITY = RunIdentity(UID, "flow", "first", 1_900_000_000_000_000_000)


def said(**but: Any) -> dict[str, Any]:
    settings = RunSettings(IDENTITY, "/spool", "/root", run_path(IDENTITY))
    return {**json.loads(settings.to_json()), **but}


def test_what_a_run_leaves_is_read_as_it_was() -> None:
    assert parse_settings(json.dumps(said()).encode(), UID).identity == IDENTITY


def test_when_a_run_was_due_is_read_as_it_was_and_told_only_where_it_is_known() -> None:
    assert "scheduled_time" not in said()["identity"]
    due = replace(IDENTITY, scheduled_time="2027-03-28T04:00:00Z")
    settings = RunSettings(due, "/spool", "/root", run_path(due))
    assert parse_settings(settings.to_json().encode(), UID).identity == due
    assert RunSettings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    "but",
    [
        {"path": "../victim"},
        {"path": "runs/flow/../../elsewhere"},
        {"path": "runs/other/20300317T174640Z-4f1c9f5e"},
        {"path": 3},
        {"root": None},
        {"identity": []},
        {"identity": {"uid": UID}},
        {"identity": {**said()["identity"], "uid": "another"}},
        {"identity": {**said()["identity"], "pipeline": "../x"}},
        {"identity": {**said()["identity"], "created_unix_nano": 2**70}},
        {"identity": {**said()["identity"], "created_unix_nano": True}},
        {"identity": {**said()["identity"], "tags": {"a": 1}}},
        {"identity": {**said()["identity"], "parameters": []}},
        {"identity": {**said()["identity"], "scheduled_time": 7}},
        {"identity": {**said()["identity"], "scheduled_time": "soon"}},
        {"more": 1},
    ],
    ids=str,
)
def test_what_cannot_be_believed_is_refused(but: dict[str, Any]) -> None:
    with pytest.raises(Unsound):
        parse_settings(json.dumps(said(**but)).encode(), UID)


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{}", b'{"a":' * 5000, b"\xff", b'"\\ud800"'])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(Unsound):
        parse_settings(raw, UID)


def leave(root: Path, uid: str, raw: str) -> Path:
    folder = root / "spool" / uid
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(raw)
    return folder


def test_a_spool_that_says_another_root_is_not_sealed_there(tmp_path: Path) -> None:
    folder = leave(tmp_path / "root", UID, json.dumps(said(root=str(tmp_path / "victim"))))

    with pytest.raises(UsageError, match="--into"):
        seal_spool(folder)

    assert not (tmp_path / "victim").exists()


def test_a_spool_that_is_damaged_is_named_and_hides_no_other(tmp_path: Path) -> None:
    leave(tmp_path, "damaged", "")
    leave(tmp_path, "deep", '{"a":' * 100_000)
    leave(tmp_path, "list", "[]")
    record = tmp_path / "runs" / "flow" / "20300101T000000Z-00000000"
    record.mkdir(parents=True)

    found = list(scan_runs(str(tmp_path)))

    assert all(isinstance(each, RecordError) for each in found)
    assert [name for name in ("damaged", "deep", "list", "never sealed") if name not in str(found)] == []


def test_python_is_warned_of_what_is_left_out(tmp_path: Path) -> None:
    leave(tmp_path, "damaged", "")

    with pytest.warns(UserWarning, match="damaged"):
        assert list(list_runs(str(tmp_path))) == []


def test_a_spool_that_is_a_link_is_none(tmp_path: Path) -> None:
    folder = leave(tmp_path / "a", UID, json.dumps(said()))
    (tmp_path / "b" / "spool").mkdir(parents=True)
    link = tmp_path / "b" / "spool" / UID
    link.symlink_to(folder)

    with pytest.raises(RecordError, match="link"):
        spool_settings(link)


def test_a_spool_that_vanishes_while_it_is_listed_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = leave(tmp_path, UID, "{}")
    monkeypatch.setattr(
        Path, "glob", lambda self, pattern: iter([folder / "run.json", tmp_path / "x/run.json"])
    )

    assert {path.name for path in spools(str(tmp_path))} == {UID, "x"}
