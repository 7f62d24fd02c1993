"""A record on S3 (a real SeaweedFS server) is the same record as one in a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from conftest import PIPELINES
from vaportrail.errors import RecordError, RecordNotFound
from vaportrail.record.reading.read import list_runs, open_run
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.seal.execute_plan import carry_out
from vaportrail.record.seal.spool_plan import SealPlan
from vaportrail.record.verify import verify
from vaportrail.storage.probe import probe
from vaportrail.storage.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Sealed

CLI = Path(sys.executable).parent / "vaportrail"
PIPELINE = PIPELINES / "small.py"
ROOT = "s3://records/examples"
VARYING = {".ipynb", ".html"}
"""Executed notebooks hold the times at which their cells ran."""


@dataclass(frozen=True)
class Remote:
    """The small run, with its record on S3."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def uri(self) -> str:
        return str(json.loads(self.out)["uri"])

    @property
    def run(self) -> Run:
        return open_run(self.uri)


@pytest.fixture(scope="module")
def credentials(s3: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment in which S3 is reached, for this process too."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.items():
            patch.setenv(name, value)
        yield s3


def call(folder: Path, *args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CLI), *map(str, args)], cwd=folder, capture_output=True, text=True, timeout=600
    )


@pytest.fixture(scope="module")
def remote(credentials: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Remote:
    folder = tmp_path_factory.mktemp("remote")
    arguments = ("--tag", "team=vision", "-p", "size=3")
    done = call(folder, "run", f"{PIPELINE}:small", *arguments, "--record", ROOT, "--json")
    assert done.stdout, done.stderr
    return Remote(done.returncode, done.stdout, done.stderr, folder)


@pytest.fixture(scope="module")
def local(small: Sealed) -> Run:
    """The same run with its record in a folder."""
    return small.run


def tasks(run: Run) -> dict[str, Any]:
    """Return what a run's tasks are but for their times and span ids."""
    left_out = {"submitted", "ended", "span_id"}
    return {task.id: task.info.model_dump(mode="json", exclude=left_out) for task in run.tasks}


def artifacts(run: Run) -> dict[tuple[str, str], tuple[str, str]]:
    return {(a.task, a.name): (a.kind, a.media_type) for a in run.facts.artifacts}


def hashes(run: Run) -> dict[tuple[str, str], str]:
    """Return the hashes of the artifacts that are the same whenever they are made."""
    return {(a.task, a.name): a.sha256 for a in run.facts.artifacts if Path(a.name).suffix not in VARYING}


def test_the_run_succeeds(remote: Remote) -> None:
    assert remote.code == 0, remote.err


def test_the_record_stands_below_the_root_that_was_given(remote: Remote) -> None:
    assert remote.uri.startswith(f"{ROOT}/runs/small/")


def test_the_record_on_s3_is_whole(remote: Remote) -> None:
    assert verify(open_store(remote.uri), remote.uri).problems == []


def test_the_verify_command_passes_on_s3(remote: Remote, tmp_path: Path) -> None:
    done = call(tmp_path, "verify", remote.uri, "--rebuild")

    assert (done.returncode, done.stdout.split()[0]) == (0, "verified")


def test_only_the_sealed_record_is_in_the_bucket(remote: Remote) -> None:
    prefix = remote.uri.removeprefix(f"{ROOT}/") + "/"

    assert [path for path, _ in open_store(ROOT).entries("") if not path.startswith(prefix)] == []


def test_no_spool_and_no_record_is_left_on_this_machine(remote: Remote) -> None:
    left = [path for path in remote.folder.rglob("*") if path.is_file()]

    assert left == []


def test_the_tasks_are_the_same(remote: Remote, local: Run) -> None:
    assert tasks(remote.run) == tasks(local)


def test_the_logged_parameters_are_the_same(remote: Remote, local: Run) -> None:
    assert remote.run.facts.params == local.facts.params


def test_the_logged_metrics_are_the_same(remote: Remote, local: Run) -> None:
    def metrics(run: Run) -> list[str]:
        # As texts, in which NaN equals itself.
        return [metric.model_dump_json() for metric in run.facts.metrics]

    assert metrics(remote.run) == metrics(local)


def test_the_tags_are_the_same(remote: Remote, local: Run) -> None:
    assert remote.run.facts.tags == local.facts.tags


def test_the_artifacts_have_the_same_names_and_kinds(remote: Remote, local: Run) -> None:
    assert artifacts(remote.run) == artifacts(local)


def test_the_artifacts_have_the_same_bytes(remote: Remote, local: Run) -> None:
    assert hashes(remote.run) == hashes(local)


def test_as_many_spans_are_recorded(remote: Remote, local: Run) -> None:
    assert remote.run.facts.counts.spans == local.facts.counts.spans


def test_nothing_is_lost(remote: Remote) -> None:
    assert remote.run.facts.counts.loss == "None"


def test_the_record_has_the_same_kinds_of_files(remote: Remote, local: Run) -> None:
    def kinds(run: Run) -> Counter[str]:
        assert run.manifest is not None
        return Counter("artifact" if "/" in file.path else file.path for file in run.manifest.files)

    assert kinds(remote.run).keys() == kinds(local).keys()


def test_the_verdict_is_the_same(remote: Remote, local: Run) -> None:
    one, other = remote.run.facts.verdict, local.facts.verdict

    assert (one.outcome, one.message, one.tasks) == (other.outcome, other.message, other.tasks)


def test_an_artifact_is_read_from_s3(remote: Remote) -> None:
    assert json.loads(remote.run.task("double-1").artifacts()["shape.json"].read()) == {"values": [0, 1, 2]}


def test_runs_on_s3_are_listed(remote: Remote) -> None:
    assert [run.uri for run in list_runs(ROOT)] == [remote.uri]


def test_the_ls_command_lists_runs_on_s3(remote: Remote, tmp_path: Path) -> None:
    done = call(tmp_path, "ls", "--record", ROOT, "--json")

    assert json.loads(done.stdout)["uri"] == remote.uri


def test_the_show_command_says_the_verdict_of_a_run_on_s3(remote: Remote, tmp_path: Path) -> None:
    done = call(tmp_path, "show", remote.uri)

    assert done.stdout.startswith("SUCCEEDED  small/")


def test_the_latest_run_below_a_root_on_s3_is_found(remote: Remote, tmp_path: Path) -> None:
    done = call(tmp_path, "show", "--record", ROOT, "--json")

    assert json.loads(done.stdout)["run"]["uid"] == remote.run.facts.run.uid


def test_the_logs_command_prints_the_lines_of_a_run_on_s3(remote: Remote, tmp_path: Path) -> None:
    done = call(tmp_path, "logs", remote.uri, "--task", "report-1")

    assert "the title is Report" in done.stdout


def test_a_record_on_s3_is_unpacked_as_a_tree(remote: Remote, tmp_path: Path) -> None:
    call(tmp_path, "export", "tree", remote.uri, "-o", "tree")

    unpacked = tmp_path / "tree" / "tasks" / "double-1" / "files" / "folder" / "data.bin"
    assert unpacked.read_bytes() == remote.run.task("double-1").artifacts()["folder/data.bin"].read()


def test_nothing_stands_where_no_record_is(credentials: dict[str, str]) -> None:
    with pytest.raises(RecordNotFound, match="there is no record at s3://records/nothing"):
        open_run("s3://records/nothing")


def test_the_probe_finds_that_the_store_refuses_to_overwrite(credentials: dict[str, str]) -> None:
    probe(open_store("s3://records/probed"), "spool/some-run")


def test_the_probe_leaves_nothing_behind(credentials: dict[str, str]) -> None:
    store = open_store("s3://records/probed")
    probe(store, "spool/some-run")

    assert store.entries("") == []


def test_a_second_create_is_told_and_changes_nothing(credentials: dict[str, str]) -> None:
    store = open_store("s3://records/twice")
    first, second = store.create("name", b"first"), store.create("name", b"second")

    assert (first, second, store.get("name")) == (True, False, b"first")


def test_a_stream_of_other_content_than_was_said_is_not_stored(
    credentials: dict[str, str], tmp_path: Path
) -> None:
    store, source = open_store("s3://records/changed"), tmp_path / "source"
    source.write_bytes(b"0123456789" * 2_000_000)

    with pytest.raises(RecordError, match="changed while it was being stored"):
        store.put_stream("big", source, 64 * "0")

    assert store.entries("") == []


def test_many_are_deleted_at_once_also_where_some_are_not_there(credentials: dict[str, str]) -> None:
    store = open_store("s3://records/many")
    for name in ("a", "b", "kept"):
        store.create(name, b"x")
    store.delete_all(["no", "a", "b"])

    assert store.entries("") == [("kept", 1)]


@pytest.mark.parametrize("number", range(5))
def test_of_creates_at_the_same_time_one_wins(credentials: dict[str, str], number: int) -> None:
    store, start = open_store("s3://records/race"), Barrier(6)

    def create(writer: int) -> bool:
        start.wait()
        return store.create(f"name-{number}", f"by {writer}".encode())

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(create, range(6)))

    assert won.count(True) == 1
    assert store.get(f"name-{number}") == f"by {won.index(True)}".encode()


def test_sealers_at_the_same_time_make_one_whole_record_on_s3(
    credentials: dict[str, str], small: Sealed
) -> None:
    plan = SealPlan.model_validate_json((small.spool / "seal-plan.json").read_bytes())
    record, start = open_store("s3://records/sealers"), Barrier(4)
    for entry in plan.artifacts:
        record.create(entry.path, small.folder / entry.path)

    def seal(_: int) -> str:
        start.wait()
        return carry_out(plan, open_store(str(small.spool)), record).sha256

    with ThreadPoolExecutor(4) as pool:
        hashes = set(pool.map(seal, range(4)))

    assert hashes == {small.sha256}
    assert verify(record, record.uri).problems == []
