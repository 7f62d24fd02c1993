"""Where logged names are unpacked: always below the folder, whatever the name is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vaportrail.export.tree import safe_path

FOLDER = Path("/somewhere/deep/folder")
NASTY = st.lists(
    st.sampled_from(["..", ".", "", "/", "\\", "a", "~", "C:", "\x00", "\n", "...", "a/..", "%2e%2e"]),
    max_size=8,
).map("/".join) | st.text(max_size=60)


@given(NASTY)
@example("/etc/passwd")
@example("../../etc/passwd")
@example("..\\..\\windows")
@example("")
@example("a/\x00/..")
@example("~/.ssh/id")
def test_a_name_stays_below_the_folder(name: str) -> None:
    path = safe_path(FOLDER, name)
    assert os.path.normpath(path) == str(path)
    assert path != FOLDER
    assert path.is_relative_to(FOLDER)


@given(NASTY)
def test_a_path_has_no_part_that_a_file_system_could_act_on(name: str) -> None:
    for part in safe_path(FOLDER, name).relative_to(FOLDER).parts:
        assert part not in ("", ".", "..")
        assert not set(part) & {"\x00", "\n", "/", "\\", ":"}
        assert len(part) <= 200


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("loss.csv", "loss.csv"),
        ("digits/0-images.png", "digits/0-images.png"),
        ("a b/é", "a b/é"),
        ("a:b", "a_b"),
        ("/abs", "_/abs"),
        ("a/../b", "a/_/b"),
        ("a\\b", "a/b"),
        ("", "_"),
    ],
    ids=repr,
)
def test_a_name_is_kept_as_far_as_it_is_harmless(name: str, place: str) -> None:
    assert safe_path(FOLDER, name) == FOLDER / place


@pytest.mark.parametrize("name", ["x" * 300, "\N{GRINNING FACE}" * 200])
def test_a_long_name_fits_into_a_file_system(tmp_path: Path, name: str) -> None:
    path = safe_path(tmp_path, name)
    path.write_bytes(b"x")
    assert len(path.name.encode()) <= 255
