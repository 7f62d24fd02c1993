"""Only regular files are read of a folder: nothing else answers, hangs or leads elsewhere."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from vaportrail.errors import RecordError, RecordNotFound
from vaportrail.storage.regular import hold, open_lock
from vaportrail.storage.store import open_store


def put(folder: Path, what: str) -> None:
    path = folder / "manifest.json"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "device":
        path.symlink_to("/dev/zero")
    elif what == "link":
        (folder / "elsewhere").write_text("secret")
        path.symlink_to("elsewhere")
    else:
        path.symlink_to(path.name)


@pytest.mark.parametrize("what", ["pipe", "folder", "device", "link", "loop"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, what: str) -> None:
    put(tmp_path, what)
    store = open_store(str(tmp_path))

    with pytest.raises(RecordError, match="regular file"):
        store.get("manifest.json")
    with pytest.raises(RecordError, match="regular file"):
        list(store.chunks("manifest.json"))


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "a//b", "a\0b", "."])
def test_a_path_that_leads_out_is_an_error_of_the_record(tmp_path: Path, path: str) -> None:
    with pytest.raises(RecordError):
        open_store(str(tmp_path)).get(path)


def test_a_file_with_more_bytes_than_its_kind_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(b"x" * 11)
    store = open_store(str(tmp_path))

    assert store.get("run.json", 11) == b"x" * 11
    with pytest.raises(RecordError, match="more than 10 bytes"):
        store.get("run.json", 10)


def test_what_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(RecordNotFound):
        open_store(str(tmp_path)).get("nothing")


def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "part.jsonl").write_text("{}")
    (tmp_path / "spool").symlink_to("elsewhere")

    assert open_store(str(tmp_path)).entries("spool/") == []


def test_a_lock_that_somebody_only_looks_at_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with open_lock(path) as mine, path.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.05, lambda: fcntl.flock(looking, fcntl.LOCK_UN)).start()

        hold(mine)

        with path.open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_a_lock_that_another_holds_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with open_lock(path) as theirs, open_lock(path) as mine:
        hold(theirs)

        with pytest.raises(BlockingIOError):
            hold(mine)
