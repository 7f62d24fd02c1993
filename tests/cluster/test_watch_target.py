"""Which run `vaportrail watch` means, and how long it waits for that."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cluster.stored_runs import Clock, Failing, Stored, outage, stored, watch

from vaportrail.cli import watch_target
from vaportrail.storage.store import ObjectStore

if TYPE_CHECKING:
    from tests.conftest import Sealed

OLD, NEW = "aaaaaaaa-0000-4000-8000-000000000000", "bbbbbbbb-0000-4000-8000-000000000000"


@pytest.fixture
def nightly(small: Sealed, tmp_path: Path) -> Callable[[str], Stored]:
    """Makes runs called `nightly`, each with the UUID that is given."""
    identity = small.run.facts.run

    def make(uid: str) -> Stored:
        folder = tmp_path / uid / small.folder.name.replace(identity.uid[:8], uid[:8])
        shutil.copytree(small.folder, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["run"] |= {"name": "nightly", "uid": uid}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        settings = stored("", small).settings
        settings = replace(
            settings,
            identity=replace(settings.identity, name="nightly", uid=uid),
            path=f"runs/small/{folder.name}",
        )
        return Stored(str(tmp_path / "root"), replace(small, uri=str(folder)), settings)

    return make


@pytest.mark.parametrize("how", ["name", "URI"])
def test_a_run_that_is_sealed_without_ever_having_begun_ends_the_waiting(
    run: Stored, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    clock = Clock({3: run.stand})
    monkeypatch.setattr(watch_target, "time", clock)
    run.store.create("spool/.keep", b"")
    words = [run.settings.identity.name, "--record", run.root]
    if how == "URI":
        words = [f"{run.root}/{run.settings.path}"]

    said = watch(capsys, *words)

    assert (said.code, len(said.lines("to begin below"))) == (0, 1)
    assert said.out[0].startswith("SUCCEEDED  small/")
    assert clock.seconds == {"name": 10, "URI": 3}[how]


@pytest.mark.parametrize("parts", ["cleared", "left"])
@pytest.mark.parametrize("word", ["nightly", "small/nightly", "aaa"])
def test_a_record_that_stands_already_is_not_the_run_that_is_waited_for_by_its_name(
    nightly: Callable[[str], Stored], capsys: pytest.CaptureFixture[str], parts: str, word: str
) -> None:
    old = nightly(OLD)
    old.stand()
    if parts == "left":
        old.begin()

    said = watch(capsys, word, "--record", old.root, "--timeout", 0)

    assert (said.code, said.out) == (1, [])
    assert f"no run {word!r} has begun below" in said.err[-1]


def test_whoever_waits_for_a_name_is_told_once_of_the_record_that_stands_and_how_to_see_it(
    nightly: Callable[[str], Stored], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_target, "time", Clock({}))
    old = nightly(OLD)
    old.stand()

    said = watch(capsys, "nightly", "--record", old.root, "--timeout", 25)

    (told,) = said.lines("a new run 'nightly' to begin below")
    assert f"vaportrail show {old.root}/{old.settings.path}" in told


@pytest.mark.parametrize("how", ["begun and sealed", "only sealed"])
def test_a_new_run_of_a_name_ends_the_waiting_also_where_it_is_sealed_between_two_looks(
    nightly: Callable[[str], Stored],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    old, new = nightly(OLD), nightly(NEW)

    def appear() -> None:
        if how == "begun and sealed":
            new.begin()
        new.stand()

    monkeypatch.setattr(watch_target, "time", Clock({3: appear}))
    old.stand()

    said = watch(capsys, "nightly", "--record", old.root)

    assert (said.code, said.out[1]) == (0, f"record      {new.root}/{new.settings.path}")


@pytest.mark.parametrize("word", ["aaaaaaaa", OLD, "FOLDER", "small/FOLDER"])
def test_a_record_that_stands_already_answers_to_its_id_and_its_folders_name(
    nightly: Callable[[str], Stored], capsys: pytest.CaptureFixture[str], word: str
) -> None:
    old = nightly(OLD)
    old.stand()
    word = word.replace("FOLDER", old.settings.path.rpartition("/")[2])

    said = watch(capsys, word, "--record", old.root, "--timeout", 0)

    assert (said.code, said.err) == (0, [])


def test_two_new_runs_of_a_name_that_are_sealed_between_two_looks_are_refused(
    nightly: Callable[[str], Stored], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = nightly(OLD), nightly(NEW)
    monkeypatch.setattr(watch_target, "time", Clock({3: one.stand, 4: other.stand}))

    said = watch(capsys, "nightly", "--record", one.root)

    assert said.code == 1
    assert "'nightly' means 2 runs that are sealed" in said.err[-1]


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_record_that_was_copied_elsewhere_is_told_at_once(
    small: Sealed, tmp_path: Path, capsys: pytest.CaptureFixture[str], scheme: str
) -> None:
    shutil.copytree(small.folder, tmp_path / "copied")

    said = watch(capsys, f"{scheme}{tmp_path / 'copied'}")

    assert (said.code, said.out[1]) == (0, f"record      {tmp_path / 'copied'}")


def test_a_run_that_does_not_begin_in_time_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = watch(capsys, "mine", "--record", tmp_path / "none", "--timeout", 0)

    assert said.code == 1
    assert "no run 'mine' has begun below" in said.err[-1]


def test_a_name_that_means_two_live_runs_is_refused(run: Stored, capsys: pytest.CaptureFixture[str]) -> None:
    run.begin()
    other = json.loads(run.settings.to_json())
    other["identity"]["uid"] = "0" * 8
    other["path"] = other["path"].rpartition("-")[0] + "-00000000"
    run.store.create("spool/00000000/run.json", json.dumps(other).encode())

    said = watch(capsys, run.settings.identity.name, "--record", run.root)

    assert said.code == 1
    assert f"{run.settings.identity.name!r} means 2 runs that are not sealed" in said.err[-1]


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("", "names no run"),
        ("small/", "names no run"),
        ("latest", "has to be named"),
        ("s3://x", "is not a record's URI"),
        ("file:///", "is not a record's URI"),
    ],
)
def test_a_word_that_is_for_no_run_is_refused_with_what_is_taken(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, word: str, why: str
) -> None:
    said = watch(capsys, word, "--record", tmp_path, "--timeout", 0)

    assert said.code == 2
    assert f"RUN {word!r}" in said.err[-1]
    assert why in said.err[-1]
    assert "s3://bucket/prefix/runs/PIPELINE/FOLDER" in said.err[-1]


def test_a_record_in_a_bucket_called_runs_is_looked_for_there() -> None:
    assert watch_target.wanted("s3://runs/small/one", "elsewhere") == watch_target.Wanted(
        "one", "s3://runs/small", "one"
    )


def test_a_file_is_no_record_root(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "r1.yaml").touch()

    said = watch(capsys, "mine", "--record", tmp_path / "r1.yaml", "--timeout", 0)

    assert (said.code, "is a file: give a record root" in said.err[-1]) == (2, True)


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e300", "-1"])
def test_a_timeout_that_cannot_be_waited_for_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, seconds: str
) -> None:
    said = watch(capsys, "mine", "--record", tmp_path, "--timeout", seconds)

    assert said.code == 2
    assert "--timeout" in said.err[-1]


def test_a_record_that_an_outage_hides_at_the_first_look_is_an_earlier_one(
    nightly: Callable[[str], Stored], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = nightly(OLD)
    old.stand()
    monkeypatch.setattr(watch_target, "time", Clock({}))
    Failing(ObjectStore.get, [outage()]).put(monkeypatch, ObjectStore, "get")

    said = watch(capsys, "nightly", "--record", old.root, "--timeout", 25)

    assert (said.code, said.out) == (1, [])
    assert len(said.lines("an earlier one is sealed")) == 1
