"""The public API type-checks as `public_api.py` says, its deliberate errors included."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
API = Path(__file__).with_name("public_api.py")


def mypy(file: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        "pyproject.toml",
        "--strict",
        "--warn-unused-ignores",
    ]
    command += ["--no-error-summary", "--cache-dir", str(cache), str(file)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def test_right_uses_pass_and_wrong_ones_are_errors(cache: Path) -> None:
    done = mypy(API, cache)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_each_deliberate_error_is_one_without_its_ignore(cache: Path, tmp_path: Path) -> None:
    text = API.read_text()
    bare = tmp_path / "bare_api.py"
    bare.write_text(re.sub(r"  # type: ignore\[[a-z-]+\]", "", text))
    expected = [number for number, line in enumerate(text.splitlines(), 1) if "# type: ignore[" in line]
    done = mypy(bare, cache)
    assert sorted({int(line) for line in re.findall(r":(\d+): error: ", done.stdout)}) == expected
