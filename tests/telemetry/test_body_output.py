"""What the pipeline's body prints is shown as ever, and recorded; showing never decides."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.execution.run_recorder import write_finished
from vaportrail.execution.verdict import Verdict
from vaportrail.record.spooled import spooled_records
from vaportrail.storage.store import open_store
from vaportrail.telemetry import body_output
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.body_output import Tee, recorded_output
from vaportrail.telemetry.output_files import OutputFiles
from vaportrail.telemetry.recorder import Recorder


class Gone(io.StringIO):
    """A stream whose terminal went away."""

    def write(self, _text: str) -> int:
        raise OSError(5, "Input/output error")

    def flush(self) -> None:
        raise OSError(5, "Input/output error")


def recorded(folder: Path, body: Callable[[], Any]) -> list[tuple[str, str]]:
    """Return the stream and the text of each record that is made while `body` runs."""
    recorder = Recorder(
        RunSettings(RunIdentity("uid", "p", "p", 1), str(folder), str(folder), "x"), "runner", writer_id="w"
    )
    with recorded_output(recorder):
        body()
    recorder.writer.close()
    found = spooled_records(open_store(str(folder)), "w.spool")
    return [(record.scope, record.body["body"]["stringValue"]) for record in found]


def test_what_is_printed_is_shown_and_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = recorded(tmp_path, lambda: (print("out"), print("err", file=sys.stderr)))

    assert sorted(lines) == [("stderr", "err"), ("stdout", "out")]
    assert capsys.readouterr() == ("out\n", "err\n")


def test_a_last_line_without_its_end_is_recorded(tmp_path: Path) -> None:
    assert recorded(tmp_path, lambda: print("no end", end="")) == [("stdout", "no end")]


def test_a_terminal_that_went_away_does_not_keep_it_from_being_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Gone())

    assert recorded(tmp_path, lambda: print("out", flush=True)) == [("stdout", "out")]


@pytest.mark.parametrize("stream", [None, io.StringIO()], ids=["none", "without bytes below it"])
def test_any_stream_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: Any) -> None:
    monkeypatch.setattr(sys, "stdout", stream)

    assert recorded(tmp_path, lambda: sys.stdout.write("out\n")) == [("stdout", "out")]


def test_what_the_body_keeps_for_itself_is_not_recorded(tmp_path: Path) -> None:
    def body() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            print("kept")

    assert recorded(tmp_path, body) == []


def test_the_streams_are_as_before_even_where_the_body_replaced_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (sys.stdout, sys.stderr)
    recorded(tmp_path, lambda: setattr(sys, "stdout", io.StringIO()))

    assert (sys.stdout, sys.stderr) == before


def test_who_keeps_the_stream_goes_on_with_the_one_below(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[Any] = []
    recorded(tmp_path, lambda: kept.append(sys.stdout))
    kept[0].write("after the run\n")

    assert capsys.readouterr().out == "after the run\n"


def test_a_stream_tells_of_the_terminal_below_it(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    with open(theirs, "w", encoding="latin-1") as terminal:
        tee = Tee(terminal, body_output.Sink(os.open(tmp_path / "sink", os.O_WRONLY | os.O_CREAT)))

        assert (tee.isatty(), tee.fileno(), tee.encoding) == (True, theirs, "latin-1")
        assert os.get_terminal_size(tee.fileno()) is not None
    os.close(ours)


def test_a_disk_that_is_full_is_told_and_breaks_nothing(tmp_path: Path) -> None:
    recorder = Recorder(
        RunSettings(RunIdentity("uid", "p", "p", 1), str(tmp_path), str(tmp_path), "x"),
        "runner",
        writer_id="w",
    )
    with recorded_output(recorder), open("/dev/full", "wb") as full:
        tee: Any = sys.stdout
        tee._sink._fd = full.fileno()
        print("lost", end="")
    recorder.writer.close()
    (told,) = spooled_records(open_store(str(tmp_path)), "w.spool")

    assert told.body["eventName"] == c.EVENT_NOT_CAPTURED
    assert told.attributes[c.NOT_CAPTURED_COUNT] == 1


def test_what_a_full_disk_swallowed_is_told_as_soon_as_there_is_space(tmp_path: Path) -> None:
    settings = RunSettings(RunIdentity("uid", "p", "p", 1), str(tmp_path), str(tmp_path), "x")
    recorder = Recorder(settings, "runner", writer_id="w")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with recorded_output(recorder):
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
            for _ in range(1000):
                print("y" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    write_finished(recorder, Verdict(Outcome.SUCCEEDED, "done"))
    recorder.writer.close()
    found = list(spooled_records(open_store(str(tmp_path)), "w.spool"))
    (told,) = (each for each in found if each.body.get("eventName") == c.EVENT_NOT_CAPTURED)

    assert told.body["body"]["stringValue"] == body_output._FULL
    assert told.attributes[c.NOT_CAPTURED_COUNT] > 1000


def test_much_output_at_once_is_recorded_without_being_held_in_memory(tmp_path: Path) -> None:
    settings = RunSettings(RunIdentity("uid", "p", "p", 1), str(tmp_path), str(tmp_path), "x")
    files = OutputFiles(Recorder(settings, "runner", writer_id="w"))
    size = 12 << 20
    os.write(files.write["stdout"], b"x" * size)
    tracemalloc.start()
    files.drain()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    found = spooled_records(open_store(str(tmp_path)), "w.spool")

    assert sum(len(record.body["body"]["stringValue"]) for record in found) == size
    assert most < size // 2


def test_what_is_no_text_is_refused_as_ever(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        recorded(tmp_path, lambda: sys.stdout.write(5))  # type: ignore[arg-type]
