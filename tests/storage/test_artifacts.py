"""Artifacts: stored once under their own hash, and read only if they are what was logged."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vaportrail import Artifact
from vaportrail.errors import RecordError, RecordNotFound
from vaportrail.storage import artifacts
from vaportrail.storage.artifacts import guess_media_type, store_artifact

LARGE = 9 * 2**20
CONTENT = b"0123456789abcdef" * (LARGE // 16)


@pytest.fixture(autouse=True)
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store what is over 8 MiB in parts, as what is over 64 MiB is: it takes a tenth of the time."""
    monkeypatch.setattr(artifacts, "ONE_PIECE", 8 * 2**20)


class Unseekable(io.RawIOBase):
    """A stream that can only be read on, and gives less than is asked for."""

    def __init__(self, content: bytes) -> None:
        self._rest = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(min(size, 100_003))


def as_path(content: bytes, folder: Path) -> Any:
    path = folder / "source"
    path.write_bytes(content)
    return path


SOURCES: dict[str, Callable[[bytes, Path], Any]] = {
    "bytes": lambda content, _: content,
    "path": as_path,
    "text path": lambda content, folder: str(as_path(content, folder)),
    "stream": lambda content, _: io.BytesIO(content),
    "unseekable stream": lambda content, _: Unseekable(content),
}


@pytest.mark.parametrize("content", [b"", b"small", CONTENT], ids=["empty", "small", "over 8 MiB"])
@pytest.mark.parametrize("source", SOURCES)
def test_a_file_of_any_kind_and_size_is_stored_under_its_hash(
    tmp_path: Path, source: str, content: bytes
) -> None:
    root = tmp_path / "record"
    stored = store_artifact(str(root), "a.bin", SOURCES[source](content, tmp_path))
    digest = hashlib.sha256(content).hexdigest()
    assert (stored.sha256, stored.size, stored.name) == (digest, len(content), "a.bin")
    assert [path.name for path in (root / "artifacts").iterdir()] == [digest]
    assert hashlib.sha256(stored.read()).hexdigest() == digest


@pytest.mark.parametrize("content", [b"small", CONTENT], ids=["small", "over 8 MiB"])
def test_the_same_content_is_stored_once(tmp_path: Path, content: bytes) -> None:
    source = as_path(content, tmp_path)
    first = store_artifact(str(tmp_path / "record"), "a", source)
    place = Path(first.uri)
    made = place.stat().st_ino
    second = store_artifact(str(tmp_path / "record"), "b", source)
    assert (second.name, second.sha256) == ("b", first.sha256)
    assert place.stat().st_ino == made


def test_a_large_file_is_downloaded_as_it_was(tmp_path: Path) -> None:
    stored = store_artifact(str(tmp_path / "record"), "a", as_path(CONTENT, tmp_path))
    target = stored.download(tmp_path / "copy")
    assert target == tmp_path / "copy"
    assert target.read_bytes() == CONTENT


def damaged(tmp_path: Path) -> Artifact:
    stored = store_artifact(str(tmp_path / "record"), "a", b"content")
    Path(stored.uri).write_bytes(b"contenT")
    return stored


def test_damage_is_found_when_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"artifact 'a' at .* is not what was logged"):
        damaged(tmp_path).read()


def test_damage_is_found_when_it_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"artifact 'a' at .* is not what was logged"):
        damaged(tmp_path).download(tmp_path / "copy")


def test_an_artifact_that_is_gone_says_where_it_was(tmp_path: Path) -> None:
    stored = store_artifact(str(tmp_path / "record"), "a", b"content")
    Path(stored.uri).unlink()
    with pytest.raises(RecordNotFound, match=r"nothing stands at .*/record/artifacts/"):
        stored.read()


def test_an_artifact_can_be_handed_to_another_process(tmp_path: Path) -> None:
    stored = store_artifact(str(tmp_path / "record"), "a", b"content")
    assert pickle.loads(pickle.dumps(stored)) == stored
    assert pickle.loads(pickle.dumps(stored)).read() == b"content"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("m.onnx", "application/onnx"),
        ("x/y.IPYNB", "application/x-ipynb+json"),
        ("a.csv", "text/csv"),
        ("a.png", "image/png"),
        ("a.json", "application/json"),
        ("README.md", "text/markdown"),
        ("noending", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
    ],
)
def test_a_media_type_is_guessed_by_the_names_ending(name: str, media_type: str) -> None:
    assert guess_media_type(name) == media_type


def test_a_media_type_that_is_given_is_kept(tmp_path: Path) -> None:
    stored = store_artifact(str(tmp_path / "r"), "a.csv", b"", media_type="text/x-mine", kind="table")
    assert (stored.media_type, stored.kind) == ("text/x-mine", "table")
