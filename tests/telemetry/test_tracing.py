"""The user's own OpenTelemetry spans join the run's trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.util._once import Once

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.active_recorder import install, uninstall
from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope
from vaportrail.telemetry.identity import run_span_id, trace_id
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.spool import SpoolLine, read_spool
from vaportrail.telemetry.tracing import SpoolSpanProcessor, install_provider, parent_context
from vaportrail.telemetry.values import read_attributes

UID = "7d2ab5c0-0000-4000-8000-000000000001"
SPAN = "00000000000000aa"


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    settings = RunSettings(RunIdentity(UID, "p", "n", 0), str(tmp_path / "spool"), str(tmp_path), "runs/p/n")
    yield install(settings, "worker")
    uninstall()


@pytest.fixture
def tracer() -> Tracer:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SpoolSpanProcessor())
    return provider.get_tracer("my.tracer")


@pytest.fixture
def installed(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """The recorder of a process whose tracer provider is ours, as a task finds it."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    install_provider()
    return recorder


def lines(recorder: Recorder, kind: str) -> list[SpoolLine]:
    path = recorder.writer.directory / f"{recorder.writer.header.writer}.spool"
    raw = path.read_bytes().splitlines(keepends=True)[1:]
    return [line for line in read_spool(iter(raw)) if line.kind == kind]


def only_span(recorder: Recorder) -> dict[str, Any]:
    [line] = lines(recorder, "T")
    return dict(line.record)


def test_a_span_is_written_under_its_tracers_name_into_the_runs_trace(
    recorder: Recorder, tracer: Tracer
) -> None:
    with tracer.start_as_current_span("work", attributes={"a": 1}):
        pass
    [line] = lines(recorder, "T")
    assert line.scope == "my.tracer"
    assert (line.record["name"], line.record["traceId"]) == ("work", trace_id(UID))
    assert read_attributes(line.record["attributes"]) == {"a": 1, c.SEQ: 2}
    assert int(line.record["startTimeUnixNano"]) <= int(line.record["endTimeUnixNano"])


def test_an_opened_span_is_known_before_its_end(recorder: Recorder, tracer: Tracer) -> None:
    with tracer.start_as_current_span("work"):
        [opened] = lines(recorder, "L")
        assert lines(recorder, "T") == []
    assert opened.record["eventName"] == c.EVENT_SPAN_STARTED
    assert opened.record["spanId"] == only_span(recorder)["spanId"]
    assert read_attributes(opened.record["attributes"])[c.SPAN_NAME] == "work"


def test_a_span_without_a_parent_belongs_to_the_run(recorder: Recorder, tracer: Tracer) -> None:
    tracer.start_span("work").end()
    assert only_span(recorder)["parentSpanId"] == run_span_id(UID)


def test_a_span_of_an_attempts_thread_belongs_to_the_attempt(recorder: Recorder, tracer: Tracer) -> None:
    set_attempt_scope(AttemptScope("t-1", "t", 2, SPAN))
    try:
        tracer.start_span("work").end()
    finally:
        set_attempt_scope(None)
    span = only_span(recorder)
    assert span["parentSpanId"] == SPAN
    assert read_attributes(span["attributes"]).items() >= {c.TASK_RUN_ID: "t-1", c.ATTEMPT: 2}.items()


def test_a_span_within_a_given_one_is_its_child(recorder: Recorder, tracer: Tracer) -> None:
    tracer.start_span("work", context=parent_context(trace_id(UID), SPAN)).end()
    assert only_span(recorder)["parentSpanId"] == SPAN


def test_a_span_within_a_span_is_its_child(recorder: Recorder, tracer: Tracer) -> None:
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
        pass
    inner, outer = lines(recorder, "T")
    assert (inner.record["name"], inner.record["parentSpanId"]) == ("inner", outer.record["spanId"])


def test_what_is_logged_within_a_span_belongs_to_it(recorder: Recorder, tracer: Tracer) -> None:
    with tracer.start_as_current_span("work"):
        recorder.log("inside")
    _, logged = lines(recorder, "L")
    assert logged.record["spanId"] == only_span(recorder)["spanId"]


@pytest.mark.parametrize(
    ("kind", "otlp"),
    [
        (SpanKind.INTERNAL, 1),
        (SpanKind.SERVER, 2),
        (SpanKind.CLIENT, 3),
        (SpanKind.PRODUCER, 4),
        (SpanKind.CONSUMER, 5),
    ],
)
def test_a_spans_kind_is_otlps(recorder: Recorder, tracer: Tracer, kind: SpanKind, otlp: int) -> None:
    tracer.start_span("work", kind=kind).end()
    [opened] = lines(recorder, "L")
    assert read_attributes(opened.record["attributes"])[c.SPAN_KIND] == otlp
    assert only_span(recorder)["kind"] == otlp


