"""A process's hand on the record: lines that come back from the spool with the right ids and times."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vaportrail.contract.outcome import Failure
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.active_recorder import active, install, uninstall
from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope
from vaportrail.telemetry.context import context
from vaportrail.telemetry.identity import run_span_id, trace_id
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.secret_digests import read_digests
from vaportrail.telemetry.spool import SpoolLine, read_header, read_spool
from vaportrail.telemetry.stdlib_logging import SpoolHandler
from vaportrail.telemetry.values import read_attributes

UID = "7d2ab5c0-0000-4000-8000-000000000001"
ATTEMPT = AttemptScope("train-2", "train", 3, "00000000000000aa", scratch="/nowhere")


def make_settings(root: Path, uid: str = UID) -> RunSettings:
    identity = RunIdentity(uid, "mnist", "first", 5, parameters={"n": 3})
    return RunSettings(identity, str(root / "spool"), str(root), "runs/mnist/x")


@pytest.fixture
def settings(tmp_path: Path) -> RunSettings:
    return make_settings(tmp_path)


@pytest.fixture
def recorder(settings: RunSettings) -> Iterator[Recorder]:
    made = Recorder(settings, "runner", clock=itertools.count(1000).__next__, writer_id="runner-0")
    yield made
    made.writer.close()


@pytest.fixture
def in_attempt(settings: RunSettings) -> Iterator[AttemptScope]:
    set_attempt_scope(ATTEMPT, settings)
    yield ATTEMPT
    set_attempt_scope(None)


def lines(recorder: Recorder) -> list[SpoolLine]:
    path = recorder.writer.directory / f"{recorder.writer.header.writer}.spool"
    return list(read_spool(iter(path.read_bytes().splitlines(keepends=True)[1:])))


def named(line: SpoolLine) -> dict[str, Any]:
    return read_attributes(line.record["attributes"])


def test_a_log_line_has_the_clocks_time_and_the_runs_ids(recorder: Recorder) -> None:
    recorder.log("hello", scope="my.scope")
    [line] = lines(recorder)
    assert (line.seq, line.kind, line.scope) == (1, "L", "my.scope")
    assert line.record == {
        "timeUnixNano": "1001",  # the header took the first
        "observedTimeUnixNano": "1001",
        "severityNumber": 9,
        "severityText": "INFO",
        "body": {"stringValue": "hello"},
        "attributes": [{"key": "vaportrail.seq", "value": {"intValue": "1"}}],
        "traceId": trace_id(UID),
        "spanId": run_span_id(UID),
    }


def test_an_event_has_its_name_and_time(recorder: Recorder) -> None:
    recorder.log(event="my.event", unix_nano=42)
    [line] = lines(recorder)
    assert (line.record["eventName"], line.record["timeUnixNano"]) == ("my.event", "42")
    assert "body" not in line.record


def test_a_log_line_within_an_attempt_belongs_to_it(recorder: Recorder, in_attempt: AttemptScope) -> None:
    recorder.log("x")
    [line] = lines(recorder)
    assert line.record["spanId"] == in_attempt.span_id
    assert named(line).items() >= {c.TASK_RUN_ID: "train-2", c.ATTEMPT: 3}.items()


def test_what_is_said_for_another_attempt_belongs_to_that_one(
    recorder: Recorder, in_attempt: AttemptScope
) -> None:
    recorder.log("x", attempt=AttemptScope("other-1", "other", 1, "00000000000000bb"))
    [line] = lines(recorder)
    assert line.record["spanId"] == "00000000000000bb"
    assert named(line)[c.TASK_RUN_ID] == "other-1"


def test_values_that_are_none_are_left_out(recorder: Recorder) -> None:
    recorder.log(values={"a": None, "b": 0})
    assert named(lines(recorder)[0]) == {"b": 0, c.SEQ: 1}


def test_an_opened_span_says_name_parent_and_kind(recorder: Recorder) -> None:
    recorder.span_started("work", "00000000000000cc", "00000000000000dd", kind=2, values={"x": 1})
    [line] = lines(recorder)
    assert (line.record["eventName"], line.record["spanId"]) == (c.EVENT_SPAN_STARTED, "00000000000000cc")
    expected = {c.SPAN_NAME: "work", c.SPAN_PARENT: "00000000000000dd", c.SPAN_KIND: 2, "x": 1, c.SEQ: 1}
    assert named(line) == expected


def test_an_ended_span_has_parent_times_and_links(recorder: Recorder) -> None:
    recorder.span(
        "work", "00000000000000cc", "00000000000000dd", 10, 20, links=["00000000000000ee"], values={"x": 1}
    )
    [line] = lines(recorder)
    assert line.kind == "T"
    record = dict(line.record)
    assert read_attributes(record.pop("attributes")) == {"x": 1, c.SEQ: 1}
    assert record == {
        "traceId": trace_id(UID),
        "spanId": "00000000000000cc",
        "parentSpanId": "00000000000000dd",
        "name": "work",
        "kind": 1,
        "startTimeUnixNano": "10",
        "endTimeUnixNano": "20",
        "links": [{"traceId": trace_id(UID), "spanId": "00000000000000ee"}],
        "status": {"code": 1},
    }


def test_a_root_span_has_no_parent(recorder: Recorder) -> None:
    recorder.span("run", recorder.run_span_id, "", 1, 2)
    assert "parentSpanId" not in lines(recorder)[0].record


def test_a_failed_span_tells_the_exception(recorder: Recorder) -> None:
    failure = Failure("builtins.ValueError", "no", "Traceback …")
    recorder.span("work", "00000000000000cc", "", 1, 2, ok=False, message="no", failure=failure)
    record = lines(recorder)[0].record
    assert record["status"] == {"code": 2, "message": "no"}
    [event] = record["events"]
    assert (event["name"], event["timeUnixNano"]) == ("exception", "2")
    assert read_attributes(event["attributes"]) == {
        c.EXCEPTION_TYPE: "builtins.ValueError",
        c.EXCEPTION_MESSAGE: "no",
        c.EXCEPTION_STACKTRACE: "Traceback …",
    }


def test_a_milestone_is_the_runs_own(recorder: Recorder, in_attempt: AttemptScope) -> None:
    recorder.moment("ray started", unix_nano=9)
    record = lines(recorder)[0].record
    assert (record["eventName"], record["body"]) == (c.EVENT_MILESTONE, {"stringValue": "ray started"})
    assert (record["spanId"], record["timeUnixNano"]) == (run_span_id(UID), "9")


def test_the_numbers_of_log_lines_and_spans_are_one_sequence(recorder: Recorder) -> None:
    recorder.log("a")
    recorder.span("b", "00000000000000cc", "", 1, 2)
    recorder.log("c")
    assert [(line.seq, line.kind, named(line)[c.SEQ]) for line in lines(recorder)] == [
        (1, "L", 1),
        (2, "T", 2),
        (3, "L", 3),
    ]


def test_the_header_says_which_process_writes(recorder: Recorder) -> None:
    path = recorder.writer.directory / "runner-0.spool"
    header = read_header(path.read_bytes().splitlines()[0])
    assert header is not None
    assert (header.writer, header.role, header.started_unix_nano) == ("runner-0", "runner", 1000)
    resource = read_attributes(header.resource["attributes"])
    assert set(resource) <= {attribute.name for attribute in c.ATTRIBUTES}
    assert (resource[c.PIPELINE_RUN_ID], resource[c.PROCESS_PID]) == (UID, os.getpid())


def test_a_secret_of_the_environment_is_not_recorded(
    settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", 'hunter2-"quoted"')
    recorder = Recorder(settings, "worker")
    recorder.log('logged in with hunter2-"quoted"!')
    recorder.writer.close()
    assert lines(recorder)[0].record["body"] == {"stringValue": "logged in with [redacted:MY_TOKEN]!"}


def test_a_writer_beside_another_has_files_of_its_own_and_the_same_secrets(recorder: Recorder) -> None:
    recorder.keep_secret({"MY_TOKEN": "hunter2-hunter2"})
    other = recorder.beside("cells")
    recorder.log("one")
    other.log("logged in with hunter2-hunter2!")
    other.writer.close()

    [line] = lines(other)
    digests = read_digests((other.writer.directory / f"{other.writer.header.writer}.digests").read_bytes())
    assert (line.seq, line.record["body"]) == (1, {"stringValue": "logged in with [redacted:MY_TOKEN]!"})
    assert other.writer.header.writer.startswith("cells-")
    assert digests is not None
    assert digests("hunter2-hunter2") == "[redacted:MY_TOKEN]"


# The process's own recorder.


@pytest.fixture
def forget() -> Iterator[None]:
    yield
    uninstall()


def test_outside_a_run_there_is_no_recorder() -> None:
    assert active() is None


def test_a_process_keeps_one_recorder_a_run(settings: RunSettings, forget: None) -> None:
    first = install(settings, "worker")
    assert install(settings, "worker") is first
    assert active() is first


def test_another_run_gets_another_recorder(tmp_path: Path, settings: RunSettings, forget: None) -> None:
    first = install(settings, "worker")
    other = install(make_settings(tmp_path / "other", "another-uid"), "worker")
    assert other is not first
    assert active() is other
    first.writer.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_of_a_runs_process_writes_a_file_of_its_own(settings: RunSettings, forget: None) -> None:
    parent = install(settings, "worker")
    parent.log("parent")
    pid = os.fork()
    if pid == 0:
        recorder = active()
        assert recorder is not None
        recorder.log("child")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert [line.record["body"] for line in lines(parent)] == [{"stringValue": "parent"}]
    assert len(list(Path(settings.spool).glob("*.spool"))) == 2


def test_the_standard_librarys_logging_is_recorded(settings: RunSettings, forget: None) -> None:
    recorder = install(settings, "worker")
    logger = logging.getLogger("test_recorder.logging")
    handler = SpoolHandler()
    logger.addHandler(handler)
    logger.propagate = False
    try:
        try:
            raise KeyError("k")
        except KeyError:
            logger.exception("it %s", "broke")
    finally:
        logger.removeHandler(handler)
    [line] = lines(recorder)
    assert (line.scope, line.record["body"]) == ("test_recorder.logging", {"stringValue": "it broke"})
    assert line.record["severityText"] == "ERROR"
    told = named(line)
    assert (told[c.CODE_FILE_PATH], told[c.EXCEPTION_TYPE]) == (__file__, "KeyError")
    assert "KeyError: 'k'" in told[c.EXCEPTION_STACKTRACE]
    assert c.THREAD_NAME not in told


def test_a_logging_handler_does_nothing_outside_a_run() -> None:
    SpoolHandler().emit(logging.makeLogRecord({"msg": "x"}))


# What a task may ask about itself.


def test_a_task_can_ask_who_it_is(in_attempt: AttemptScope) -> None:
    found = context()
    assert (found.run_id, found.pipeline, found.task, found.attempt) == (UID, "mnist", "train-2", 3)
    assert (found.deadline, found.parameters) == (None, {"n": 3})


def test_outside_a_task_there_is_nobody_to_describe() -> None:
    with pytest.raises(LookupError, match="inside a task of a run"):
        context()


def test_settings_travel_as_json(settings: RunSettings) -> None:
    assert RunSettings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"identity": {}}', "null"], ids=repr)
def test_other_text_is_no_settings(text: str) -> None:
    with pytest.raises(ValueError):
        RunSettings.from_json(text)
