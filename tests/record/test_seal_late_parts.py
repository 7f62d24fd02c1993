"""What arrives after the seal was planned is not in the record, and is neither removed nor kept quiet."""

from __future__ import annotations

import json
from pathlib import Path

from tests.record.clusters import SEALED_AT, Cluster, files

from vaportrail.contract.pod_messages import SealReport
from vaportrail.record.seal.cluster_seal import seal_run
from vaportrail.record.seal.unsealed_runs import unsealed_runs

LATE = "logs_zzz.json.gz"


def left(cluster: Cluster) -> set[str]:
    """Return what lies where the run's parts were."""
    return {path.removeprefix(cluster.prefix) for path, _ in cluster.store.entries(cluster.prefix)}


def seal_while_a_part_arrives(cluster: Cluster, name: str = LATE) -> tuple[SealReport, list[str]]:
    """Seal; the part arrives when the plan stands already."""
    said: list[str] = []

    def progress(line: str) -> None:
        if not said:
            assert "seal-plan.json" in left(cluster)
            cluster.put(name, b"late")
        said.append(line)

    return seal_run(cluster.request(), clock=lambda: SEALED_AT, progress=progress), said


def test_a_part_that_arrives_after_the_plan_is_kept_with_the_plan(cluster: Cluster) -> None:
    seal_while_a_part_arrives(cluster)

    assert left(cluster) == {LATE, "seal-plan.json"}


def test_a_part_that_arrives_after_the_plan_is_told(cluster: Cluster) -> None:
    answer, said = seal_while_a_part_arrives(cluster)

    assert answer.late_parts == 1
    place = f"{cluster.root}/{cluster.prefix}"
    assert said[-1] == f"1 file arrived after the seal was planned: not in the record, kept in {place}"


def test_a_sealer_that_comes_later_keeps_and_tells_it_too(cluster: Cluster) -> None:
    seal_while_a_part_arrives(cluster)

    assert cluster.seal().late_parts == 1
    assert left(cluster) == {LATE, "seal-plan.json"}


def test_a_run_with_late_parts_does_not_wait_for_a_seal(cluster: Cluster) -> None:
    seal_while_a_part_arrives(cluster)

    assert unsealed_runs(cluster.root) == []


def test_what_arrives_in_the_cleared_place_of_a_sealed_run_is_kept(cluster: Cluster) -> None:
    first = cluster.seal()
    cluster.put(LATE, b"late")
    second = cluster.seal()

    assert (first.late_parts, second.late_parts, second.sha256) == (0, 1, first.sha256)
    assert left(cluster) == {LATE}


def test_a_part_that_grew_after_the_plan_is_kept(cluster: Cluster) -> None:
    path = cluster.parts()[0]
    grown = cluster.store.get(path) + b"more"
    said: list[str] = []

    def progress(line: str) -> None:
        if not said:
            cluster.replace(path, grown)
        said.append(line)

    answer = seal_run(cluster.request(), clock=lambda: SEALED_AT, progress=progress)

    assert answer.late_parts == 1
    assert cluster.store.get(path) == grown


def test_a_seal_that_keeps_the_parts_gives_the_same_bytes_again(cluster: Cluster) -> None:
    before = files(cluster.store, cluster.prefix)
    first = seal_run(cluster.request(), keep_spool=True)
    kept = files(cluster.store, cluster.prefix)
    second = seal_run(cluster.request())

    assert {name: kept[name] for name in before} == before
    assert (second.sha256, second.late_parts) == (first.sha256, 0)
    assert not Path(cluster.root, "spool").exists()


def test_a_damaged_plan_beside_a_record_that_stands_removes_no_part(cluster: Cluster) -> None:
    seal_run(cluster.request(), keep_spool=True)
    cluster.replace(f"{cluster.prefix}seal-plan.json", b"{}")
    parts = cluster.parts()
    answer = cluster.seal()

    assert cluster.parts() == parts
    assert answer.late_parts == len(parts)


def test_what_a_plan_says_is_json_that_another_version_can_look_into(cluster: Cluster) -> None:
    seal_while_a_part_arrives(cluster)
    plan = json.loads(cluster.store.get(f"{cluster.prefix}seal-plan.json"))

    assert plan["settings"]["path"] == cluster.settings.path
