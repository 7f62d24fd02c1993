"""What a run ran with: its code is changed where a revision does not hold all that was loaded."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vaportrail.execution.captured_environment import capture_environment
from vaportrail.version import revision

NOBODY = {
    f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


def git(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, env={**os.environ, **NOBODY}
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, whose modules can be imported; they are forgotten afterwards."""
    git(tmp_path, "init", "--initial-branch=main")
    for name in ("kept_flow.py", "kept_steps.py"):
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("ignored_*\n.venv\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message", "one")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


def dirty(project: Path, *modules: str) -> object:
    for name in modules:
        importlib.import_module(name)
    return capture_environment(project)["git"]["dirty"]


def test_code_that_is_all_in_the_revision_is_not_changed(project: Path) -> None:
    (project / "notes.txt").write_text("untracked, and no code that runs")
    (project / "other.py").write_text("untracked, and not loaded")

    assert dirty(project, "kept_flow", "kept_steps") is False


@pytest.mark.parametrize("name", ["untracked_steps", "ignored_steps"])
def test_loaded_code_that_the_revision_does_not_hold_is_a_change(project: Path, name: str) -> None:
    (project / f"{name}.py").write_text("")

    assert dirty(project, "kept_flow", name) is True


def test_an_installed_package_within_the_work_tree_is_no_code_of_it(project: Path) -> None:
    place = project / ".venv" / "lib" / "site-packages"
    place.mkdir(parents=True)
    (place / "installed_steps.py").write_text("")
    sys.path.insert(0, str(place))
    try:
        assert dirty(project, "kept_flow", "installed_steps") is False
    finally:
        sys.path.remove(str(place))


def test_an_edited_file_is_a_change(project: Path) -> None:
    (project / "kept_steps.py").write_text("x = 1")

    assert dirty(project) is True


def test_a_folder_that_is_in_no_repository_has_no_revision(tmp_path: Path) -> None:
    assert capture_environment(tmp_path)["git"] == {}


def test_the_revision_of_the_package_is_recorded_too(tmp_path: Path) -> None:
    assert capture_environment(tmp_path)["vaportrail_revision"] == revision()
    assert len(revision().removesuffix("-changed")) == 40


@pytest.mark.parametrize(
    "userinfo", ["", "me:", "me:hunter2@", "me:hunt@er2@", "me:hunt/er2@", "me:hunt?e#r2@"]
)
@pytest.mark.parametrize("query", ["", "?private_token=hunter2"])
def test_a_remote_is_told_without_user_password_and_query(project: Path, userinfo: str, query: str) -> None:
    userinfo = f"{userinfo}@" if userinfo.endswith(":") else userinfo
    url = f"https://{userinfo}git.example:8443/team/project.git{query}"
    subprocess.run(["git", "-C", project, "config", "remote.origin.url", url], check=True)

    assert capture_environment(project)["git"]["remote"] == "https://git.example:8443/team/project.git"
