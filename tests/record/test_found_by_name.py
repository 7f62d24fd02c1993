"""`vaportrail.open` takes what the command line takes for a run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vaportrail
from vaportrail.errors import RecordNotFound

if TYPE_CHECKING:
    from tests.conftest import Sealed


@pytest.mark.parametrize("text", ["latest", "folder", "id", "uri", "relative path"])
def test_a_run_is_opened_by_each_of_its_names(
    small: Sealed, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small.root)
    monkeypatch.setenv("VAPORTRAIL_RECORD", str(small.root))
    uid = small.run.facts.run.uid
    named = {
        "folder": small.folder.name, "id": uid[:8], "uri": small.uri,
        "relative path": os.path.relpath(small.folder, small.root),
    }  # fmt: skip

    assert vaportrail.open(named.get(text, text)).facts.run.uid == uid


def test_a_folder_is_opened_where_one_stands_in_it(small: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.folder.parent)

    assert vaportrail.open(small.folder.name).facts.run.uid == small.run.facts.run.uid


def test_a_name_that_no_run_has_is_told_with_the_root(small: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAPORTRAIL_RECORD", str(small.root))

    with pytest.raises(RecordNotFound, match="no run 'nobody' below "):
        vaportrail.open("nobody")


def test_a_record_that_cannot_be_read_is_a_warning_at_the_call(
    small: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAPORTRAIL_RECORD", str(tmp_path))
    shutil.copytree(small.folder, tmp_path / "runs" / "small" / small.folder.name)
    broken = tmp_path / "runs" / "small" / "20300101T000000Z-00000000"
    broken.mkdir()
    (broken / "manifest.json").write_text("no manifest")

    with pytest.warns(UserWarning, match="left out: ") as told:
        found = vaportrail.open("latest")

    assert found.facts.run.uid == small.run.facts.run.uid
    assert [warning.filename for warning in told] == [__file__]


@pytest.mark.parametrize("text", ["folder", "id", "whole id"])
def test_a_run_that_its_folder_names_is_found_without_a_look_into_others(
    small: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("VAPORTRAIL_RECORD", str(tmp_path))
    shutil.copytree(small.folder, tmp_path / "runs" / "small" / small.folder.name)
    broken = tmp_path / "runs" / "small" / "20300101T000000Z-00000000"
    broken.mkdir()
    (broken / "manifest.json").write_text("no manifest")  # which would be a warning, and so an error
    uid = small.run.facts.run.uid
    named = {"folder": small.folder.name, "id": uid[:8], "whole id": uid}

    assert vaportrail.open(named[text]).facts.run.uid == uid
