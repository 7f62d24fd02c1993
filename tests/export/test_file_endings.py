"""A file that was logged without an ending has the one of its kind in an unpacked tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.made_facts import make_facts

from vaportrail.export.tree import write_tree
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.rows import ArtifactInfo
from vaportrail.storage.artifacts import store_artifact


@pytest.mark.parametrize(
    ("kind", "media_type", "name", "file"),
    [
        ("figure", "image/png", "curve", "curve.png"),
        ("figure", "application/vnd.plotly.v1+json", "folder/curve", "folder/curve.json"),
        ("json", "application/json", "shape", "shape.json"),
        ("table", "text/csv", "rows", "rows.csv"),
        ("text", "text/plain", "words", "words.txt"),
        ("image", "image/png", "digit.png", "digit.png"),
        ("text", "text/plain", "notes.md", "notes.md"),
        ("file", "text/plain", "Makefile", "Makefile"),
        ("image", "application/octet-stream", "digit", "digit"),
    ],
)
def test_a_file_has_the_ending_of_its_kind(
    tmp_path: Path, kind: str, media_type: str, name: str, file: str
) -> None:
    place, spool = tmp_path / "record", tmp_path / "spool"
    spool.mkdir()
    stored = store_artifact(str(place), name, b"bytes", media_type=media_type, kind=kind)
    logged = ArtifactInfo(
        task="", attempt=0, name=name, kind=kind, path=f"artifacts/{stored.sha256}", sha256=stored.sha256,
        size=5, media_type=media_type,
    )  # fmt: skip
    facts = make_facts(artifacts=[logged])

    write_tree(Run(str(place), facts, spool=spool), tmp_path / "tree", lambda line: None)

    assert (tmp_path / "tree" / "pipeline" / file).read_bytes() == b"bytes"


def test_a_name_that_is_taken_then_gets_a_number(tmp_path: Path) -> None:
    place, spool = tmp_path / "record", tmp_path / "spool"
    spool.mkdir()
    logged = []
    for name, content in {"curve": b"one", "curve.png": b"two"}.items():
        stored = store_artifact(str(place), name, content, media_type="image/png", kind="figure")
        logged.append(
            ArtifactInfo(
                task="",
                attempt=0,
                name=name,
                kind="figure",
                path=f"artifacts/{stored.sha256}",
                sha256=stored.sha256,
                size=3,
                media_type="image/png",
            )
        )
    facts = make_facts(artifacts=logged)

    write_tree(Run(str(place), facts, spool=spool), tmp_path / "tree", lambda line: None)

    found = {path.name: path.read_bytes() for path in (tmp_path / "tree" / "pipeline").iterdir()}
    assert found == {"curve.png": b"one", "curve-2.png": b"two"}
