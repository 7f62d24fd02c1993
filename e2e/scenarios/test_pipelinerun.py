"""From `kubectl apply` to nothing left but the record: real pods, the operator installed by Helm."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import vaportrail
from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.inventory import inventory
from e2e.scenarios.objects import Object
from e2e.scenarios.runs import (
    MNIST,
    RESOURCE,
    SMALL,
    apply,
    finished,
    pipeline_run,
    record_of,
    record_store,
    script_source,
    wait_for,
)
from vaportrail.contract.outcome import Outcome
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.verify import verify
from vaportrail.storage.store import open_store

pytestmark = pytest.mark.usefixtures("operator")
EXAMPLE = Path(__file__).parents[2] / "examples" / "mnist" / "pipeline.py"
CLI = Path(sys.executable).parent / "vaportrail"


@dataclass(frozen=True)
class Done:
    """A run that finished."""

    kubectl: Kubectl
    before: set[str]
    status: Object
    run: Run


@pytest.fixture(scope="module")
def mnist(shared_kubectl: Kubectl, bucket_environment: None) -> Done:
    """The MNIST example, applied as its file is."""
    shared_kubectl.create(record_store())
    before = inventory(shared_kubectl)
    shared_kubectl("apply", "--filename", MNIST)
    status = finished(shared_kubectl, "mnist", timeout=280)
    return Done(shared_kubectl, before, status, record_of(status))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same pipeline on this machine, as `make demo` runs it."""
    root = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [CLI, "run", f"{EXAMPLE}:mnist", "--record", root, "--json"], check=True, stdout=subprocess.PIPE
    )
    return vaportrail.open(json.loads(done.stdout)["uri"])


@pytest.fixture
def team(kubectl: Kubectl, bucket_environment: None) -> Kubectl:
    """kubectl in a namespace with the bucket's keys and the small pipelines."""
    kubectl.create(record_store(), script_source("small", SMALL))
    return kubectl


def test_the_mnist_example_succeeds_and_its_record_verifies(mnist: Done) -> None:
    found = verify(open_store(mnist.run.uri), mnist.run.uri)

    assert (mnist.status["phase"], mnist.status["outcome"]) == ("Succeeded", "SUCCEEDED")
    assert found.problems == []
    assert found.sha256 == mnist.status["record"]["manifestSha256"]
    assert mnist.run.facts.counts.loss == "None"


def test_its_record_tells_the_same_as_that_of_a_laptop(mnist: Done, demo: Run) -> None:
    assert _told(mnist.run) == _told(demo)


def test_nothing_is_left_but_the_run_and_what_was_there_before(mnist: Done) -> None:
    assert inventory(mnist.kubectl) - mnist.before == {"pipelinerun.vaportrail.dev/mnist"}
    assert mnist.before - inventory(mnist.kubectl) == set()
    assert _condition(mnist.status, "NothingLeftBehind") == "True"


def test_the_receipt_names_everything_that_was_made_and_when_it_went(mnist: Done) -> None:
    uid = mnist.kubectl.json("get", RESOURCE, "mnist")["metadata"]["uid"]
    base = f"mnist-{uid[:8]}"
    receipt = {entry.object: entry for entry in mnist.run.facts.receipt}

    assert set(receipt) == {
        f"Secret/{base}-tokens",
        f"Service/{base}-collector",
        f"Pod/{base}-collector",
        f"Pod/{base}-runner",
        f"RayCluster/{base}",
        f"Pod of {base}",
        f"Service of {base}",
    }
    assert [name for name, entry in receipt.items() if not entry.created or not entry.removed] == []
    assert receipt[f"Pod of {base}"].count == 2
    sealer = next(c for c in mnist.status["conditions"] if c["type"] == "NothingLeftBehind")
    assert "sealer" in sealer["message"]


def test_the_infrastructure_is_in_the_trace_of_the_tasks(mnist: Done) -> None:
    names = [milestone.name for milestone in mnist.run.facts.timeline]

    for name in (
        "Queued",
        "HeadScheduled",
        "HeadPulled",
        "WorkersPulled",
        "RunnerJoined",
        "UserCode",
        "Drain",
    ):
        assert name in names


def test_a_failing_pipeline_ends_failed_with_its_traceback_in_the_record(team: Kubectl) -> None:
    apply(team, pipeline_run("failing", script="small", entrypoint="script:failing"))
    status = finished(team, "failing")
    run = record_of(status)

    assert (status["phase"], status["reason"], status["outcome"]) == ("Failed", "PipelineFailed", "FAILED")
    assert _condition(status, "Succeeded") == "False"
    failure = run.task("refuse-1").attempts[0].failure
    assert failure is not None
    assert "as it was asked to" in failure.traceback


def test_a_runner_that_dies_leaves_a_sealed_record_and_nothing_else(team: Kubectl) -> None:
    before = inventory(team)
    apply(team, pipeline_run("dying", script="small", entrypoint="script:dying"))
    status = finished(team, "dying")

    assert (status["phase"], status["outcome"]) == ("Failed", "RUNNER_LOST")
    assert record_of(status).outcome is Outcome.RUNNER_LOST
    assert inventory(team) - before == {"pipelinerun.vaportrail.dev/dying"}


def test_a_cancelled_run_ends_cancelled_with_what_it_had_said(team: Kubectl) -> None:
    before = inventory(team)
    apply(team, pipeline_run("endless", script="small", entrypoint="script:endless"))
    wait_for(team, "endless", "Running")

    team("patch", RESOURCE, "endless", "--type=merge", '--patch={"spec":{"cancel":true}}')

    status = finished(team, "endless")
    run = record_of(status)
    assert (status["phase"], status["outcome"]) == ("Cancelled", "CANCELLED")
    assert [task.id for task in run.tasks] == ["wait-1"]
    assert run.facts.counts.loss == "None"
    assert inventory(team) - before == {"pipelinerun.vaportrail.dev/endless"}


def test_a_parameter_that_does_not_fit_is_named_in_the_status_and_in_the_record(team: Kubectl) -> None:
    apply(team, pipeline_run("odd", script="small", parameters={"numbers": "seven"}))
    status = finished(team, "odd")

    assert status["phase"] == "Failed"
    assert "numbers" in status["message"]
    assert "numbers" in record_of(status).facts.verdict.message


def test_a_run_that_cannot_be_is_refused_with_every_problem_and_makes_nothing(team: Kubectl) -> None:
    before = inventory(team)
    odd = pipeline_run("unusable", script="small", pipeline="a/b")
    odd["spec"]["record"]["uri"] = "ftp://somewhere"
    with pytest.raises(Exception, match=r"spec\.(pipeline|record\.uri)"):
        apply(team, odd)
    assert inventory(team) == before


def test_a_run_is_removed_when_its_time_to_live_is_over(team: Kubectl) -> None:
    apply(team, pipeline_run("short-lived", script="small", ttlSecondsAfterFinished=1))

    team("wait", f"{RESOURCE}/short-lived", "--for=delete", "--timeout=120s")

    assert [name for name in inventory(team) if "short-lived" in name] == []


def _condition(status: Object, kind: str) -> Any:
    return next((each["status"] for each in status["conditions"] if each["type"] == kind), None)


def _told(run: Run) -> Any:
    """Return what two records of the same pipeline have in common, wherever it ran."""
    return {
        task.id: {
            "name": task.name,
            "outcome": task.outcome,
            "arguments": task.arguments,
            "upstream": [(edge.task, edge.kind, edge.argument) for edge in task.info.upstream],
            "params": task.params,
            "metrics": set(task.metrics),
            "artifacts": set(task.artifacts()),
        }
        for task in run.tasks
    }
