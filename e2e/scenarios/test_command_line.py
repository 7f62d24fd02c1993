"""`vaportrail submit`, `watch` and `cancel`, from a shell that has a kubeconfig and the bucket's keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.inventory import inventory
from e2e.scenarios.runs import SMALL, finished, pipeline_run, record_of, record_store, wait_for
from vaportrail.cli.exit_codes import EXIT_CANCELLED

pytestmark = pytest.mark.usefixtures("operator")
CLI = Path(sys.executable).parent / "vaportrail"


class Shell:
    """Calls the command line in a folder, for a namespace of the cluster."""

    def __init__(self, kubectl: Kubectl, folder: Path) -> None:
        self.kubectl, self.folder = kubectl, folder
        self._env = {**os.environ, "KUBECONFIG": str(kubectl.kubeconfig)}

    def __call__(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CLI, *words], cwd=self.folder, env=self._env, capture_output=True, text=True, timeout=240
        )

    def submit(self, name: str, entrypoint: str) -> dict[str, Any]:
        """Submit a run whose code is the folder; returns what the command says of it."""
        (self.folder / "run.yaml").write_text(yaml.safe_dump(pipeline_run(name, entrypoint=entrypoint)))
        done = self(
            "submit", "run.yaml", "--source", "code", "--namespace", str(self.kubectl.namespace), "--json"
        )
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said


@pytest.fixture
def shell(kubectl: Kubectl, bucket_environment: None, tmp_path: Path) -> Shell:
    """The command line, in a folder whose folder `code` holds the module `script`."""
    kubectl.create(record_store())
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "script.py").write_text(SMALL)
    return Shell(kubectl, tmp_path)


def test_a_local_folder_is_submitted_and_followed_until_its_record_is_sealed(shell: Shell) -> None:
    before = inventory(shell.kubectl)
    run = shell.submit("folder", "script:main")

    watched = shell("watch", run["record"], "--json")

    assert watched.returncode == 0, watched.stderr
    status = finished(shell.kubectl, "folder")
    assert (status["phase"], status["record"]["uri"]) == ("Succeeded", run["record"])
    assert inventory(shell.kubectl) - before == {"pipelinerun.vaportrail.dev/folder"}
    told = [json.loads(line) for line in watched.stdout.splitlines()]
    ended = [each["task"] for each in told if each.get("event") == "task.ended"]
    assert sorted(ended) == ["square-1", "square-2", "square-3"]
    assert told[-1]["uri"] == run["record"]
    assert record_of(status).facts.counts.loss == "None"


def test_a_run_that_is_cancelled_from_a_shell_ends_so_for_those_who_watch_it(shell: Shell) -> None:
    run = shell.submit("endless", "script:endless")
    wait_for(shell.kubectl, "endless", "Running")

    cancelled = shell("cancel", "endless", "--namespace", str(shell.kubectl.namespace))
    watched = shell("watch", run["record"])

    assert (cancelled.returncode, watched.returncode) == (0, EXIT_CANCELLED), cancelled.stderr
    assert "CANCELLED" in watched.stdout
    assert finished(shell.kubectl, "endless")["phase"] == "Cancelled"
    again = shell("cancel", "endless", "--namespace", str(shell.kubectl.namespace))
    assert again.stdout == "pipelinerun.vaportrail.dev/endless had ended before: Cancelled\n"
