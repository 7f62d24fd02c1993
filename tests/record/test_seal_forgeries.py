"""Anybody with the store's key writes below its root: what a sealer takes for its own, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.record.clusters import SEALED_AT, Cluster, cluster_of, files, ship

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_messages import ReceiptEntry, SealRequest, TimelineEntry
from vaportrail.errors import SealConflict
from vaportrail.record.manifest import hash_line
from vaportrail.record.seal.cluster_seal import seal_run
from vaportrail.storage.store import open_store

if TYPE_CHECKING:
    from tests.conftest import Cli
    from tests.record.conftest import Unsealed

SAID: dict[str, Any] = {
    "outcome": Outcome.RUNNER_LOST,
    "message": "runner pod: OOMKilled, exit code 137",
    "timeline": [
        TimelineEntry(name="HeadScheduled", start="2026-01-01T00:00:01Z", end="2026-01-01T00:00:02.5Z"),
        TimelineEntry(name="Release", start="2026-01-01T00:01:00Z", end="2026-01-01T00:01:03Z"),
    ],
    "receipt": [
        ReceiptEntry(
            object="RayCluster/small",
            uid="u-1",
            created="2026-01-01T00:00:00Z",
            removed="2026-01-01T00:01:00Z",
        )
    ],
    "environment": {"image": "acme/mnist:1", "image_digest": "acme/mnist@sha256:1", "namespace": "ml"},
}
"""What the operator says of the run."""
Forge = Callable[[Cluster], None]


@pytest.fixture
def bucket(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    return f"s3://records/forged/{abs(hash(request.node.nodeid))}"


@pytest.fixture
def victim(unsealed: Unsealed, bucket: str) -> Cluster:
    """A run in a bucket that waits for its seal."""
    cluster = cluster_of(unsealed, bucket)
    ship(unsealed, cluster)
    return cluster


def record_without_the_report(cluster: Cluster) -> dict[str, bytes]:
    """Return a whole record as the run's own code could make it: without the operator's word."""
    seal_run(cluster.request(), clock=lambda: SEALED_AT, keep_spool=True)
    made = files(cluster.store, cluster.settings.path)
    for path in made:
        if "/artifacts/" not in path:
            cluster.store.delete(path)
    cluster.store.delete(f"{cluster.prefix}seal-plan.json")
    return {path.removeprefix(f"{cluster.settings.path}/"): content for path, content in made.items()}


def leave_manifest(cluster: Cluster, manifest: dict[str, Any]) -> None:
    raw = json.dumps(manifest).encode()
    record = open_store(cluster.settings.record_uri)
    record.create("manifest.json", raw)
    record.create("manifest.sha256", hash_line(raw))


def leave_record(cluster: Cluster, **changed: Any) -> None:
    made = record_without_the_report(cluster)
    manifest = json.loads(made["manifest.json"])
    for path, content in made.items():
        if not path.startswith("manifest"):
            open_store(cluster.settings.record_uri).create(path, content)
    for way, value in changed.items():
        *names, last = way.split("__")
        at = manifest
        for name in names:
            at = at[name]
        at[last] = value
    leave_manifest(cluster, manifest)


def with_the_report(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what a manifest says where its forger could guess all that the operator says."""
    shown = [
        {"name": entry.name, "time": f"{time(entry.start)}Z", "end": f"{time(entry.end)}Z"}
        for entry in SAID["timeline"]
    ]
    gone = [
        {**entry.model_dump(), "created": f"{time(entry.created)}Z", "removed": f"{time(entry.removed)}Z"}
        for entry in SAID["receipt"]
    ]
    environment = {**manifest["environment"], **SAID["environment"]}
    timeline = [*manifest["timeline"], *shown]
    return {**manifest, "timeline": timeline, "receipt": gone, "environment": environment}


def time(text: str) -> str:
    whole, _, part = text.removesuffix("Z").partition(".")
    return f"{whole}.{part:0<9}"


def manifest_whose_files_are_nowhere(cluster: Cluster) -> None:
    manifest = manifest_with(cluster)
    manifest["verdict"]["message"] = "all 7 tasks succeeded, audited"
    leave_manifest(cluster, manifest)


def record_that_was_made_before_the_end(cluster: Cluster) -> None:
    leave_record(cluster)


def record_with_another_image(cluster: Cluster) -> None:
    said = manifest_with(cluster)
    leave_record(cluster, **{**said, "environment": {**said["environment"], "image": "acme/audited:1"}})


