"""Whoever seals a run, however many at once, and in whatever version: there is one record."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.record.clusters import SEALED_AT, Cluster, files

from vaportrail.contract.pod_messages import SealReport
from vaportrail.errors import RecordError
from vaportrail.record.seal.cluster_seal import seal_run
from vaportrail.record.verify import sealed_records
from vaportrail.storage import layout
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c


class Rival:
    """Another sealer, which seals the run from beginning to end when it is first called."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._begun = False
        self.answer: SealReport | None = None

    def now(self) -> None:
        if not self._begun:
            self._begun = True
            self.answer = self._cluster.seal()


def before_the_listing(cluster: Cluster, rival: Rival) -> SealReport:
    def seconds() -> float:
        rival.now()
        return 0

    return seal_run(cluster.request(), clock=lambda: SEALED_AT + 10**9, seconds=seconds)


def after_the_listing(cluster: Cluster, rival: Rival) -> SealReport:
    def clock() -> int:
        rival.now()
        return SEALED_AT + 10**9

    return seal_run(cluster.request(), clock=clock)


def after_the_plan(cluster: Cluster, rival: Rival) -> SealReport:
    return seal_run(cluster.request(), clock=lambda: SEALED_AT + 10**9, progress=lambda _line: rival.now())


@pytest.mark.parametrize("race", [before_the_listing, after_the_listing, after_the_plan])
def test_a_sealer_that_is_overtaken_answers_from_the_others_record(
    cluster: Cluster, race: Callable[[Cluster, Rival], SealReport]
) -> None:
    rival = Rival(cluster)
    answer = race(cluster, rival)

    assert rival.answer is not None
    assert (answer.sha256, answer.uri) == (rival.answer.sha256, rival.answer.uri)
    assert cluster.store.entries("spool/") == []


def test_a_sealer_that_is_overtaken_before_its_plan_makes_none(cluster: Cluster) -> None:
    rival, said = Rival(cluster), list[str]()

    def clock() -> int:
        rival.now()
        return SEALED_AT + 10**9

    seal_run(cluster.request(), clock=clock, progress=said.append)

    assert [line for line in said if "parts" in line] == []


def test_a_seal_that_fails_without_a_record_is_told(cluster: Cluster) -> None:
    cluster.store.create(f"{cluster.settings.path}/manifest.sha256", b"another's\n")

    with pytest.raises(RecordError, match=r"^something else stands at manifest\.sha256: "):
        cluster.seal()

    assert cluster.parts()


def test_a_seal_that_another_version_planned_is_finished_with_its_bytes(cluster: Cluster) -> None:
    seal_run(cluster.request(), clock=lambda: SEALED_AT, keep_spool=True)
    path = f"{cluster.prefix}seal-plan.json"
    plan = json.loads(cluster.store.get(path))
    cluster.replace(path, json.dumps({**plan, "version": "0.0.1"}).encode())
    for name in files(cluster.store, "runs"):
        if "artifacts" not in name:
            cluster.store.delete(name)
    cluster.seal()
    record = open_store(cluster.settings.record_uri)
    of_sealer = [r for r in sealed_records(record, cluster.manifest) if r.writer == "sealer"]

    assert {r.resource_attributes[c.SERVICE_VERSION] for r in of_sealer} == {"0.0.1"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("settings.identity.uid", "1f0e0d0c-0b0a-4009-8807-060504030201"),
        ("settings.identity.pipeline", "\x1b[31m/../x"),
        ("settings.path", "runs/another/20231114T221320Z-0f0e0d0c"),
        ("settings.driver", 7),
        ("sealed_at_unix_nano", 10**25),
        ("sealed_at_unix_nano", -1),
        ("parts.0.path", "spool/1f0e0d0c-0b0a-4009-8807-060504030201/logs-1.jsonl.gz"),
        ("parts.0.path", "../run.json"),
        ("parts.0.size", -1),
        ("version", "\x1b[2J"),
    ],
)
def test_a_plan_that_none_of_ours_would_fix_is_refused(cluster: Cluster, field: str, value: object) -> None:
    seal_run(cluster.request(), clock=lambda: SEALED_AT, keep_spool=True)
    path = f"{cluster.prefix}seal-plan.json"
    plan = at = json.loads(cluster.store.get(path))
    *way, last = [int(name) if name.isdigit() else name for name in field.split(".")]
    for name in way:
        at = at[name]
    at[last] = value
    cluster.replace(path, json.dumps(plan).encode())
    for name in files(cluster.store, "runs"):
        if "artifacts" not in name:
            cluster.store.delete(name)

    with pytest.raises(RecordError, match=r"something else stands at .*seal-plan\.json: "):
        cluster.seal()
    assert cluster.parts()


def test_a_plan_larger_than_any_of_ours_is_not_read(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "PLAN_LIMIT", 1000)
    cluster.put("seal-plan.json", b" " * 2000)

    with pytest.raises(RecordError, match=r"seal-plan\.json.*1000 bytes"):
        cluster.seal()
