"""Lines that no writer of ours makes, in the spool of a run: they are counted, and the rest is sealed."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from vaportrail.record.otlp_lines import write_lines
from vaportrail.record.reading.read import open_run
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.unpacked import Damaged, bounded_lines, unpacked
from vaportrail.record.verify import unfounded, verify
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.log_types import VALUES as LOGGED
from vaportrail.telemetry.spool import spool_line
from vaportrail.telemetry.values import attributes

METRIC = LOGGED["metric"].event
PARAM = LOGGED["param"].event

if TYPE_CHECKING:
    from tests.conftest import Sealed
    from tests.record.clusters import Cluster
    from tests.record.conftest import Unsealed

OURS = [value for name, value in vars(c).items() if name.startswith("EVENT_")]
FREE = 900_000


def event(name: str = "", **more: Any) -> dict[str, Any]:
    found = {"timeUnixNano": "1900000000000000000", "attributes": attributes({c.SEQ: FREE}), **more}
    if name:
        found["eventName"] = name
    return found


def named(values: dict[str, Any], name: str = "", **more: Any) -> dict[str, Any]:
    return event(name, attributes=attributes({**values, c.SEQ: FREE}), **more)


def line(raw: str, seq: int | str = FREE, kind: str = "L") -> bytes:
    text = f"{seq} {kind} vaportrail {raw}".encode(errors="surrogatepass")
    return b"%08x %b\n" % (zlib.crc32(text), text)


def wrote(body: Any, seq: int = FREE, kind: str = "L") -> bytes:
    return line(json.dumps(body), seq, kind)


def submitted(**but: Any) -> bytes:
    values = {
        c.TASK_RUN_ID: "t-1", c.TASK_NAME: "t", c.TASK_KIND: "python", c.TASK_ARGUMENTS: "{}",
        c.TASK_OPTIONS: "{}", c.TASK_EDGES: "[]", c.TASK_ALLOW_FAILURE: False,
    }  # fmt: skip
    return wrote(named({**values, **but}, c.EVENT_TASK_SUBMITTED, **SPAN))


def numbered(**more: Any) -> bytes:
    return wrote({**more, "attributes": attributes({c.SEQ: FREE})}, FREE, "T")


SPAN = {"spanId": "ab" * 8, "traceId": "cd" * 16}
TIMES = {"startTimeUnixNano": "1", "endTimeUnixNano": "2"}


def deep(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


HOSTILE: dict[str, bytes] = {
    **{
        f"{name} says nothing": wrote(event(name))
        for name in OURS
        if name not in (c.EVENT_MILESTONE, c.EVENT_SPAN_STARTED)
    },
    "null": line("null"),
    "a list": line("[]"),
    "a text": line('"x"'),
    "no time": wrote({"attributes": attributes({c.SEQ: FREE})}),
    "time that is none": wrote(event(timeUnixNano="soon")),
    "time after all times": wrote(event(timeUnixNano="9" * 30)),
    "time before all times": wrote(event(timeUnixNano="-1")),
    "deep": line(deep(100_000)),
    "a field that is deep": line(json.dumps(event()).replace("{", f'{{"x":{deep(900)},', 1)),
    "lone surrogate": line('{"timeUnixNano":"1","body":{"stringValue":"\\ud800"},"attributes":[]}'),
    "no Unicode": line('{"timeUnixNano":"1","body":{"stringValue":"\ud800"},"attributes":[]}'),
    "infinite by its digits": line(json.dumps(event()).replace("{", f'{{"x":{"9" * 250}e99,', 1)),
    "infinite": line(json.dumps(event()).replace("{", '{"x":1e999,', 1)),
    "not a number": wrote(event(x=float("nan"))),
    "number -1": wrote(event(attributes=attributes({c.SEQ: -1})), -1),
    "number 2^70": wrote(event(attributes=[{"key": c.SEQ, "value": {"intValue": str(2**70)}}]), 2**70),
    "another number within": wrote(event(), FREE + 1),
    "integer of 4000 digits": wrote(named({c.VALUE_NAME: "p"}, PARAM, body={"intValue": "9" * 4000})),
    "attributes are an object": wrote(event(attributes={"a": 1})),
    "an attribute is a list": wrote(event(attributes=[[]])),
    "an attribute has no key": wrote(event(attributes=[{"value": {}}])),
    "an attribute is no value": wrote(event(attributes=[{"key": "a", "value": 1}])),
    "an outcome that is none": wrote(named({c.OUTCOME: "fine", c.RUN_MESSAGE: ""}, c.EVENT_RUN_ENDED)),
    "an outcome that is a list": wrote(named({c.OUTCOME: [], c.RUN_MESSAGE: ""}, c.EVENT_RUN_ENDED)),
    "a metric of text": wrote(named({c.VALUE_NAME: "m"}, METRIC, body={"stringValue": "high"})),
    "a parameter of bytes": wrote(named({c.VALUE_NAME: "p"}, PARAM, body={"bytesValue": "/w=="})),
    "an artifact elsewhere": wrote(
        named(
            {
                c.VALUE_NAME: "a", c.ARTIFACT_KIND: "file", c.ARTIFACT_SIZE: 1, c.ARTIFACT_MEDIA_TYPE: "x",
                c.ARTIFACT_SHA256: "../../etc/passwd",
            },
            c.EVENT_ARTIFACT,
        )
    ),
    "a span without a time": numbered(**SPAN),
    "a span without an id": numbered(**TIMES),
    "a span whose events are none": numbered(**SPAN, **TIMES, events={}),
    "an attempt without a number": wrote(
        named({c.TASK_RUN_ID: "t-1", c.OUTCOME: "FAILED"}, c.EVENT_ATTEMPT_RESOLVED, **SPAN)
    ),
    "more attempts than can be": wrote(
        {
            **SPAN,
            **TIMES,
            "attributes": attributes(
                {c.TASK_RUN_ID: "t-1", c.OUTCOME: "SUCCEEDED", c.TASK_ATTEMPTS: 2**62, c.SEQ: FREE}
            ),
        },
        FREE,
        "T",
    ),
    "a run that opens without a pipeline": wrote(
        named({c.SCHEMA: "1.0", c.SPAN_NAME: "R", c.SPAN_KIND: 1}, c.EVENT_SPAN_STARTED, spanId="12" * 8)
    ),
    "edges that are none": submitted(**{c.TASK_EDGES: "[1]"}),
    "JSON within that is deep": submitted(**{c.TASK_ARGUMENTS: deep(150)}),
}  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_line_that_a_task_wrote_by_hand_is_counted_and_the_rest_is_sealed(
    unsealed: Unsealed, hostile: bytes
) -> None:
    before = unsealed.lines("worker")
    unsealed.write("worker", [*before, hostile])

    sealed = unsealed.seal().manifest

    assert sealed.counts.unreadable_records == 1
    assert sealed.counts.loss == "Unknown"
    assert sealed.counts.logs.recorded == sealed.counts.logs.made > 0
    assert [task.id for task in open_run(str(unsealed.record)).tasks] == ["make-1", "double-1", "report-1"]
    record = open_store(str(unsealed.record))
    assert verify(record, "record").ok
    assert unfounded(record, sealed) == []


FORGED: dict[str, dict[str, Any]] = {
    "an attempt's end": {c.TASK_RUN_ID: "make-1", c.ATTEMPT: 1, c.OUTCOME: "FAILED"},
    "a task's end": {c.TASK_RUN_ID: "make-1", c.OUTCOME: "FAILED"},
    "the run's end": {c.OUTCOME: "FAILED"},
    "attempts that never were": {c.TASK_RUN_ID: "x", c.OUTCOME: "SUCCEEDED", c.TASK_ATTEMPTS: 99_999},
    "infrastructure": {c.TIMELINE_NAME: "forged"},
    "a seal's": {c.SYNTHESISED: True},
}


@pytest.mark.parametrize("said", FORGED.values(), ids=FORGED)
def test_a_span_of_the_users_own_ends_nothing(
    unsealed: Unsealed, small: Sealed, said: dict[str, Any]
) -> None:
    span = {**SPAN, **TIMES, "attributes": attributes({**said, c.SEQ: FREE})}
    forged = spool_line(FREE, "T", "my.tracer", json.dumps(span))
    unsealed.write("worker", [*unsealed.lines("worker"), forged])

    unsealed.seal()

    run, whole = open_run(str(unsealed.record)), open_run(str(small.folder))
    assert [task.info for task in run.tasks] == [task.info for task in whole.tasks]
    assert list(run.facts.attempts) == list(whole.facts.attempts)
    assert run.facts.verdict == whole.facts.verdict
    assert run.facts.timeline == whole.facts.timeline
    assert run.facts.counts.synthesised_spans == whole.facts.counts.synthesised_spans


@pytest.mark.parametrize("what", ["resource", "role", "writer", "started"])
def test_a_header_that_cannot_be_believed_is_a_process_whose_loss_is_unknown(
    unsealed: Unsealed, what: str
) -> None:
    lines = unsealed.lines("worker")
    header = json.loads(lines[0])
    header[what] = {"resource": [], "role": "sealer", "writer": "../elsewhere", "started": -1}[what]
    unsealed.write("worker", [json.dumps(header).encode() + b"\n", *lines[1:]])
    unsealed.file("worker", "ledger").unlink()

    assert unsealed.seal().manifest.counts.loss == "Unknown"


def test_a_ledger_that_no_memory_holds_is_a_process_whose_loss_is_unknown(unsealed: Unsealed) -> None:
    with unsealed.file("worker", "ledger").open("r+b") as ledger:
        ledger.truncate(2**42)

    assert unsealed.seal().manifest.counts.loss == "Unknown"


def test_a_spool_of_another_run_is_not_mixed_into_the_record(unsealed: Unsealed) -> None:
    text = b"".join(unsealed.lines("worker"))
    uid = unsealed.spool.name
    name = unsealed.file("worker").stem
    other = text.replace(uid.encode(), b"0" * len(uid)).replace(name.encode(), b"worker-other", 1)
    (unsealed.spool / "worker-other.spool").write_bytes(other.replace(name.encode(), b"worker-other"))

    sealed = unsealed.seal().manifest

    assert sealed.counts.loss == "Unknown"
    attempts = open_run(str(unsealed.record)).facts.attempts
    assert {attempt.writer for attempt in attempts} & {"worker-other"} == set()


def test_a_part_with_such_lines_is_counted_and_the_rest_is_sealed(cluster: Cluster) -> None:
    group = {
        "resource": {"attributes": attributes({c.WRITER_ID: "worker-x", c.WRITER_ROLE: "worker"})},
        "scopeLogs": [{"scope": {"name": "vaportrail"}, "logRecords": [event(name) for name in OURS]}],
    }
    cluster.put("logs-forged.jsonl", json.dumps({"resourceLogs": [group]}).encode())
    cluster.put("logs-odd.jsonl", b"[]\nnull\n" + deep(100_000).encode() + b"\n{}\n")

    answer = cluster.seal()

    assert (answer.outcome, answer.loss) == ("SUCCEEDED", "Unknown")
    assert cluster.manifest.counts.unreadable_parts == 2


def test_more_output_than_one_piece_of_a_process_that_died_is_recorded_line_by_line(
    unsealed: Unsealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vaportrail.storage.store._CHUNK", 1000)
    out = unsealed.file("worker", "out")
    written = [f"line {number} {'x' * (number % 300)}" for number in range(400)]
    with out.open("ab") as file:
        file.write(("\n".join(written) + "\nthe last has no end").encode())
    unsealed.seal()

    told = [
        line.text
        for line in open_run(str(unsealed.record)).logs()
        if line.text.startswith(("line ", "the last "))
    ]

    assert told == [*written, "the last has no end"]


# A record's own files


def rewritten(unsealed: Unsealed, file: str, content: bytes) -> Run:
    """Seal, then replace a file of the record."""
    unsealed.seal()
    (unsealed.record / file).write_bytes(content)
    return open_run(str(unsealed.record))


def gz(*lines: bytes) -> bytes:
    return gzip.compress(b"\n".join(lines) + b"\n")


LOGS: dict[str, bytes] = {
    "no gzip": b"no gzip",
    "a list": gz(b"[]"),
    "an empty object": gz(b"{}"),
    "no JSON": gz(b"nothing"),
    "deep": gz(deep(100_000).encode()),
    "an empty record": gz(b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}'),
    "an object for a list": gz(b'{"resourceLogs":{}}'),
    "attributes that are none": gz(b'{"resourceLogs":[{"resource":{"attributes":[1]}}]}'),
    "a time that is none": gz(
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%b"}]}]}]}' % (b"9" * 40)
    ),
    "a lone surrogate": gz(
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"\\ud800"}}]}]}]}'
    ),
    "a very long line": gz(b"x" * 40_000_000),
    "cut short": gz(b"{}")[:-9],
}


@pytest.mark.parametrize("content", LOGS.values(), ids=LOGS)
def test_what_cannot_be_read_of_a_log_is_told_and_stops_nothing(unsealed: Unsealed, content: bytes) -> None:
    run = rewritten(unsealed, "logs-0001.jsonl.gz", content)

    assert list(run.logs()) == []
    assert list(run.metrics()) == []
    assert run.problems
    assert all("logs-0001.jsonl.gz" in problem for problem in run.problems)


def test_lines_around_one_that_cannot_be_read_are_shown(unsealed: Unsealed) -> None:
    unsealed.seal()
    path = unsealed.record / "logs-0001.jsonl.gz"
    whole = open_run(str(unsealed.record))
    expected = list(whole.logs())
    good = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(b"[]\n" + good + b"{\n"))
    run = open_run(str(unsealed.record))

    assert list(run.logs()) == expected
    assert len(run.problems) == 2


def test_a_long_name_that_many_records_share_does_not_grow_with_them(unsealed: Unsealed) -> None:
    name = "x" * 100_000
    records = [event(attributes=attributes({c.SEQ: number})) for number in range(1, 4)]
    group = {
        "resource": {"attributes": attributes({c.WRITER_ID: name})},
        "scopeLogs": [{"scope": {"name": name}, "logRecords": records}],
    }
    run = rewritten(unsealed, "logs-0001.jsonl.gz", gz(json.dumps({"resourceLogs": [group]}).encode()))

    assert {len(line.source) for line in run.logs()} == {1024}


# Lines and their limits


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_a_line_that_is_too_long_is_passed_over_and_its_length_is_told(size: int) -> None:
    told: list[int] = []
    content = b"one\n" + b"x" * 50 + b"\ntwo\n\n" + b"y" * 11

    assert list(bounded_lines(pieces(content, size), told.append, limit=10)) == [b"one\n", b"two\n", b"\n"]
    assert told == [51, 11]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_members_one_after_another_are_unpacked_in_pieces(size: int) -> None:
    content = gzip.compress(b"first") + gzip.compress(b"") + gzip.compress(b"second")

    assert b"".join(unpacked(pieces(content, size))) == b"firstsecond"


def test_many_empty_members_in_a_piece_cost_no_more_each_than_few() -> None:
    def seconds(members: int) -> float:
        content = gzip.compress(b"") * members
        begun = time.process_time()
        assert list(unpacked([content])) == []
        return time.process_time() - begun

    # It was 16 times as much each: a file of 64 MiB took hours.
    assert seconds(160_000) < 16 * 4 * max(seconds(10_000), 0.005)


def test_a_file_that_unpacks_to_more_than_its_limit_is_given_up() -> None:
    with pytest.raises(Damaged, match="more than 1 MiB"):
        for _ in unpacked([gzip.compress(b"\0" * 5_000_000)], limit=2**20):
            pass


def test_a_plain_file_of_more_than_its_limit_is_given_up() -> None:
    with pytest.raises(Damaged, match="more than 1 MiB"):
        for _ in unpacked([b"\0" * 2**19] * 3, limit=2**20):
            pass


def test_a_line_of_a_record_is_bounded_by_all_of_what_is_in_it(unsealed: Unsealed) -> None:
    from vaportrail.record.otlp_lines import Record, Resource

    big = attributes({f"text-{number}": "x" * 2**18 for number in range(3)})
    records = [
        Record("L", resource, "s", {"timeUnixNano": "1", "attributes": [*big, *attributes({c.SEQ: seq + 1})]})
        for resource in [Resource({})]
        for seq in range(20)
    ]

    made = [line for _, line in write_lines(records)]

    assert len(made) == 20
    assert max(map(len, made)) < 2**20


def test_the_line_of_a_spool_is_what_the_writer_makes() -> None:
    assert spool_line(FREE, "L", "vaportrail", "null").rstrip(b"\n") == line("null").rstrip(b"\n")