def record_of_another_name(cluster: Cluster) -> None:
    leave_record(cluster, **manifest_with(cluster), run__name="another")


def manifest_with(cluster: Cluster, **changed: Any) -> dict[str, Any]:
    return {**with_the_report(json.loads(record_without_the_report(cluster)["manifest.json"])), **changed}


def record_without_the_release(cluster: Cluster) -> None:
    said = manifest_with(cluster)
    leave_record(cluster, **{**said, "timeline": said["timeline"][:-1]})


def record_with_another_release(cluster: Cluster) -> None:
    said = manifest_with(cluster)
    said["timeline"][-1]["end"] = f"{time('2026-01-01T00:01:04Z')}Z"
    leave_record(cluster, **said)


def record_without_the_receipt(cluster: Cluster) -> None:
    leave_record(cluster, **manifest_with(cluster, receipt=[]))


def record_that_was_never_removed(cluster: Cluster) -> None:
    said = manifest_with(cluster)
    said["receipt"][0]["removed"] = ""
    leave_record(cluster, **said)


def record_of_another_pipeline(cluster: Cluster) -> None:
    leave_record(cluster, **manifest_with(cluster), run__pipeline="another")


def record_of_another_time(cluster: Cluster) -> None:
    leave_record(cluster, **manifest_with(cluster), run__created="2026-01-01T00:00:00.000000000Z")


def record_without_its_hash(cluster: Cluster) -> None:
    leave_record(cluster, **manifest_with(cluster))
    cluster.store.delete(f"{cluster.settings.path}/manifest.sha256")


def record_that_is_far_too_large(cluster: Cluster) -> None:
    leave_record(cluster, **manifest_with(cluster), run__tags={"tag": "x" * (5 * 2**20)})


def record_with_a_file_more(cluster: Cluster) -> None:
    leave_record(cluster, **manifest_with(cluster))
    open_store(cluster.settings.record_uri).create("report.html", b"<p>audited</p>")


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (manifest_whose_files_are_nowhere, r"files-0001\.jsonl\.gz is missing"),
        (record_that_was_made_before_the_end, "image"),
        (record_with_another_image, "its image is 'acme/audited:1', not 'acme/mnist:1'"),
        (record_of_another_name, "its name is 'another'"),
        (record_of_another_pipeline, "its pipeline is 'another'"),
        (record_of_another_time, "its creation is '2026-01-01T00:00:00"),
        (record_without_the_release, "its timeline has no such Release"),
        (record_with_another_release, "its timeline has no such Release"),
        (record_without_the_receipt, "its receipt does not say of RayCluster/small"),
        (record_that_was_never_removed, "its receipt does not say of RayCluster/small"),
        (record_without_its_hash, r"manifest\.sha256 is missing"),
        (record_that_is_far_too_large, "it has 52"),
        (record_with_a_file_more, r"report\.html is not part of the record"),
    ],
)
def test_a_forged_record_is_refused(victim: Cluster, forge: Forge, why: str) -> None:
    forge(victim)
    record = files(victim.store, victim.settings.path)

    with pytest.raises(SealConflict, match=rf"^something else stands at manifest\.json: .*{why}"):
        victim.seal(**SAID)

    assert files(victim.store, victim.settings.path) == record
    assert victim.parts()


def test_a_record_that_says_all_that_the_operator_says_is_taken_whoever_made_it(victim: Cluster) -> None:
    """Nobody knows that before the run's end: so far goes what can be told, and no further."""
    leave_record(victim, **manifest_with(victim))

    assert victim.seal(**SAID).outcome is Outcome.SUCCEEDED


def forge_plan(cluster: Cluster, **changed: Any) -> None:
    """Leave a plan as a sealer fixes it, but for what is given; the way to a field has `__` in it."""
    seal_run(cluster.request(), clock=lambda: SEALED_AT, keep_spool=True)
    path = f"{cluster.prefix}seal-plan.json"
    plan = json.loads(cluster.store.get(path))
    for way, value in changed.items():
        *names, last = [int(name) if name.isdigit() else name for name in way.split("__")]
        at = plan
        for name in names:
            at = at[name]
        at[last] = value
    cluster.replace(path, json.dumps(plan).encode())
    for name in files(cluster.store, "runs"):
        if "/artifacts/" not in name:
            cluster.store.delete(name)


