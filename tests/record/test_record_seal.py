"""Sealing is repeatable: the same plan gives the same bytes, and never something else in their place."""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from tests.record.clusters import plain

from vaportrail.errors import RecordError, RecordNotFound, RunActive, SealConflict
from vaportrail.record.manifest import Manifest
from vaportrail.record.reading.read import open_run
from vaportrail.record.seal.execute_plan import SealResult, carry_out
from vaportrail.record.seal.local_seal import find_spool, seal_spool, spools
from vaportrail.record.seal.spool_plan import SealPlan, make_plan
from vaportrail.record.sealed_lines import stored_files
from vaportrail.record.settings import spool_settings
from vaportrail.record.verify import sealed_records, verify
from vaportrail.storage.layout import artifact_path
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c

if TYPE_CHECKING:
    from tests.conftest import Sealed
    from tests.record.conftest import Unseal, Unsealed

SEALED_AT = 1_900_000_000_000_000_000


def contents(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def reseal(made: Sealed, into: Path) -> SealResult:
    """Carry out the plan of a kept spool again, into another folder."""
    plan = SealPlan.model_validate_json((made.spool / "seal-plan.json").read_bytes())
    shutil.copytree(made.folder / "artifacts", into / "artifacts")
    return carry_out(plan, open_store(str(made.spool)), open_store(str(into)))


def is_whole(folder: Path) -> bool:
    return verify(open_store(str(folder)), str(folder)).ok


def listed(record: str, manifest: Manifest) -> tuple[set[str], list[str]]:
    """Return the paths of a record's stored files, and of those that came to harm."""
    found = list(stored_files(open_store(record), manifest))
    whole = {file.path for file in found if not isinstance(file, str)}
    return whole, [path for path in found if isinstance(path, str)]


def test_the_same_spool_sealed_into_another_root_gives_the_same_bytes(made: Sealed, tmp_path: Path) -> None:
    reseal(made, tmp_path / "again")

    assert contents(tmp_path / "again") == contents(made.folder)


def test_the_same_spool_sealed_into_another_root_has_the_same_hash(made: Sealed, tmp_path: Path) -> None:
    assert reseal(made, tmp_path / "again").sha256 == made.sha256


def test_the_same_spool_sealed_from_another_place_gives_the_same_bytes(
    small: Sealed, planned: Unsealed
) -> None:
    planned.seal()

    assert planned.contents() == contents(small.folder)


def test_sealing_again_into_the_same_place_changes_no_file(planned: Unsealed) -> None:
    planned.seal()
    before = {path: path.stat().st_mtime_ns for path in planned.record.rglob("*")}

    planned.seal()

    assert {path: path.stat().st_mtime_ns for path in planned.record.rglob("*")} == before


def test_sealing_again_gives_the_same_hash_also_at_another_time(unsealed: Unsealed) -> None:
    first = unsealed.seal(now=SEALED_AT)
    second = unsealed.seal(now=SEALED_AT + 10**9)

    assert first.sha256 == second.sha256


def test_a_spool_without_a_plan_sealed_at_the_same_time_gives_the_same_bytes(
    small: Sealed, unseal: Unseal
) -> None:
    first, second = unseal(small), unseal(small)
    first.seal(now=SEALED_AT)
    second.seal(now=SEALED_AT)

    assert first.contents() == second.contents()


def test_the_time_of_the_seal_is_in_the_record(small: Sealed, unsealed: Unsealed) -> None:
    assert unsealed.seal(now=SEALED_AT).manifest.sealed == "2030-03-17T17:46:40.000000000Z"


def test_the_spool_is_gone_after_a_seal_unless_it_is_kept(unsealed: Unsealed) -> None:
    seal_spool(unsealed.spool)

    assert not unsealed.spool.parent.exists()


def test_a_seal_that_was_cut_short_is_finished(small: Sealed, planned: Unsealed) -> None:
    planned.seal()
    whole = planned.contents()
    (planned.record / "manifest.json").unlink()
    (planned.record / "traces-0001.jsonl.gz").unlink()

    planned.seal()

    assert planned.contents() == whole


@pytest.mark.parametrize("sealers", [2, 6])
def test_sealers_at_the_same_time_make_one_whole_record(
    small: Sealed, unsealed: Unsealed, sealers: int
) -> None:
    settings = spool_settings(unsealed.spool)
    start = Barrier(sealers)

    def seal(number: int) -> str:
        spool, record = open_store(str(unsealed.spool)), open_store(str(unsealed.record))
        start.wait()
        plan = make_plan(settings, spool, "", record, SEALED_AT + number)
        return carry_out(plan, spool, record).sha256

    with ThreadPoolExecutor(sealers) as pool:
        hashes = list(pool.map(seal, range(sealers)))

    assert len(set(hashes)) == 1
    assert is_whole(unsealed.record)


@pytest.mark.parametrize(
    "name", ["logs-0001.jsonl.gz", "traces-0001.jsonl.gz", "manifest.json", "manifest.sha256"]
)
def test_nothing_different_is_overwritten(planned: Unsealed, name: str) -> None:
    (planned.record / name).write_bytes(b"something else")

    with pytest.raises(SealConflict, match=rf"^something else stands at {name}: "):
        planned.seal()

    assert (planned.record / name).read_bytes() == b"something else"


def test_a_conflict_leaves_the_spool(planned: Unsealed) -> None:
    (planned.record / "manifest.json").write_bytes(b"something else")

    with pytest.raises(SealConflict):
        seal_spool(planned.spool)

    assert (planned.spool / "seal-plan.json").exists()


@pytest.fixture(params=["changed", "cut short", "gone"])
def harmed(planned: Unsealed, request: pytest.FixtureRequest) -> str:
    """An artifact that is not what its name says any more; the path of it."""
    file = min((planned.record / "artifacts").iterdir())
    if request.param == "changed":
        file.write_bytes(b"x" * file.stat().st_size)
    elif request.param == "cut short":
        file.write_bytes(b"")
    else:
        file.unlink()
    return f"artifacts/{file.name}"


def test_an_artifact_that_came_to_harm_is_named_and_is_no_file_of_the_record(
    small: Sealed, planned: Unsealed, harmed: str
) -> None:
    manifest = planned.seal().manifest
    assert small.run.manifest is not None
    before, _ = listed(small.uri, small.run.manifest)
    after, damaged = listed(str(planned.record), manifest)

    assert damaged == [harmed]
    assert (manifest.stored.count, manifest.stored.damaged) == (len(after), 1)
    assert before - after == {harmed}


def test_an_artifact_that_came_to_harm_is_told_at_the_seal(planned: Unsealed, harmed: str) -> None:
    said: list[str] = []
    seal_spool(planned.spool, progress=said.append)

    [told] = (line for line in said if line.startswith(f"{harmed} "))
    assert told.endswith("not part of the record")


def test_all_else_of_a_record_is_the_same_without_an_artifact_that_came_to_harm(
    small: Sealed, planned: Unsealed, harmed: str
) -> None:
    planned.seal()
    changed = ("files", "stored")

    assert plain(open_run(str(planned.record)), *changed) == plain(small.run, *changed)


@pytest.mark.usefixtures("harmed")
def test_a_record_without_an_artifact_that_came_to_harm_is_whole(planned: Unsealed) -> None:
    planned.seal()

    assert is_whole(planned.record)


@pytest.mark.usefixtures("harmed")
def test_a_record_without_an_artifact_that_came_to_harm_has_the_same_hash_again(planned: Unsealed) -> None:
    assert planned.seal().sha256 == planned.seal().sha256


def test_an_empty_artifact_that_is_gone_is_missed(unsealed: Unsealed) -> None:
    empty = artifact_path(hashlib.sha256(b"").hexdigest())
    (unsealed.record / empty).write_bytes(b"")
    unsealed.seal()
    (unsealed.record / "manifest.json").unlink()
    (unsealed.record / "manifest.sha256").unlink()
    (unsealed.record / "files-0001.jsonl.gz").unlink()
    (unsealed.record / empty).unlink()

    assert listed(str(unsealed.record), unsealed.seal().manifest)[1] == [empty]


def test_what_is_written_to_the_spool_after_the_plan_is_not_sealed(small: Sealed, planned: Unsealed) -> None:
    with planned.file("worker").open("ab") as file:
        file.write(b"a late line\n")

    assert planned.seal().sha256 == small.sha256


def test_a_spool_that_was_changed_after_the_plan_is_refused(planned: Unsealed) -> None:
    lines = planned.lines("worker")
    planned.write("worker", [lines[0], *reversed(lines[1:])])

    with pytest.raises(RecordError, match=r"is no longer what the seal plan fixed"):
        planned.seal()


def test_a_plan_that_cannot_be_read_is_told(planned: Unsealed) -> None:
    (planned.spool / "seal-plan.json").write_text("{}")

    with pytest.raises(RecordError, match=r"something else stands at seal-plan\.json: "):
        planned.seal()


def test_a_run_that_is_alive_is_not_sealed_from_outside(unsealed: Unsealed) -> None:
    import fcntl

    with (unsealed.spool / "runner.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunActive, match="is still alive"):
            unsealed.seal()

    assert not (unsealed.record / "manifest.json").exists()


def test_a_folder_that_is_no_spool_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordNotFound, match=r"is not the spool of a run"):
        seal_spool(tmp_path)


def test_a_damaged_run_file_is_told(unsealed: Unsealed) -> None:
    (unsealed.spool / "run.json").write_text("{}")

    with pytest.raises(RecordError, match=r"run\.json is damaged"):
        unsealed.seal()


def test_a_spool_is_found_by_the_start_of_the_runs_id(unsealed: Unsealed) -> None:
    root = str(unsealed.spool.parents[1])

    assert find_spool(root, unsealed.spool.name[:6]) == unsealed.spool


def test_a_start_that_fits_two_spools_is_refused(unsealed: Unsealed) -> None:
    uid = unsealed.spool.name
    shutil.copytree(unsealed.spool, unsealed.spool.with_name(uid[:-1] + "x"))

    with pytest.raises(RecordNotFound, match="is the start of 2 runs"):
        find_spool(str(unsealed.spool.parents[1]), uid[:8])


def test_a_root_without_spools_has_none(tmp_path: Path) -> None:
    assert spools(str(tmp_path)) == []


def test_a_plan_of_another_version_gives_that_versions_bytes(planned: Unsealed) -> None:
    path = planned.spool / "seal-plan.json"
    plan = SealPlan.model_validate_json(path.read_bytes())
    path.write_text(plan.model_copy(update={"version": "0.0.1"}).model_dump_json())
    manifest = planned.seal().manifest
    sealer = [r for r in sealed_records(open_store(str(planned.record)), manifest) if r.writer == "sealer"]

    assert {record.resource_attributes[c.SERVICE_VERSION] for record in sealer} == {"0.0.1"}
