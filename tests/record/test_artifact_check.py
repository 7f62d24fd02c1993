"""What a seal proves of stored files: small ones are read, of large ones their size is asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from vaportrail.record.seal import artifact_check
from vaportrail.record.seal.artifact_check import check_artifacts
from vaportrail.record.seal.spool_plan import ArtifactEntry
from vaportrail.storage.layout import artifact_path
from vaportrail.storage.store import open_store

CONTENT = b"x" * 1000
PATH = artifact_path(hashlib.sha256(CONTENT).hexdigest())


def checked(folder: Path, content: bytes | None) -> tuple[list[str], list[str]]:
    """Return the paths of those that are files of the record, and of those that are not."""
    (folder / "artifacts").mkdir()
    if content is not None:
        (folder / PATH).write_bytes(content)
    planned = [ArtifactEntry(path=PATH, size=len(CONTENT))]
    files, damaged = check_artifacts(open_store(str(folder)), planned, lambda line: None)
    return [file.path for file in files], damaged


@pytest.mark.parametrize("read", [10, 10_000], ids=["large", "small"])
def test_one_that_is_there_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: int) -> None:
    monkeypatch.setattr(artifact_check, "READ_BYTES", read)

    assert checked(tmp_path, CONTENT) == ([PATH], [])


@pytest.mark.parametrize("read", [10, 10_000], ids=["large", "small"])
@pytest.mark.parametrize("content", [None, CONTENT[:-1]], ids=["gone", "cut"])
def test_one_that_is_gone_or_cut_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: int, content: bytes | None
) -> None:
    monkeypatch.setattr(artifact_check, "READ_BYTES", read)

    assert checked(tmp_path, content) == ([], [PATH])


def test_a_changed_byte_of_a_small_one_is_found(tmp_path: Path) -> None:
    assert checked(tmp_path, b"y" + CONTENT[1:]) == ([], [PATH])


def test_a_link_in_place_of_a_large_one_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact_check, "READ_BYTES", 10)
    (tmp_path / "elsewhere").write_bytes(CONTENT)
    (tmp_path / "artifacts").mkdir()
    (tmp_path / PATH).symlink_to(tmp_path / "elsewhere")
    planned = [ArtifactEntry(path=PATH, size=len(CONTENT))]

    assert check_artifacts(open_store(str(tmp_path)), planned, lambda line: None) == ([], [PATH])
