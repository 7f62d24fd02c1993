"""A cluster's record, sealed from the parts that were shipped, is the record that a laptop makes."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.record.clusters import SEALED_AT, Cluster, cluster_of, files, plain, ship

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_messages import ReceiptEntry, SealRequest, TimelineEntry
from vaportrail.errors import RecordError, SealConflict, UsageError
from vaportrail.record.facts import build_facts
from vaportrail.record.reading.read import open_run
from vaportrail.record.seal.cluster_seal import seal_run
from vaportrail.record.seal.parts import live_part_records, part_paths
from vaportrail.record.seal.unsealed_runs import unsealed_runs
from vaportrail.record.verify import rebuild_facts, sealed_records, verify
from vaportrail.storage.store import ObjectStore, open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.identity import run_span_id

if TYPE_CHECKING:
    from tests.conftest import Sealed
    from tests.record.conftest import Unsealed

TIMELINE = [
    TimelineEntry(name="HeadScheduled", start="2026-01-01T00:00:01Z", end="2026-01-01T00:00:02.5Z"),
    TimelineEntry(name="Release", start="2026-01-01T00:01:00Z", end="2026-01-01T00:01:03Z"),
]
RECEIPT = [
    ReceiptEntry(
        object="RayCluster/small", uid="u-1", created="2026-01-01T00:00:00Z", removed="2026-01-01T00:01:00Z"
    ),
    ReceiptEntry(object="Pod of small", count=3, created="2026-01-01T00:00:00Z", removed=""),
]


def test_its_facts_are_those_of_the_laptops_record(small: Sealed, cluster: Cluster) -> None:
    cluster.seal()

    assert plain(cluster.run, "sealed", "files") == plain(small.run, "sealed", "files")


def test_its_records_are_those_of_the_laptops_record(small: Sealed, cluster: Cluster) -> None:
    cluster.seal()
    there = open_run(cluster.settings.record_uri)

    def of(run: Any) -> list[tuple[str, str, Any]]:
        found = sealed_records(open_store(run.uri), run.manifest)
        made = ((*record.identity, record.kind, record.body) for record in found)
        return sorted(
            (str(seq), f"{kind} {writer}", body) for writer, seq, kind, body in made if writer != "sealer"
        )

    assert of(there) == of(small.run)


def test_it_verifies(cluster: Cluster) -> None:
    cluster.seal(timeline=TIMELINE, receipt=RECEIPT)

    assert verify(open_store(cluster.settings.record_uri), "record").problems == []


def test_its_facts_can_be_rebuilt_from_its_files(cluster: Cluster) -> None:
    cluster.seal(timeline=TIMELINE, receipt=RECEIPT, environment={"image": "i", "namespace": "n"})
    manifest = cluster.manifest

    rebuilt = rebuild_facts(open_store(cluster.settings.record_uri), manifest)
    assert json.loads(rebuilt.to_json()) == {
        **plain(cluster.run),
        "files": [],
        "stored": {"count": 0, "size": 0, "damaged": 0},
    }


def test_the_answer_says_what_the_record_says(cluster: Cluster) -> None:
    answer = cluster.seal()

    assert (answer.outcome, answer.loss, answer.tasks) == ("SUCCEEDED", "None", {"SUCCEEDED": 3})
    assert answer.uri == cluster.settings.record_uri
    assert answer.sha256 == verify(open_store(answer.uri), "record").sha256
    assert set(answer.timings) == {"plan", "gather", "write", "clean"}


def test_nothing_but_the_record_is_left(cluster: Cluster) -> None:
    cluster.seal()

    assert {path.partition("/")[0] for path, _ in cluster.store.entries("")} == {"runs"}
    assert not Path(cluster.root, "spool").exists()


def test_the_same_parts_give_the_same_bytes(cluster: Cluster, tmp_path: Path) -> None:
    other = Cluster(str(tmp_path / "other"), cluster.settings)
    for path in (*cluster.parts(), *(p for p, _ in cluster.store.entries("runs"))):
        other.store.create(path, cluster.store.get(path))
    cluster.seal()
    other.seal()

    mine, others = files(cluster.store, "runs"), files(other.store, "runs")
    assert mine.keys() == others.keys()
    assert mine == others


def test_a_sealer_that_died_before_the_manifest_is_followed_by_one_that_makes_the_same(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = files(cluster.store, "spool")
    planned: list[bytes] = []
    create = ObjectStore.create

    def keep(store: ObjectStore, path: str, content: bytes | Path) -> bool:
        if path.endswith("seal-plan.json"):
            assert isinstance(content, bytes)
            planned.append(content)
        return create(store, path, content)

    monkeypatch.setattr(ObjectStore, "create", keep)
    cluster.seal()
    whole = files(cluster.store, "runs")
    for path, content in saved.items():
        cluster.store.create(path, content)
    cluster.store.create(f"{cluster.prefix}seal-plan.json", planned[0])
    cluster.store.delete(f"{cluster.settings.path}/manifest.json")
    # Later, and after a part arrived late.
    cluster.put("logs_zzz.json.gz", b"late")
    fixed = hashlib.sha256(planned[0]).hexdigest()
    again = cluster.request(message="another word", plan_sha256=fixed)
    seal_run(again, clock=lambda: SEALED_AT + 10**9)

    assert files(cluster.store, "runs") == whole


def test_a_sealer_that_finds_the_record_answers_from_it_and_cleans_up(cluster: Cluster) -> None:
    first = seal_run(cluster.request(), keep_spool=True)
    second = cluster.seal(outcome=Outcome.FAILED, message="another word")

    assert (second.sha256, second.outcome) == (first.sha256, first.outcome)
    assert cluster.store.entries("spool/") == []


def test_the_record_of_another_run_is_not_answered_from(cluster: Cluster) -> None:
    cluster.seal()
    other = replace(cluster.settings.identity, uid="another")
    request = SealRequest(identity=other, root=cluster.root, path=cluster.settings.path)

    with pytest.raises(SealConflict, match=r"not of another; nothing of .* was overwritten"):
        seal_run(request)


def test_a_plan_that_cannot_be_read_is_told_and_nothing_is_removed(cluster: Cluster) -> None:
    cluster.replace(f"{cluster.prefix}seal-plan.json", b"{}")

    with pytest.raises(RecordError, match=r"something else stands at .*seal-plan\.json: "):
        cluster.seal()

    assert cluster.parts()


def test_parts_that_came_twice_are_taken_once(small: Sealed, unsealed: Unsealed, unshipped: Cluster) -> None:
    ship(unsealed, unshipped)
    twice = [unshipped.store.get(path) for path in unshipped.parts()]
    for number, content in enumerate(twice):
        unshipped.put(f"logs_again-{number}.json.gz", content)
    unshipped.seal()

    assert plain(unshipped.run, "sealed", "files") == plain(small.run, "sealed", "files")


def test_the_order_of_the_parts_does_not_matter(
    small: Sealed, unsealed: Unsealed, unshipped: Cluster
) -> None:
    lines = unsealed.file("worker").read_bytes().splitlines(keepends=True)
    head, rest = lines[0], lines[1:]
    random.Random(7).shuffle(rest)
    unsealed.write("worker", [head, *rest])
    ship(unsealed, unshipped)
    unshipped.seal()

    # But for output, of which only the last offset is known: it was all recorded.
    but = ("sealed", "counts", "files")
    assert plain(unshipped.run, *but) == plain(small.run, *but)


def lines_of(content: bytes) -> bytes:
    return gzip.decompress(content) + b"\n"


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "plain"])
def test_files_that_grow_line_by_line_are_read(small: Sealed, cluster: Cluster, packed: bool) -> None:
    """As the collector's file exporter writes them, onto a volume."""
    for signal in ("traces", "logs"):
        paths = [path for path in cluster.parts() if path.rpartition("/")[2].startswith(signal)]
        content = b"".join(lines_of(cluster.store.get(path)) for path in paths)
        for path in paths:
            cluster.store.delete(path)
        cluster.put(
            f"{signal}.jsonl.gz" if packed else f"{signal}.jsonl",
            gzip.compress(content) if packed else content,
        )
    cluster.seal()

    assert plain(cluster.run, "sealed", "files") == plain(small.run, "sealed", "files")


