"""What a run's processes hand each other is read only where this user wrote it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vaportrail.errors import UsageError
from vaportrail.telemetry.private_files import append_private, read_private, write_private


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("write", [write_private, append_private])
def test_what_is_written_is_for_its_user_alone(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    write(tmp_path / "file", b"data")

    assert read_private(tmp_path / "file") == b"data"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_appended_follows_what_was_there(tmp_path: Path) -> None:
    append_private(tmp_path / "file", b"one")
    append_private(tmp_path / "file", b"two")

    assert read_private(tmp_path / "file") == b"onetwo"


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / "file").symlink_to(tmp_path / "theirs")

    write_private(tmp_path / "file", b"ours")

    assert (tmp_path / "theirs").read_bytes() == b"theirs"
    assert read_private(tmp_path / "file") == b"ours"


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_private(tmp_path / "file")


def link(path: Path) -> None:
    path.with_name("target").write_bytes(b"target")
    path.symlink_to(path.with_name("target"))


@pytest.mark.parametrize("make", [link, os.mkfifo, Path.mkdir], ids=["a link", "a pipe", "a folder"])
def test_what_is_no_file_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "file")

    with pytest.raises(UsageError, match="file is not read"):
        read_private(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_file_is_neither_read_nor_appended_to(tmp_path: Path) -> None:
    write_private(tmp_path / "file", b"data")
    os.chown(tmp_path / "file", 65534, 65534)

    with pytest.raises(UsageError, match="another user's"):
        read_private(tmp_path / "file")
    with pytest.raises(UsageError, match="another user's"):
        append_private(tmp_path / "file", b"data")
