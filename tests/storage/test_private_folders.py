"""Folders that are this user's alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vaportrail.execution.ray_session import session_folder
from vaportrail.storage.private import open_folder, private_folder


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o777


@pytest.fixture
def umask() -> int:
    before = os.umask(0o002)
    os.umask(before)
    return before


def test_it_is_made_for_this_user_alone_and_taken_again(tmp_path: Path) -> None:
    path = private_folder(tmp_path / "above" / "it")

    assert mode(path) == 0o700
    assert private_folder(path) == path


def test_what_others_could_have_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o770)

    with pytest.raises(PermissionError, match=r"open to others \(mode 0770\); remove it, or set TMPDIR"):
        private_folder(tmp_path / "open")


def test_a_link_is_refused_wherever_it_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(private_folder(tmp_path / "mine"))

    with pytest.raises(PermissionError, match="is no folder"):
        private_folder(tmp_path / "link")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_is_refused(tmp_path: Path) -> None:
    os.chown(private_folder(tmp_path / "theirs"), 65534, 65534)

    with pytest.raises(PermissionError, match="belongs to user 65534"):
        private_folder(tmp_path / "theirs")


def test_what_is_opened_has_the_mode_of_new_folders(tmp_path: Path, umask: int) -> None:
    path = private_folder(tmp_path / "mine")
    open_folder(path)

    assert mode(path) == 0o777 & ~umask


def test_a_sessions_sockets_have_room_below_a_long_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 60)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))

    with session_folder() as folder:
        session = "session_2026-11-29_16-01-20_880123_4194304"
        assert len(os.fsencode(folder.ray / session / "sockets" / "plasma_store")) <= 107
        assert [mode(path) for path in (folder.ray, folder.scratch, folder.ray.parent)] == [0o700] * 3
    assert not folder.ray.parent.exists()