@pytest.mark.parametrize(
    "content",
    [b"\x1f\x8bnot gzip", b"not json\n", gzip.compress(b'{"resourceLogs":[{}', mtime=0)[:-9], b"[]"],
)
def test_a_part_that_cannot_be_read_does_not_lose_the_others(
    small: Sealed, cluster: Cluster, content: bytes
) -> None:
    cluster.put("logs_0.json.gz", content)
    said: list[str] = []
    answer = seal_run(cluster.request(), progress=said.append)
    counts = cluster.manifest.counts

    assert (counts.unreadable_parts, counts.loss, answer.loss) == (1, "Unknown", "Unknown")
    assert counts.logs == small.run.facts.counts.logs
    assert any("logs_0.json.gz cannot be read whole" in line for line in said)


def test_records_that_are_not_ours_are_told_and_left_out(cluster: Cluster) -> None:
    foreign = {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": [{}]}]}]}
    cluster.put("logs_0.json", json.dumps(foreign).encode())
    cluster.seal()

    assert cluster.manifest.counts.unreadable_parts == 1


def test_a_writer_whose_name_is_a_path_writes_nowhere(cluster: Cluster, tmp_path: Path) -> None:
    named = [{"key": c.WRITER_ID, "value": {"stringValue": "../../evil"}}]
    record = {"attributes": [{"key": c.SEQ, "value": {"intValue": "1"}}]}
    scopes = [{"scope": {}, "logRecords": [record]}]
    foreign = {"resourceLogs": [{"resource": {"attributes": named}, "scopeLogs": scopes}]}
    cluster.put("logs_0.json", json.dumps(foreign).encode())
    cluster.seal()

    assert cluster.manifest.counts.unreadable_parts == 1


def test_a_lost_part_is_counted_exactly(unsealed: Unsealed, cluster: Cluster) -> None:
    [path] = [path for path in cluster.parts() if "/traces" in path]
    cluster.store.delete(path)
    cluster.seal()
    counts = cluster.manifest.counts

    assert (counts.loss, counts.spans.recorded, counts.spans.lost) == ("Counted", 0, counts.spans.made)


def test_a_node_that_died_leaves_unknown_after_a_known_point(unsealed: Unsealed, unshipped: Cluster) -> None:
    before = time.time_ns()
    ship(unsealed, unshipped, drained=False)
    unshipped.seal()
    counts = unshipped.manifest.counts

    from vaportrail.record.times import from_rfc3339

    assert (counts.loss, counts.logs.lost) == ("Unknown", 0)
    assert before <= from_rfc3339(counts.known_until) <= time.time_ns()


def test_output_that_its_process_did_not_record_is_recovered(unsealed: Unsealed, unshipped: Cluster) -> None:
    with unsealed.file("worker", "out").open("ab") as file:
        file.write(b"the last words\nhalf a li")
    ship(unsealed, unshipped)
    unshipped.seal()
    lines = [line.text for line in open_run(unshipped.settings.record_uri).logs()]

    assert unshipped.manifest.counts.recovered_lines == 2
    assert {"the last words", "half a li"} <= set(lines)
    assert unshipped.manifest.counts.loss == "None"


def test_the_runners_own_word_is_not_replaced(cluster: Cluster) -> None:
    answer = cluster.seal(outcome=Outcome.CANCELLED, message="cancelled by user")

    assert answer.outcome is Outcome.SUCCEEDED


def test_a_runner_that_died_is_told_in_the_operators_words(unsealed: Unsealed, unshipped: Cluster) -> None:
    unsealed.write("runner", unsealed.lines("runner")[:12])
    ship(unsealed, unshipped)
    answer = unshipped.seal(outcome=Outcome.CANCELLED, message="cancelled by its user")

    assert (answer.outcome, answer.message) == (Outcome.CANCELLED, "cancelled by its user")
    assert verify(open_store(answer.uri), "record").ok


def test_a_run_that_never_started_has_a_record(unshipped: Cluster) -> None:
    unshipped.store.delete(f"{unshipped.prefix}run.json")
    answer = unshipped.seal(
        outcome=Outcome.CANCELLED, message="cancelled while it was pending", timeline=TIMELINE,
        runner_started=False,
    )  # fmt: skip
    verdict = unshipped.manifest.verdict

    assert (answer.outcome, answer.message) == (Outcome.CANCELLED, "cancelled while it was pending")
    assert answer.loss == "None"
    assert list(unshipped.run.tasks) == []
    assert verdict.ended >= verdict.started


def test_the_infrastructure_is_in_the_manifests_timeline(cluster: Cluster) -> None:
    cluster.seal(timeline=TIMELINE)
    shown = [(m.name, m.time, m.end) for m in cluster.manifest.timeline if m.end]

    assert shown == [
        ("HeadScheduled", "2026-01-01T00:00:01.000000000Z", "2026-01-01T00:00:02.500000000Z"),
        ("Release", "2026-01-01T00:01:00.000000000Z", "2026-01-01T00:01:03.000000000Z"),
    ]


def test_the_milestones_stay_in_the_timeline(small: Sealed, cluster: Cluster) -> None:
    cluster.seal(timeline=TIMELINE)

    assert [m for m in cluster.manifest.timeline if not m.end] == small.run.facts.timeline


def test_the_infrastructure_is_in_the_runs_trace(cluster: Cluster) -> None:
    cluster.seal(timeline=TIMELINE)
    record = open_store(cluster.settings.record_uri)
    spans = [
        r.body for r in sealed_records(record, cluster.manifest, "traces") if c.TIMELINE_NAME in r.attributes
    ]

    assert [span["name"] for span in spans] == ["HeadScheduled", "Release"]
    assert {span["traceId"] for span in spans} == {cluster.manifest.run.trace_id}
    assert {span["parentSpanId"] for span in spans} == {run_span_id(cluster.settings.identity.uid)}
    assert len({span["spanId"] for span in spans}) == 2


def test_infrastructure_spans_are_not_counted_as_made_by_the_run(small: Sealed, cluster: Cluster) -> None:
    cluster.seal(timeline=TIMELINE, receipt=RECEIPT)

    assert cluster.manifest.counts == small.run.facts.counts


def test_the_receipt_is_in_the_manifest(cluster: Cluster) -> None:
    cluster.seal(receipt=RECEIPT)

    assert [entry.model_dump() for entry in cluster.manifest.receipt] == [
        {
            "object": "RayCluster/small", "uid": "u-1", "count": 1,
            "created": "2026-01-01T00:00:00.000000000Z", "removed": "2026-01-01T00:01:00.000000000Z",
        },
        {
            "object": "Pod of small", "uid": "", "count": 3,
            "created": "2026-01-01T00:00:00.000000000Z", "removed": "",
        },
    ]  # fmt: skip


def test_the_environment_says_image_and_namespace(small: Sealed, cluster: Cluster) -> None:
    cluster.seal(environment={"image": "acme/mnist:1", "image_digest": "sha256:1", "namespace": "ml"})
    environment = cluster.manifest.environment

    assert environment == {
        **small.run.facts.environment, "image": "acme/mnist:1", "image_digest": "sha256:1", "namespace": "ml",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["yesterday", "2026-01-01T00:00:00+01:00", ""])
def test_a_time_that_is_none_is_told(cluster: Cluster, text: str) -> None:
    with pytest.raises(UsageError, match=r"^timeline\[0\]\.start: .* is not a time"):
        cluster.seal(timeline=[TimelineEntry(name="X", start=text, end="2026-01-01T00:00:00Z")])


def test_every_name_in_the_record_is_in_the_table(cluster: Cluster) -> None:
    cluster.seal(timeline=TIMELINE, receipt=RECEIPT, environment={"image": "i"})
    known = {attribute.name for attribute in c.ATTRIBUTES}
    record = open_store(cluster.settings.record_uri)
    of_sealer = [r for r in sealed_records(record, cluster.manifest) if r.writer == "sealer"]

    assert {name for r in of_sealer for name in r.attributes} - known == set()
    assert {r.body.get("eventName", c.EVENT_SEALED) for r in of_sealer} - c.EVENTS.keys() == set()


def test_the_parts_of_a_live_run_show_it_as_it_is(small: Sealed, cluster: Cluster) -> None:
    paths = part_paths(cluster.store, cluster.prefix)
    live = build_facts(record for path in paths for record in live_part_records(cluster.store, path))

    assert live.tasks == small.run.facts.tasks
    assert live.counts == small.run.facts.counts


def test_a_part_that_is_still_being_written_shows_what_there_is(cluster: Cluster) -> None:
    [path] = [path for path in cluster.parts() if "/traces" in path]
    whole = gzip.decompress(cluster.store.get(path)) + b"\n"
    cluster.put("traces_growing.json", whole + whole[:100])
    cluster.put("traces_arriving.json.gz", gzip.compress(whole)[:-20])
    growing, arriving = (f"{cluster.prefix}traces_{name}" for name in ("growing.json", "arriving.json.gz"))

    assert len(list(live_part_records(cluster.store, growing))) == 16
    assert list(live_part_records(cluster.store, arriving)) in (
        [],
        list(live_part_records(cluster.store, growing)),
    )


def test_runs_that_wait_are_listed(cluster: Cluster) -> None:
    assert [run.identity.uid for run in unsealed_runs(cluster.root)] == [cluster.settings.identity.uid]


def test_a_run_that_is_sealed_does_not_wait(cluster: Cluster) -> None:
    cluster.seal()

    assert unsealed_runs(cluster.root) == []


def test_a_laptops_spools_are_not_taken_for_a_clusters(small: Sealed) -> None:
    assert unsealed_runs(str(small.root)) == []


@pytest.fixture
def bucket(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    return partial("s3://records/cluster/{}".format)


def test_a_run_in_a_bucket_is_sealed(small: Sealed, unsealed: Unsealed, bucket: Callable[[str], str]) -> None:
    cluster = cluster_of(unsealed, bucket("sealed"))
    ship(unsealed, cluster)
    cluster.seal(timeline=TIMELINE, receipt=RECEIPT)

    but = ("sealed", "timeline", "receipt", "files")
    assert plain(cluster.run, *but) == plain(small.run, *but)
    assert verify(open_store(cluster.settings.record_uri), "record").problems == []
    assert cluster.store.entries("spool/") == []
