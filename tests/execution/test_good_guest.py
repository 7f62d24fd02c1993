"""A run leaves the process that started it as it was, however it ends, and another's Ray alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import pytest

from conftest import PIPELINES


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("guest")
    (folder / "home").mkdir()
    # Its own, so that the runs of other tests come and go unseen; and short, for Ray's sockets lie in it.
    with tempfile.TemporaryDirectory(prefix="vt-") as temporary:
        done = subprocess.run(
            [sys.executable, str(PIPELINES / "guest.py"), str(folder / "root")],
            capture_output=True,
            text=True,
            timeout=600,
            env={**os.environ, "HOME": str(folder / "home"), "TMPDIR": temporary},
        )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("name", "outcome"),
    [("succeeds", "SUCCEEDED"), ("fails", "FAILED"), ("interrupted", "CANCELLED")],
)
def test_a_run_changes_nothing_of_its_process_however_it_ends(
    name: str, outcome: str, told: dict[str, Any]
) -> None:
    assert told[name] == {"ended": outcome, "changed": {}}


def test_a_second_run_in_another_thread_is_refused_and_the_first_goes_on(told: dict[str, Any]) -> None:
    assert "another run is going on in this process" in told["refused"]["another thread"]


def test_a_ray_of_the_users_own_is_left_alone_and_the_run_refused(told: dict[str, Any]) -> None:
    assert told["own Ray"] == "alive"
    assert "call ray.shutdown() first" in told["refused"]["own Ray"]
