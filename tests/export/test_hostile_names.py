"""What a record's names and texts do to the folder that it is unpacked into: nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.made_facts import make_facts

from vaportrail.export.tree import write_tree
from vaportrail.record.otlp_lines import Record
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.rows import ArtifactInfo
from vaportrail.storage.artifacts import store_artifact
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import attributes


def unpack(tmp_path: Path, *names: str) -> list[Path]:
    """Return the files that are unpacked of a record with files of these names."""
    place, spool = tmp_path / "record", tmp_path / "spool"
    spool.mkdir()
    stored = store_artifact(str(place), "x", b"bytes", media_type="text/plain", kind="file")
    logged = [
        ArtifactInfo(
            task="", attempt=0, name=name, kind="file", path=f"artifacts/{stored.sha256}",
            sha256=stored.sha256, size=5, media_type="text/plain",
        )
        for name in names
    ]  # fmt: skip
    facts = make_facts(artifacts=logged)
    said: list[str] = []
    write_tree(Run(str(place), facts, spool=spool), tmp_path / "tree", said.append)
    assert said == []
    return [path for path in (tmp_path / "tree" / "pipeline").rglob("*") if path.is_file()]


def test_a_name_of_any_depth_and_length_is_written_and_keeps_no_other_from_it(tmp_path: Path) -> None:
    written = unpack(tmp_path, "a/" * 1_500 + "x", "a/" * 1_500 + "y", "/".join(["b" * 200] * 30), "last")

    assert len(written) == 4
    assert "last" in {path.name for path in written}


def test_many_names_that_are_written_alike_take_a_look_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    exists = Path.exists

    def look(path: Path) -> bool:
        looked.append(path)
        return exists(path)

    monkeypatch.setattr(Path, "exists", look)

    written = unpack(tmp_path, *(f"{'x' * 200}{number}" for number in range(60)))

    assert len(written) == 60
    assert sum("xxx" in path.name for path in looked) == 60


def test_no_name_of_a_file_acts_on_a_terminal_or_turns_the_direction_of_text(tmp_path: Path) -> None:
    written = unpack(tmp_path, "a\x1b[31m\x9b\x7f\u202egnp.exe")

    assert [path.name for path in written] == ["a_[31m___gnp.exe"]


def test_no_line_of_a_log_acts_on_a_terminal_or_makes_another_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "a\x1b]0;t\x07\u202eb\r\n12:01 stdout forged"
    named = attributes({c.SEQ: 1})
    body = {"timeUnixNano": "0", "body": {"stringValue": text}, "attributes": named}
    monkeypatch.setattr(Run, "log_records", lambda run: [Record("L", {}, "stdout", body)])

    unpack(tmp_path)

    log = (tmp_path / "tree" / "pipeline" / "log.txt").read_text(encoding="utf-8")
    assert (
        log == "1970-01-01T00:00:00.000000000Z stdout a\\x1b]0;t\\x07\\u202eb\\r\n    12:01 stdout forged\n"
    )


@pytest.mark.parametrize("name", ["log.txt", "log.txt/inner", "metrics.csv", "metrics.csv/inner"])
def test_a_file_of_the_body_leaves_the_log_and_the_values_their_names(tmp_path: Path, name: str) -> None:
    [written] = unpack(tmp_path, name)

    assert written.relative_to(tmp_path / "tree" / "pipeline").as_posix() == f"_{name}"
    assert written.read_bytes() == b"bytes"
