"""Whatever becomes of the operator, the pods of a run end by themselves."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.planning.kuberay import start_line
from tests.planning.runs import SETTINGS, a_run

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.planning.children.bounds import collector_seconds, ends_at, life_seconds
from vaportrail_operator.planning.children.collector import collector_pod
from vaportrail_operator.planning.children.raycluster import ray_cluster
from vaportrail_operator.planning.children.runner import runner_pod

SECONDS = {"provisioningSeconds": 100, "runSeconds": 1000, "drainSeconds": 10, "releaseSeconds": 60}
BOUNDED = {"deadlines": SECONDS}
BEGUN = "2026-01-02T03:04:06Z"


def begun(spec: dict[str, Any] | None = None) -> PipelineRun:
    return a_run(BOUNDED if spec is None else spec, {"phase": "Provisioning", "startTime": BEGUN})


def templates(run: PipelineRun) -> dict[str, dict[str, Any]]:
    spec = ray_cluster(run, SETTINGS)["spec"]
    return {"head": spec["headGroupSpec"]["template"], "worker": spec["workerGroupSpecs"][0]["template"]}


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_the_compute_has_time_for_all_that_its_deadlines_allow() -> None:
    needed = 100 + 1000 + 10 + 2 * 60
    assert needed < life_seconds(begun()) < collector_seconds(begun())


def test_runner_head_and_collector_are_ended_by_the_kubelet() -> None:
    run = begun()
    assert runner_pod(run, SETTINGS)["spec"]["activeDeadlineSeconds"] == life_seconds(run)
    assert templates(run)["head"]["spec"]["activeDeadlineSeconds"] == life_seconds(run)
    assert collector_pod(run, SETTINGS)["spec"]["activeDeadlineSeconds"] == collector_seconds(run)


@pytest.mark.parametrize("open_end", ["provisioningSeconds", "runSeconds"])
def test_a_run_without_a_deadline_has_no_end_of_its_own(open_end: str) -> None:
    run = begun({"deadlines": {**SECONDS, open_end: 0}})
    for pod in (runner_pod(run, SETTINGS), templates(run)["head"], collector_pod(run, SETTINGS)):
        assert "activeDeadlineSeconds" not in pod["spec"]
    assert ends_at(run) == 0
    assert variables(templates(run)["head"]["spec"]["containers"][0])["VAPORTRAIL_ENDS_AT"] == "0"


def test_the_end_is_a_time_and_the_same_whenever_a_pod_is_made() -> None:
    begin = 1767323046
    assert ends_at(begun()) == begin + life_seconds(begun())
    for each in templates(begun()).values():
        assert variables(each["spec"]["containers"][0])["VAPORTRAIL_ENDS_AT"] == str(ends_at(begun()))


@pytest.mark.parametrize("component", ["head", "worker"])
@pytest.mark.parametrize(("rest", "starts"), [(None, True), (3600, True), (-1, False)])
def test_a_pod_that_is_made_after_the_end_does_not_start_ray(
    tmp_path: Path, component: str, rest: int | None, starts: bool
) -> None:
    ends = "0" if rest is None else str(int(time.time()) + rest)
    container = templates(begun())[component]["spec"]["containers"][0]
    ray = tmp_path / "ray"
    ray.write_text("#!/bin/sh\necho started\n")
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\n")
    for each in (ray, python):
        each.chmod(0o755)
    done = subprocess.run(
        ["/bin/bash", "-c", "--", start_line(container, "ray start --block")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "VAPORTRAIL_ENDS_AT": ends},
        capture_output=True,
        text=True,
    )
    assert ("started" in done.stdout) == starts


def test_a_worker_looks_before_it_waits_for_a_head() -> None:
    before = templates(begun())["worker"]["spec"]["initContainers"]
    (check,) = [each for each in before if each.get("restartPolicy") != "Always"]
    for ends, status in (("0", 0), (str(int(time.time()) - 1), 1), (str(int(time.time()) + 3600), 0)):
        done = subprocess.run(check["command"], env={"PATH": "/usr/bin:/bin", "VAPORTRAIL_ENDS_AT": ends})
        assert done.returncode == status


def test_no_pod_is_asked_for_with_a_life_that_the_api_server_refuses() -> None:
    most = 2**31 - 1
    run = a_run({"deadlines": {"runSeconds": most}}, status={"startTime": "2026-01-02T03:04:05Z"})
    assert life_seconds(run) == collector_seconds(run) == most