def report_as_planned() -> dict[str, Any]:
    from vaportrail.record.seal.operator_report import operator_report

    identity = {"uid": "u", "pipeline": "p", "name": "n", "created_unix_nano": 1}
    request = SealRequest.model_validate({"identity": identity, "root": "r", "path": "p", **SAID})
    said: dict[str, Any] = operator_report(request).model_dump(mode="json")
    return said


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("outcome", "SUCCEEDED"),
        ("message", "all 7 tasks succeeded, audited"),
        ("environment", {"image": "acme/audited:1", "namespace": "ml"}),
        ("timeline", []),
        ("receipt", []),
        ("runner_started", False),
    ],
)
def test_a_plan_with_another_word_than_the_operators_is_refused(
    victim: Cluster, field: str, value: object
) -> None:
    forge_plan(victim, report={**report_as_planned(), field: value})

    with pytest.raises(SealConflict, match=rf"^something else stands at {victim.prefix}seal-plan\.json: .*"):
        victim.seal(**SAID)

    assert victim.parts()
    assert [path for path in files(victim.store, "runs") if "/artifacts/" not in path] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parts__0__path", "spool/1f0e0d0c-0b0a-4009-8807-060504030201/logs-1.jsonl.gz"),
        ("parts__0__path", "runs/another/manifest.json"),
        ("artifacts__0__path", "../another/manifest.json"),
        ("sealed_at_unix_nano", 0),
        ("settings__identity__parameters", {"n": "of my choice"}),
        ("settings__identity__name", "another"),
    ],
)
def test_a_plan_that_leads_elsewhere_is_refused(victim: Cluster, field: str, value: object) -> None:
    forge_plan(victim, report=report_as_planned(), **{field: value})

    with pytest.raises(SealConflict, match=r"^something else stands at .*seal-plan\.json: "):
        victim.seal(**SAID)


def test_a_plan_with_the_operators_own_word_is_carried_out(victim: Cluster) -> None:
    forge_plan(victim, report=report_as_planned())

    assert victim.seal(**SAID).loss == "None"


def test_a_record_with_the_operators_own_word_is_answered_from(victim: Cluster) -> None:
    first = seal_run(victim.request(**SAID), clock=lambda: SEALED_AT, keep_spool=True)

    assert victim.seal(**SAID).sha256 == first.sha256


def announced(cluster: Cluster, **changed: Any) -> dict[str, Any]:
    """Leave another `run.json`, seal a run that told nothing, and return the parameters of its record."""
    for path in cluster.parts():
        cluster.store.delete(path)
    identity = replace(cluster.settings.identity, parameters={"n": 3, "key": "<hidden>"})
    said = json.loads(replace(cluster.settings, identity=identity).to_json())
    for way, value in changed.items():
        if way.startswith("identity__"):
            said["identity"][way.removeprefix("identity__")] = value
        else:
            said[way] = value
    cluster.replace(f"{cluster.prefix}run.json", json.dumps(said).encode())
    asked = replace(identity, parameters={"n": "3", "key": "s3cr3t-s3cr3t"})
    seal_run(cluster.request(**SAID).model_copy(update={"identity": asked}), clock=lambda: SEALED_AT)
    return cluster.manifest.run.parameters


def test_the_runners_own_word_of_its_parameters_is_taken(victim: Cluster) -> None:
    assert announced(victim) == {"n": 3, "key": "<hidden>"}


@pytest.mark.parametrize(
    "changed",
    [
        {"identity__name": "another"},
        {"identity__created_unix_nano": 1_800_000_000_000_000_000},
        {"identity__parameters": {"n": 3}},
        {"root": "s3://records/elsewhere"},
        {"path": "runs/small/20260101T000000Z-00000000"},
    ],
    ids=str,
)
def test_of_a_forged_word_of_the_runner_nothing_is_taken_and_nothing_comes_out(
    victim: Cluster, changed: dict[str, Any]
) -> None:
    assert announced(victim, **changed) == {"n": "<hidden>", "key": "<hidden>"}


def test_a_refused_seal_ends_with_the_code_of_what_no_other_try_can_mend(
    victim: Cluster, cli: Cli, tmp_path: Any
) -> None:
    manifest_whose_files_are_nowhere(victim)
    answer = tmp_path / "termination-log"
    request = victim.request(**SAID).model_dump_json()
    done = cli(
        "seal-run",
        env={"VAPORTRAIL_TERMINATION_MESSAGE": str(answer), "VAPORTRAIL_SEAL_REQUEST": request},
    )

    assert done.code == 2
    assert answer.read_text().startswith("something else stands at manifest.json: ")
