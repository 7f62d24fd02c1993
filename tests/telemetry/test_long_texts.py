"""A text that is too long for a record is cut, and says how long it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vaportrail.contract.outcome import Failure
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.shipper.lines import LINE_LIMIT
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.exceptions import span_failure
from vaportrail.telemetry.long_texts import TEXT_LIMIT
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.spool import SpoolLine, read_spool
from vaportrail.telemetry.values import from_any_value, read_attributes

LONG = "x" * (TEXT_LIMIT + 5)
CUT = f"{'x' * TEXT_LIMIT}… [cut: {TEXT_LIMIT + 5} characters in all]"


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    identity = RunIdentity("7d2ab5c0-0000-4000-8000-000000000001", "mnist", "first", 5)
    return Recorder(RunSettings(identity, str(tmp_path), str(tmp_path), "runs/mnist/x"), "worker")


def raw_lines(recorder: Recorder) -> list[bytes]:
    recorder.writer.close()
    path = recorder.writer.directory / f"{recorder.writer.header.writer}.spool"
    return path.read_bytes().splitlines(keepends=True)[1:]


def only(recorder: Recorder) -> SpoolLine:
    [line] = read_spool(iter(raw_lines(recorder)))
    return line


def body(recorder: Recorder) -> Any:
    return from_any_value(only(recorder).record["body"])


def test_a_long_message_is_cut_and_says_its_length(recorder: Recorder) -> None:
    recorder.log(LONG)
    assert body(recorder) == CUT


@pytest.mark.parametrize("text", ["x" * TEXT_LIMIT, "\u00e9" * TEXT_LIMIT], ids=["ascii", "letters"])
def test_a_text_of_the_longest_length_is_whole(recorder: Recorder, text: str) -> None:
    recorder.log(text)
    assert body(recorder) == text


def test_texts_that_are_long_only_together_are_whole(recorder: Recorder) -> None:
    halves = ["x" * (TEXT_LIMIT - 1)] * 3
    recorder.log(halves)
    assert body(recorder) == halves


def test_a_failed_span_tells_the_start_of_a_long_exception(recorder: Recorder) -> None:
    failure = Failure("ValueError", LONG, LONG)
    recorder.span("work", "00000000000000cc", "", 1, 2, ok=False, message=LONG, failure=failure)
    record = only(recorder).record
    assert record["status"]["message"] == CUT
    assert span_failure(record) == Failure("ValueError", CUT, CUT)


def test_a_long_name_of_a_span_is_cut(recorder: Recorder) -> None:
    recorder.span(LONG, "00000000000000cc", "", 1, 2)
    assert only(recorder).record["name"] == CUT


def test_an_attribute_that_is_json_stays_json(recorder: Recorder) -> None:
    told = json.dumps({"argument": LONG})
    recorder.log(LONG, values={c.TASK_ARGUMENTS: told})
    line = only(recorder)
    assert read_attributes(line.record["attributes"])[c.TASK_ARGUMENTS] == told
    assert from_any_value(line.record["body"]) == CUT


def test_a_secret_at_the_cut_is_replaced_as_a_whole(recorder: Recorder) -> None:
    recorder.keep_secret({"MY_TOKEN": "hunter2-hunter2"})
    recorder.log("x" * (TEXT_LIMIT - 7) + "hunter2-hunter2")
    assert "hunter2" not in body(recorder)


@pytest.mark.parametrize("letter", ["x", '"', "\u65e5", "\U0001f600"], ids=repr)
def test_what_a_failure_says_is_never_too_large_to_ship(recorder: Recorder, letter: str) -> None:
    text = letter * 2 * TEXT_LIMIT
    failure = Failure("ValueError", text, text)
    recorder.span("work", "00000000000000cc", "", 1, 2, ok=False, message=text, failure=failure)
    [line] = raw_lines(recorder)
    assert len(line) <= LINE_LIMIT
