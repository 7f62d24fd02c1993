"""A record's OTLP files are OpenTelemetry's own format, and hold together as one trace."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from vaportrail.contract.otlp_signals import SIGNALS
from vaportrail.record.otlp_lines import Record, read_line, write_lines
from vaportrail.record.verify import sealed_records
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import attributes

if TYPE_CHECKING:
    from tests.conftest import Sealed

REQUESTS: dict[str, type[Message]] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
OF_THE_USER = {"how"}
"""What `tests/pipelines/small.py` itself sets on a span."""
ID_KEYS = {"traceId", "spanId", "parentSpanId"}
TYPES = {"string": "stringValue", "int": "intValue", "bool": "boolValue", "string[]": "arrayValue"}


def otlp_files(folder: Path) -> list[Path]:
    return sorted(path for signal in SIGNALS for path in folder.glob(f"{signal.file}-*.jsonl.gz"))


def lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from file


def with_protobuf_ids(value: Any) -> Any:
    """OTLP's JSON has hex ids where protobuf's own JSON mapping has base64."""
    if isinstance(value, list):
        return [with_protobuf_ids(item) for item in value]
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode() if key in ID_KEYS else with_protobuf_ids(item)
            for key, item in value.items()
        }
    return value


def records(made: Sealed, *signals: str) -> list[Record]:
    manifest = made.run.manifest
    assert manifest is not None
    return list(sealed_records(open_store(made.uri), manifest, *signals))


def span_ids(made: Sealed) -> set[str]:
    return {record.body["spanId"] for record in records(made, "traces")}


def key_values(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every attribute of whatever has attributes (a metric's are its metadata)."""
    if isinstance(value, list):
        for item in value:
            yield from key_values(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("attributes", "metadata"):
                yield from ((pair["key"], pair["value"]) for pair in item)
            else:
                yield from key_values(item)


def all_key_values(made: Sealed) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in otlp_files(made.folder):
        for line in lines(path):
            yield from key_values(json.loads(line))


def test_the_record_has_a_file_of_logs_and_a_file_of_traces(made: Sealed) -> None:
    assert [path.name for path in otlp_files(made.folder)] == ["logs-0001.jsonl.gz", "traces-0001.jsonl.gz"]


def test_every_line_is_an_export_request_without_an_unknown_field(made: Sealed) -> None:
    parsed = Counter[str]()
    for path in otlp_files(made.folder):
        signal = path.name.split("-")[0]
        for line in lines(path):
            content = with_protobuf_ids(json.loads(line))
            json_format.ParseDict(content, REQUESTS[signal](), ignore_unknown_fields=False)
            parsed[signal] += 1

    assert set(parsed) == {"logs", "traces"}


def test_what_protobuf_reads_are_as_many_records_as_the_manifest_counts(made: Sealed) -> None:
    read = Counter[str]()
    for path in otlp_files(made.folder):
        for line in lines(path):
            content = with_protobuf_ids(json.loads(line))
            if path.name.startswith("logs"):
                logs = json_format.ParseDict(content, ExportLogsServiceRequest())
                read["logs"] += sum(len(s.log_records) for r in logs.resource_logs for s in r.scope_logs)
            else:
                traces = json_format.ParseDict(content, ExportTraceServiceRequest())
                read["spans"] += sum(len(s.spans) for r in traces.resource_spans for s in r.scope_spans)
    by_the_sealer = Counter(
        record.kind for record in records(made) if record.resource_attributes[c.WRITER_ID] == "sealer"
    )

    counts = made.run.facts.counts
    assert read["logs"] - by_the_sealer["L"] == counts.logs.recorded
    assert read["spans"] - by_the_sealer["T"] == counts.spans.recorded


def test_trace_ids_have_32_hex_digits(made: Sealed) -> None:
    ids = {record.body["traceId"] for record in records(made) if "traceId" in record.body}

    assert [found for found in ids if not re.fullmatch("[0-9a-f]{32}", found)] == []


def test_span_ids_have_16_hex_digits_and_are_not_zero(made: Sealed) -> None:
    wrong = [
        record.body[key]
        for record in records(made)
        for key in ("spanId", "parentSpanId")
        if key in record.body
        and not (re.fullmatch("[0-9a-f]{16}", record.body[key]) and int(record.body[key], 16))
    ]

    assert wrong == []


def test_everything_is_of_one_trace_and_the_manifest_names_it(made: Sealed) -> None:
    ids = {record.body["traceId"] for record in records(made) if "traceId" in record.body}

    assert ids == {made.run.facts.run.trace_id}


def test_no_two_spans_have_the_same_id(made: Sealed) -> None:
    counted = Counter(record.body["spanId"] for record in records(made, "traces"))

    assert [span for span, count in counted.items() if count > 1] == []


def test_every_parent_is_a_span_of_the_record(made: Sealed) -> None:
    parents = {
        record.body["parentSpanId"] for record in records(made, "traces") if "parentSpanId" in record.body
    }

    assert parents - span_ids(made) == set()


def test_exactly_one_span_is_the_root_and_it_is_the_run(made: Sealed) -> None:
    roots = [record.body["name"] for record in records(made, "traces") if not record.body.get("parentSpanId")]

    assert roots == [f"RUN {made.run.facts.run.pipeline}"]


def test_no_span_is_its_own_ancestor(made: Sealed) -> None:
    parent = {r.body["spanId"]: r.body.get("parentSpanId", "") for r in records(made, "traces")}

    def steps_to_root(span: str) -> int:
        steps = 0
        while parent[span] and steps <= len(parent):
            span, steps = parent[span], steps + 1
        return steps

    assert max(map(steps_to_root, parent)) < len(parent)


def test_every_link_leads_to_a_span_of_the_record(made: Sealed) -> None:
    linked = {link["spanId"] for record in records(made, "traces") for link in record.body.get("links", [])}

    assert linked - span_ids(made) == set()


def test_tasks_are_linked_to_what_they_needed(mnist: Sealed) -> None:
    linked = [link for record in records(mnist, "traces") for link in record.body.get("links", [])]

    assert len(linked) == 18


def test_every_log_record_that_names_a_span_names_one_of_the_record(made: Sealed) -> None:
    named = {record.body["spanId"] for record in records(made, "logs") if record.body.get("spanId")}

    assert named - span_ids(made) == set()


def test_no_span_ends_before_it_starts(made: Sealed) -> None:
    wrong = [
        record.body["name"]
        for record in records(made, "traces")
        if not 0 < int(record.body["startTimeUnixNano"]) <= int(record.body["endTimeUnixNano"])
    ]

    assert wrong == []


def test_every_log_record_has_a_time(made: Sealed) -> None:
    assert [record for record in records(made, "logs") if int(record.body["timeUnixNano"]) <= 0] == []


def test_every_attribute_is_in_the_table_or_the_users_own(made: Sealed) -> None:
    table = {attribute.name for attribute in c.ATTRIBUTES}

    assert {key for key, _ in all_key_values(made)} - table - OF_THE_USER == set()


def test_every_attribute_has_the_type_that_the_table_says(made: Sealed) -> None:
    expected = {attribute.name: TYPES[attribute.type.split(" (")[0]] for attribute in c.ATTRIBUTES}

    wrong = {
        (key, *value)
        for key, value in all_key_values(made)
        if key in expected and set(value) != {expected[key]}
    }
    assert wrong == set()


def test_every_event_is_in_the_table(made: Sealed) -> None:
    events = {record.body["eventName"] for record in records(made, "logs") if "eventName" in record.body}

    assert events - c.EVENTS.keys() == set()


def test_the_runs_show_every_event_of_the_table(small: Sealed, failures: Sealed) -> None:
    seen = {record.body.get("eventName") for made in (small, failures) for record in records(made, "logs")}

    # A receipt is only of a cluster, and these runs capture all.
    assert c.EVENTS.keys() - seen == {c.EVENT_RECEIPT, c.EVENT_NOT_CAPTURED}


def test_writer_and_number_are_unique(made: Sealed) -> None:
    counted = Counter(record.identity for record in records(made))

    assert [identity for identity, count in counted.items() if count > 1] == []


def test_every_writer_numbers_its_records_from_one_without_a_gap(made: Sealed) -> None:
    numbers: dict[str, set[int]] = {}
    for record in records(made):
        numbers.setdefault(record.identity[0], set()).add(record.identity[1])

    wrong = {writer for writer, found in numbers.items() if found != set(range(1, len(found) + 1))}
    assert wrong == set()


def test_every_resource_says_which_run_it_is_of(made: Sealed) -> None:
    uids = {record.resource_attributes[c.PIPELINE_RUN_ID] for record in records(made)}

    assert uids == {made.run.facts.run.uid}


def test_the_users_own_attribute_is_on_the_users_own_span(small: Sealed) -> None:
    [span] = [record for record in records(small, "traces") if record.body["name"] == "doubling"]

    assert span.attributes["how"] == "twice"


def test_a_failed_attempts_span_holds_the_exception_as_an_event(failures: Sealed) -> None:
    [span] = [
        record
        for record in records(failures, "traces")
        if record.attributes.get(c.TASK_RUN_ID) == "raises-1" and c.ATTEMPT in record.attributes
    ]

    assert [event["name"] for event in span.body["events"]] == ["exception"]
    assert span.body["status"]["code"] == 2


def test_hidden_values_are_nowhere_in_the_record(small: Sealed) -> None:
    text = "".join(line for path in otlp_files(small.folder) for line in lines(path))

    assert "not-to-be-seen" not in text
    assert "hidden-default" not in text


record_lists = st.lists(
    st.builds(
        lambda kind, writer, scope, text, seq: (kind, writer, scope, text, seq),
        st.sampled_from("LTM"),
        st.integers(0, 2),
        st.sampled_from(["", "a", "b.c"]),
        st.text(max_size=20).filter(lambda text: text.isprintable()),
        st.integers(1, 9),
    ),
    max_size=30,
)


@given(record_lists)
def test_records_written_as_lines_are_read_back_the_same(
    drawn: list[tuple[str, int, str, str, int]],
) -> None:
    resources = [{"attributes": attributes({c.WRITER_ID: f"w{number}"})} for number in range(3)]
    times = {"timeUnixNano": "1", "startTimeUnixNano": "1", "endTimeUnixNano": "1", "spanId": "01"}
    made = [
        Record(
            kind,  # type: ignore[arg-type]
            resources[writer],
            scope,
            {**times, "body": {"stringValue": text}, "attributes": attributes({c.SEQ: seq})},
        )
        for kind, writer, scope, text, seq in drawn
    ]

    read = [record for _, line in write_lines(made) for record in read_line(line)]

    for kind in "LTM":
        assert [r for r in read if r.kind == kind] == [r for r in made if r.kind == kind]
