"""What a process that was killed left of a file hinders no seal of a run and no check of its record."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.record.clusters import SEALED_AT, Cluster

from vaportrail.record.seal.cluster_seal import seal_run
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.record.verify import verify
from vaportrail.storage.store import open_store

if TYPE_CHECKING:
    from tests.record.conftest import Unsealed

ARTIFACT = f"artifacts/{64 * 'a'}"
NAMES = [ARTIFACT, "logs-0001.jsonl.gz", "manifest.sha256", "manifest.json"]
KILLED = """
import os, sys, obstore
from obstore.store import LocalStore

def content():
    yield bytes(6 * 2**20)
    yield bytes(6 * 2**20)
    os._exit(9)

obstore.put(LocalStore(sys.argv[1], mkdir=True), sys.argv[2], content(), chunk_size=5 * 2**20)
"""


def die_while_writing(folder: Path, path: str) -> None:
    """Write to a folder as a store does, in a process that ends before the write does."""
    assert subprocess.run([sys.executable, "-c", KILLED, str(folder), path]).returncode == 9


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def problems(folder: Path) -> list[str]:
    return [problem.path for problem in verify(open_store(str(folder)), str(folder)).problems]


def test_a_killed_write_leaves_the_name_with_a_number(tmp_path: Path) -> None:
    die_while_writing(tmp_path, ARTIFACT)

    assert names(tmp_path) == {f"{ARTIFACT}#1"}


@pytest.mark.parametrize("name", NAMES)
def test_a_laptops_run_is_sealed_over_what_a_killed_process_left(unsealed: Unsealed, name: str) -> None:
    die_while_writing(unsealed.record, name)
    seal_spool(unsealed.spool)

    assert problems(unsealed.record) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_clusters_run_is_sealed_over_what_a_killed_process_left(cluster: Cluster, name: str) -> None:
    record = Path(cluster.settings.record_uri)
    die_while_writing(record, name)
    cluster.seal()

    assert problems(record) == []


def test_a_sealer_that_finds_the_record_removes_what_was_left_beside_it(cluster: Cluster) -> None:
    record = Path(cluster.settings.record_uri)
    cluster.seal()
    die_while_writing(record, "manifest.json")
    cluster.seal()

    assert problems(record) == []


def test_nothing_that_another_sealer_may_be_writing_is_removed_before_the_record_stands(
    cluster: Cluster,
) -> None:
    record = Path(cluster.settings.record_uri)
    die_while_writing(record, "logs-0001.jsonl.gz")
    there: list[bool] = []
    seal_run(
        cluster.request(),
        clock=lambda: SEALED_AT,
        progress=lambda _: there.append((record / "logs-0001.jsonl.gz#1").exists()),
    )

    assert there
    assert all(there)


@pytest.mark.parametrize("name", ["seal-plan.json", "run.json", "probe"])
def test_what_was_left_beside_the_parts_is_no_late_part(cluster: Cluster, name: str) -> None:
    die_while_writing(Path(cluster.root, cluster.prefix), name)

    assert cluster.seal().late_parts == 0
    assert not Path(cluster.root, "spool").exists()


def test_a_file_of_anothers_that_is_named_alike_is_kept_and_told(unsealed: Unsealed) -> None:
    (unsealed.record / "notes#1").write_bytes(b"mine")
    seal_spool(unsealed.spool)

    assert problems(unsealed.record) == ["notes#1"]


def test_a_file_of_anothers_among_the_artifacts_is_told_and_hinders_no_seal(unsealed: Unsealed) -> None:
    (unsealed.record / "artifacts" / "notes.txt").write_bytes(b"mine")
    seal_spool(unsealed.spool)

    assert problems(unsealed.record) == ["artifacts/notes.txt"]
