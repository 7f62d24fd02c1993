"""The README's ten lines, pasted as they stand, with the built wheel, outside the repository."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY
from vaportrail.crd.validation.validate import parse_pipelinerun

README = (REPOSITORY / "README.md").read_text()


def code_block(first_line: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (found,) = [block for block in blocks if block.startswith(first_line)]
    return str(found)


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with nothing in it but the wheel and what it asks for; its bin folder."""
    folder = tmp_path_factory.mktemp("installed")
    uv = [sys.executable, "-m", "uv"]
    env = {**os.environ, "UV_SYSTEM_CERTS": "1"}

    def run(*command: str) -> None:
        subprocess.run([*uv, *command], check=True, cwd=REPOSITORY, env=env)

    run("build", "--quiet", "--wheel", "--no-build-isolation", "--out-dir", str(folder), "runner")
    (wheel,) = folder.glob("*.whl")
    run("venv", "--quiet", str(folder / "venv"), "--python", sys.executable)
    python = str(folder / "venv" / "bin" / "python")
    constraints = ["--constraint", "requirements.txt"]
    run("pip", "install", "--quiet", "--python", python, *constraints, f"{wheel}[run]")
    return folder / "venv" / "bin"


def test_the_ten_lines_are_at_most_ten() -> None:
    lines = code_block("# hello.py").splitlines()

    assert len([line for line in lines if line.strip() and not line.startswith("#")]) <= 10


def test_the_ten_lines_and_every_command_of_the_readme_run_as_they_stand(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "hello.py").write_text(code_block("# hello.py"))
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIRTUAL_ENV", "COV"))
    }
    env["PATH"] = f"{installed}:/usr/bin:/bin"

    ran = []
    for command in commands():
        done = subprocess.run(
            shlex.split(command), cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        ran.append(shlex.split(command)[:2])
    assert ["vaportrail", "run"] in ran
    assert ["vaportrail", "verify"] in ran


def test_the_pipelinerun_of_the_readme_is_valid() -> None:
    (text,) = re.findall(r"```yaml\n(apiVersion: vaportrail.dev.*?)```", README, re.DOTALL)

    run = parse_pipelinerun(text)

    assert run.metadata.name == "mnist"
