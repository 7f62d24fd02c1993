"""Folders with entries that no process of ours makes: none of them hides the others or is waited for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vaportrail.storage.local_entries import files
from vaportrail.storage.store import open_store

ODD = ["\udcff", "a\nb", "\x1b[31m", "\x7f"]


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_a_folder_with_an_odd_name_hides_no_other(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    for each in ("b", "a"):
        (tmp_path / each).mkdir()
    (tmp_path / "file").touch()

    assert open_store(str(tmp_path)).folders("") == ["a", "b"]


def test_below_what_is_not_there_are_no_folders(tmp_path: Path) -> None:
    assert open_store(str(tmp_path)).folders("runs/") == []


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [pipe, folder, link])
def test_what_is_no_file_has_no_size_and_is_not_waited_for(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "odd")
    store = open_store(str(tmp_path))

    assert store.size("odd") is None
    assert store.size("odd/below") is None


def test_a_file_that_goes_while_its_folder_is_listed_is_passed_over(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"x")

    listing = files(tmp_path, tmp_path)
    first = next(listing)
    gone = {"a", "b", "c"} - {first[0]}
    for name in gone:
        (tmp_path / name).unlink()

    assert list(listing) == []