def test_a_users_attribute_is_not_taken_for_ours(recorder: Recorder, tracer: Tracer) -> None:
    said = {c.OUTCOME: "SUCCEEDED", c.TASK_RUN_ID: "other-1", c.ATTEMPT: 1, c.LOG_IOSTREAM: "x", "mine": 1}
    with tracer.start_as_current_span("forged", attributes=said):
        pass

    found = read_attributes(only_span(recorder)["attributes"])

    assert found.pop(c.SEQ)
    assert found == {f"extra.{name}" if name != "mine" else name: value for name, value in said.items()}


@pytest.mark.parametrize(("given", "recorded"), [(-5, "0"), (2**70, str(2**64 - 1))])
def test_a_time_that_is_none_is_the_nearest_that_is(
    recorder: Recorder, tracer: Tracer, given: int, recorded: str
) -> None:
    tracer.start_span("odd", start_time=given).end(end_time=given)

    span, opened = only_span(recorder), lines(recorder, "L")[0].record
    assert {span["startTimeUnixNano"], span["endTimeUnixNano"], opened["timeUnixNano"]} == {recorded}


def test_a_tracers_name_that_is_no_unicode_is_recorded_all_the_same(recorder: Recorder) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SpoolSpanProcessor())
    provider.get_tracer("odd \ud800").start_span("s").end()

    assert [line.scope for line in lines(recorder, "T")] == ["odd \\ud800"]


def test_an_exception_is_an_event_and_the_status(recorder: Recorder, tracer: Tracer) -> None:
    with pytest.raises(ValueError, match="no"), tracer.start_as_current_span("work"):
        raise ValueError("no")
    span = only_span(recorder)
    assert span["status"] == {"code": 2, "message": "ValueError: no"}
    [event] = span["events"]
    assert event["name"] == "exception"
    assert read_attributes(event["attributes"])["exception.message"] == "no"


def test_a_status_without_words_has_only_its_code(recorder: Recorder, tracer: Tracer) -> None:
    span = tracer.start_span("work")
    span.set_status(Status(StatusCode.OK))
    span.end()
    assert only_span(recorder)["status"] == {"code": 1}


def test_links_keep_their_ids(recorder: Recorder, tracer: Tracer) -> None:
    other = tracer.start_span("other", context=parent_context(trace_id(UID), SPAN))
    tracer.start_span(
        "work", context=set_span_in_context(other), links=[Link(other.get_span_context(), {"a": 1})]
    ).end()
    [link] = only_span(recorder)["links"]
    assert (link["traceId"], read_attributes(link["attributes"])) == (trace_id(UID), {"a": 1})
    assert int(link["spanId"], 16) == other.get_span_context().span_id


def test_outside_a_run_a_span_is_nobodys(tracer: Tracer) -> None:
    with tracer.start_as_current_span("work"):
        pass


def test_a_provider_that_the_users_code_sets_has_its_spans_and_so_has_the_record(installed: Recorder) -> None:
    own, exported = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    own.add_span_processor(SimpleSpanProcessor(exported))
    before = trace.get_tracer("before")

    trace.set_tracer_provider(own)
    before.start_span("of a tracer of ours").end()
    trace.get_tracer("after").start_span("of theirs").end()

    assert trace.get_tracer_provider() is own
    assert [span.name for span in exported.get_finished_spans()] == ["of theirs"]
    assert [line.record["name"] for line in lines(installed, "T")] == ["of a tracer of ours", "of theirs"]


def test_only_one_provider_can_be_set_as_without_us(installed: Recorder) -> None:
    first, second = TracerProvider(shutdown_on_exit=False), TracerProvider(shutdown_on_exit=False)

    trace.set_tracer_provider(first)
    trace.set_tracer_provider(second)

    assert trace.get_tracer_provider() is first


def test_a_provider_that_cannot_be_joined_makes_the_loss_unknown(installed: Recorder) -> None:
    class Foreign(trace.TracerProvider):
        def get_tracer(self, *_args: Any, **_named: Any) -> Tracer:
            return trace.NoOpTracer()

    trace.set_tracer_provider(Foreign())

    assert [line.record["eventName"] for line in lines(installed, "L")] == [c.EVENT_NOT_CAPTURED]
