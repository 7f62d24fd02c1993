"""`Pipeline.run()` from a script: tasks of `__main__`, several runs in one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import PIPELINES, run_vaportrail


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("script") / "root"


@pytest.fixture(scope="module")
def printed(root: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(PIPELINES / "script.py"), str(root)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_two_runs_in_one_process_both_succeed(printed: list[str]) -> None:
    assert printed[:2] == ["SUCCEEDED", "SUCCEEDED"]


def test_a_run_inside_a_run_is_refused_at_once(printed: list[str]) -> None:
    assert "pipeline 'one' cannot be run from within another run; call it as a function" in printed[2]


def test_an_exception_of_the_scripts_own_is_retried_and_known_to_the_body(printed: list[str]) -> None:
    assert printed[3] == "2 True"


def test_a_run_has_what_its_pipeline_returned_though_ray_is_gone(printed: list[str]) -> None:
    assert printed[4] == f"[1.0, 2] {sum(range(200_000))}"


def test_a_run_that_is_read_from_its_record_says_that_results_are_not_kept(printed: list[str]) -> None:
    assert printed[5].startswith("a record does not keep it")


def test_a_metric_that_is_not_a_number_is_rebuilt_from_the_record(printed: list[str], root: Path) -> None:
    listed = run_vaportrail("ls", "--record", root, "--pipeline", "one", "--json", cwd=root)
    name = listed.out.splitlines()[0].split('"uri": "')[1].split('"')[0]

    assert run_vaportrail("verify", name, "--rebuild", cwd=root).code == 0
