"""What `submit --source` must not take along: ignored files where git is silent, what links lead to."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from vaportrail.errors import UsageError
from vaportrail.submit.packing import pack


@pytest.fixture
def work_tree(tmp_path: Path) -> Path:
    """A git work tree with code, and a file that git ignores."""
    folder = tmp_path / "work"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / ".gitignore").write_text("keys.json\n")
    (folder / "keys.json").write_text("secret")
    (folder / "lib").mkdir()
    (folder / "lib" / "flow.py").write_text("code")
    return folder


def names(folder: Path) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(pack(folder).content)) as archive:
        return archive.getnames()


@pytest.mark.parametrize("inside", ["", "lib"])
def test_a_work_tree_that_git_will_not_read_is_refused_with_its_words_and_the_fix(
    work_tree: Path, inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # as in a mounted checkout

    with pytest.raises(UsageError, match=r"dubious ownership.*safe\.directory"):
        pack(work_tree / inside)


def test_a_work_tree_is_refused_where_there_is_no_git(
    work_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(UsageError, match=r"git does not say which files it ignores.*'git'"):
        pack(work_tree)


def test_a_folder_outside_of_a_work_tree_needs_no_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "flow.py").write_text("code")

    assert names(tmp_path) == ["flow.py"]


@pytest.mark.parametrize("target", ["../outside", "keys.json", ".env"])
def test_a_link_to_what_is_not_packed_is_refused(work_tree: Path, target: str) -> None:
    (work_tree / target).write_text("secret")
    (work_tree / "settings.json").symlink_to(target)

    with pytest.raises(UsageError, match=r"settings\.json is a link to .*, which is not packed"):
        pack(work_tree)


def test_a_link_to_what_is_packed_is_packed_as_the_file(work_tree: Path) -> None:
    (work_tree / "flow.py").symlink_to("lib/flow.py")

    assert names(work_tree) == [".gitignore", "flow.py", "lib/flow.py"]


@pytest.mark.parametrize("name", [".env.local", ".env.production", ".envrc"])
def test_files_of_variables_stay_here(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("PASSWORD=secret")
    (tmp_path / "flow.py").write_text("code")

    assert names(tmp_path) == ["flow.py"]
