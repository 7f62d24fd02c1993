"""A record that stands is a success, whatever becomes of the parts; what stays of them can be found."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.record.clusters import SEALED_AT, Cluster, cluster_of, ship

from vaportrail.contract.pod_messages import SealReport
from vaportrail.errors import RecordError
from vaportrail.record.seal.cluster_seal import seal_run
from vaportrail.record.seal.unsealed_runs import unsealed_runs
from vaportrail.storage.store import ObjectStore

if TYPE_CHECKING:
    from tests.conftest import Cli
    from tests.record.conftest import Unsealed


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A store that lets nobody remove anything."""

    def deny(self: ObjectStore, path: object) -> None:
        raise RecordError("cannot delete it: AccessDenied")

    monkeypatch.setattr(ObjectStore, "delete", deny)
    monkeypatch.setattr(ObjectStore, "delete_all", deny, raising=False)
    return monkeypatch


def seal_slowly(cluster: Cluster, said: list[str]) -> SealReport:
    """Seal where an hour passes whenever somebody looks at the clock."""
    hours = itertools.count(step=3600)
    return seal_run(
        cluster.request(), clock=lambda: SEALED_AT, seconds=lambda: float(next(hours)), progress=said.append
    )


def left(cluster: Cluster) -> list[str]:
    return [path.removeprefix(cluster.prefix) for path, _ in cluster.store.entries(cluster.prefix)]


@pytest.mark.usefixtures("denied")
def test_a_record_whose_parts_cannot_be_removed_is_a_success(cluster: Cluster) -> None:
    answer = cluster.seal()

    assert answer.sha256 == cluster.seal().sha256


@pytest.mark.usefixtures("denied")
def test_parts_that_cannot_be_removed_are_told_with_the_reason_and_the_command(cluster: Cluster) -> None:
    said: list[str] = []
    seal_run(cluster.request(), clock=lambda: SEALED_AT, progress=said.append)

    assert said[-1] == (
        f"not all parts in {cluster.root}/{cluster.prefix} are removed: cannot delete it: AccessDenied; "
        f"vaportrail seal {cluster.settings.identity.uid} --record {cluster.root} removes them"
    )


def test_parts_that_could_not_be_removed_are_removed_by_a_later_seal(
    cluster: Cluster, denied: pytest.MonkeyPatch, cli: Cli
) -> None:
    answer = cluster.seal()
    denied.undo()
    listed = cli("seal", "--record", cluster.root).out
    done = cli("seal", answer.uri[-8:], "--record", cluster.root, "--json")

    assert listed.endswith(f"sealed, its parts are in {cluster.root}\n")
    assert (done.code, done.json["sha256"]) == (0, answer.sha256)
    assert not Path(cluster.root, "spool").exists()


def test_what_arrived_late_is_told_also_where_nothing_can_be_removed(
    cluster: Cluster, denied: pytest.MonkeyPatch
) -> None:
    cluster.seal()
    cluster.put("logs_zzz.json.gz", b"late")

    assert cluster.seal().late_parts == 1


def test_a_plan_that_cannot_be_fetched_makes_no_part_a_late_one(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal_run(cluster.request(), clock=lambda: SEALED_AT, keep_spool=True)
    before, get = left(cluster), ObjectStore.get

    def read(store: ObjectStore, path: str, limit: int | None = None) -> bytes:
        if path.endswith("seal-plan.json"):
            raise RecordError("cannot read it: timeout")
        return get(store, path, limit)

    monkeypatch.setattr(ObjectStore, "get", read)

    assert cluster.seal().late_parts == 0
    assert left(cluster) == before


def test_clearing_ends_when_its_time_is_over(cluster: Cluster) -> None:
    said: list[str] = []
    parts = cluster.parts()
    seal_slowly(cluster, said)

    assert cluster.parts() == parts
    assert f"not all parts in {cluster.root}/{cluster.prefix} are removed: it took over 60 s; " in said[-1]


def test_a_run_whose_clearing_was_cut_short_is_still_found(cluster: Cluster) -> None:
    seal_slowly(cluster, [])

    assert [run.identity.uid for run in unsealed_runs(cluster.root)] == [cluster.settings.identity.uid]


def test_what_makes_a_run_be_found_is_removed_last(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []
    delete = ObjectStore.delete
    monkeypatch.setattr(
        ObjectStore, "delete", lambda store, path: removed.append(path) or delete(store, path)
    )
    cluster.put("probe", b"")
    cluster.seal()

    assert removed[-1] == f"{cluster.prefix}run.json"


def test_parts_in_a_bucket_are_removed(
    unsealed: Unsealed, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    cluster = cluster_of(unsealed, "s3://records/clearing")
    ship(unsealed, cluster)
    for number in range(1500):
        cluster.put(f"logs_{number}.json.gz", b"")
    cluster.seal()

    assert cluster.store.entries("spool/") == []
