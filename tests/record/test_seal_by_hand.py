"""`vaportrail seal` for runs of clusters: listed, refused while they may live, sealed by hand."""

from __future__ import annotations

import gzip
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import RunActive
from vaportrail.record.seal.unsealed_runs import check_quiet
from vaportrail.storage.layout import run_path
from vaportrail.storage.store import open_store

if TYPE_CHECKING:
    from tests.conftest import Cli

IDENTITY = RunIdentity("3f2b0c1e-0000-4000-8000-000000000001", "mnist", "mnist-1", 1_800_000_000_000_000_000)
UID = IDENTITY.uid
PART = "logs_018bcfe5-6800-7000-8000-000000000001.json.gz"
STORED_AT = 1_700_000_000_000_000_000
"""The time in the part's name."""


def leave(root: Path, uid: str = UID, *, age: float = 3600) -> Path:
    """Leave a run in a root that never got further than its start; return its part."""
    folder = root / "spool" / uid
    folder.mkdir(parents=True)
    identity = replace(IDENTITY, uid=uid)
    settings = RunSettings(identity, f"/vaportrail/spool/{uid}", str(root), run_path(identity))
    (folder / "run.json").write_text(settings.to_json())
    part = folder / PART
    part.write_bytes(gzip.compress(b'{"resourceLogs":[]}'))
    then = time.time() - age
    os.utime(part, (then, then))
    return part


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A record root in which a run waits."""
    leave(tmp_path / "root")
    return tmp_path / "root"


def test_a_run_that_waits_is_listed(cli: Cli, root: Path) -> None:
    [line] = cli("seal", "--record", root).out.splitlines()

    assert line == f"{UID}  mnist/mnist-1  its parts are in {root}"


def test_a_run_is_sealed(cli: Cli, root: Path) -> None:
    done = cli("seal", UID[:8], "--record", root, "--json")

    assert done.code == 0, done.err
    assert cli("verify", done.json["uri"]).code == 0
    assert not (root / "spool").exists()


def test_a_run_whose_parts_are_kept_gives_the_same_hash_again(cli: Cli, root: Path) -> None:
    first = cli("seal", UID, "--record", root, "--json", "--keep-spool")
    listed = cli("seal", "--record", root).out
    second = cli("seal", UID, "--record", root, "--json")

    assert (first.code, first.json) == (0, second.json)
    assert listed == f"{UID}  mnist/mnist-1  sealed, its parts are in {root}\n"
    assert not (root / "spool").exists()


def test_a_run_whose_parts_still_arrive_is_refused(cli: Cli, tmp_path: Path) -> None:
    part = leave(tmp_path / "root", age=30)
    done = cli("seal", UID, "--record", tmp_path / "root")

    assert done.code == 1
    assert "may still be alive: its newest part is 3" in done.err
    assert "--force" in done.err
    assert {path.name for path in part.parent.iterdir()} == {"run.json", PART}


def test_a_run_whose_parts_still_arrive_is_sealed_where_that_is_forced(cli: Cli, tmp_path: Path) -> None:
    leave(tmp_path / "root", age=30)

    assert cli("seal", UID, "--record", tmp_path / "root", "--force").code == 0


def test_all_seals_every_run_but_those_that_may_live(cli: Cli, root: Path) -> None:
    other, young = f"4{UID[1:]}", f"5{UID[1:]}"
    leave(root, other)
    leave(root, young, age=30)
    done = cli("seal", "--all", "--record", root, "--json")

    assert (done.code, len(done.out.splitlines())) == (0, 2)
    assert "left out: run mnist-1 may still be alive" in done.err
    assert [folder.name for folder in (root / "spool").iterdir()] == [young]


@pytest.fixture
def unheard(root: Path) -> Path:
    """A root in which two runs wait: of the first nothing has arrived yet."""
    leave(root, f"4{UID[1:]}")
    (root / "spool" / UID / PART).unlink()
    return root


def test_a_run_of_which_nothing_has_arrived_is_refused(cli: Cli, unheard: Path) -> None:
    done = cli("seal", UID, "--record", unheard)

    assert done.code == 1
    assert "may still be alive: no part says when something of it arrived" in done.err
    assert (unheard / "spool" / UID / "run.json").exists()


def test_all_leaves_out_a_run_of_which_nothing_has_arrived(cli: Cli, unheard: Path) -> None:
    done = cli("seal", "--all", "--record", unheard, "--json")

    assert (done.code, len(done.out.splitlines())) == (0, 1)
    assert [folder.name for folder in (unheard / "spool").iterdir()] == [UID]


def test_a_run_of_which_nothing_has_arrived_is_sealed_where_that_is_forced(cli: Cli, unheard: Path) -> None:
    assert cli("seal", UID, "--record", unheard, "--force").code == 0


def test_the_start_of_several_ids_is_told_with_each(cli: Cli, root: Path) -> None:
    other = f"{UID[:7]}f{UID[8:]}"
    leave(root, other)
    done = cli("seal", UID[:7], "--record", root)

    assert done.code == 1
    assert f"is the start of 2 runs: {UID}, {other}; give more of it" in done.err


def test_files_that_arrive_late_are_told(cli: Cli, root: Path) -> None:
    cli("seal", UID, "--record", root, "--keep-spool")
    (root / "spool" / UID / "logs_late.json.gz").write_bytes(b"late")
    done = cli("seal", UID, "--record", root)

    assert done.code == 0
    assert "1 file arrived after the seal was planned" in done.err


@pytest.mark.parametrize(("seconds", "alive"), [(0, True), (599, True), (600, False)])
def test_in_a_bucket_a_parts_name_says_when_it_was_stored(
    s3: dict[str, str], monkeypatch: pytest.MonkeyPatch, seconds: int, alive: bool
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    root = f"s3://records/by-hand/{seconds}"
    store = open_store(root)
    store.create(f"spool/{UID}/{PART}", b"")
    store.create(f"spool/{UID}/logs_some.json.gz", b"")
    settings = RunSettings(IDENTITY, "", root, run_path(IDENTITY))
    now = STORED_AT + seconds * 10**9

    if alive:
        with pytest.raises(RunActive, match=f"its newest part is {seconds} s old"):
            check_quiet(settings, now)
    else:
        check_quiet(settings, now)
