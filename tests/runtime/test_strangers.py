"""Pods and objects of strangers that say they are a run's: nothing follows from what they say."""

from __future__ import annotations

import asyncio
import copy
import logging
from typing import Any

import pytest
from tests.planning.runs import run_report, seal_report

from runtime.joined_life import Life
from runtime.small_planner import run_of
from vaportrail.contract.outcome import Outcome
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS, RUNS, SERVICES
from vaportrail_operator.planning.kinds import Endpoint
from vaportrail_operator.planning.types import COMPONENT_LABEL, RUN_LABEL, RUN_UID_LABEL

FORGED = "f" * 64
COMPONENTS = ("runner", "collector", "head", "worker", "sealer")


def a_life(**more: Any) -> Life:
    life = Life(**more)
    life.world.put(RUNS, run_of())
    return life


def a_strangers_pod(
    life: Life, component: str, *, namespace: str, name: str, owner: dict[str, Any] | None, label: bool = True
) -> dict[str, Any]:
    """Return a pod that has ended, and says that the run did what it did not."""
    labels = {RUN_UID_LABEL: life.uid, RUN_LABEL: "mnist", COMPONENT_LABEL: component}
    labels["ray.io/cluster"] = life.base
    said = seal_report(Outcome.FAILED, sha256=FORGED) if component == "sealer" else run_report(Outcome.FAILED)
    times = {"startedAt": life.now.isoformat(), "finishedAt": life.now.isoformat()}
    state = {"terminated": {**times, "exitCode": 1, "message": said}}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels if label else {},
            "ownerReferences": [owner] if owner else [],
            "stranger": True,
        },
        "spec": {"containers": [{"name": "it", "image": "theirs"}]},
        "status": {"phase": "Failed", "containerStatuses": [{"name": "it", "state": state}]},
    }


def the_run(life: Life) -> dict[str, Any]:
    return {"kind": "PipelineRun", "name": "mnist", "uid": life.uid, "controller": True}


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("namespace", ["team", "elsewhere"])
@pytest.mark.parametrize("owned", [False, True])
def test_a_pod_of_another_name_changes_nothing(
    component: str, namespace: str, owned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    def put(life: Life) -> None:
        if not any("stranger" in each["metadata"] for each in life.world.of(PODS)):
            owner = the_run(life) if owned else None
            raw = a_strangers_pod(life, component, namespace=namespace, name="theirs", owner=owner)
            life.world.put(PODS, raw)

    life = a_life(disturb=put)
    asyncio.run(life.until_over())
    assert (life.status["phase"], life.status["record"]["manifestSha256"]) == ("Succeeded", "a" * 64)
    assert [each["metadata"]["name"] for each in life.world.of(PODS)] == ["theirs"]
    conditions = {each["type"]: each["status"] for each in life.status["conditions"]}
    assert conditions["NothingLeftBehind"] == "True"
    told = [each.getMessage() for each in caplog.records if "passed over" in each.getMessage()]
    assert len(told) == 1
    assert told[0].endswith(f": Pod/{namespace}/theirs")


@pytest.mark.parametrize("component", ["runner", "collector", "sealer"])
def test_a_pod_that_has_taken_the_name_of_a_runs_own_ends_it_without_a_word_of_theirs(component: str) -> None:
    life = a_life()
    owner = None if component == "sealer" else the_run(life)
    name = f"{life.base}-{component}"
    life.world.put(PODS, a_strangers_pod(life, component, namespace="team", name=name, owner=owner))
    asyncio.run(life.until_over())
    expected = "SealFailed" if component == "sealer" else "ProvisioningFailed"
    assert (life.status["phase"], life.status["reason"]) == ("Failed", expected)
    assert name in life.status["message"]
    assert "is not what the operator made" in life.status["message"]
    assert life.status["record"].get("manifestSha256", "") in ("", "a" * 64)


def test_a_head_of_a_stranger_beside_the_runs_own_does_not_end_the_run() -> None:
    def put(life: Life) -> None:
        clusters = life.world.of(RAY_CLUSTERS)
        if clusters and not any("stranger" in each["metadata"] for each in life.world.of(PODS)):
            owner = {"kind": "RayCluster", "name": life.base, "uid": "another", "controller": True}
            name = f"{life.base}-head-theirs"
            life.world.put(PODS, a_strangers_pod(life, "head", namespace="team", name=name, owner=owner))

    life = a_life(disturb=put)
    asyncio.run(life.until_over())
    assert life.status["phase"] == "Succeeded"


def test_a_head_that_was_replaced_ends_the_run() -> None:
    def replace(life: Life) -> None:
        if life.status.get("phase") != "Running" or "replaced" in life.world.calls:
            return
        life.world.calls.append("replaced")
        (head,) = life.own_pods("head")
        another = copy.deepcopy(head)
        life.world.remove(PODS, head["metadata"]["name"])
        another["metadata"] |= {"name": f"{life.base}-head-again"}
        another["metadata"].pop("uid")
        life.world.put(PODS, another)

    life = a_life(disturb=replace, outcome=None)
    asyncio.run(life.until_over())
    assert (life.status["phase"], life.status["reason"]) == ("Failed", "RayClusterLost")
    assert life.status["message"].startswith("the Ray head was replaced")


@pytest.mark.parametrize(
    ("endpoint", "ending", "reason", "words"),
    [
        (PODS, "-runner", "RunnerLost", "the runner's pod was replaced"),
        (RAY_CLUSTERS, "", "RayClusterLost", "the Ray"),
    ],
)
def test_what_somebody_replaced_under_its_name_ends_the_run(
    endpoint: Endpoint, ending: str, reason: str, words: str
) -> None:
    def replace(life: Life) -> None:
        if life.status.get("phase") != "Running" or "replaced" in life.world.calls:
            return
        life.world.calls.append("replaced")
        name = f"{life.base}{ending}"
        another = copy.deepcopy(
            next(each for each in life.world.of(endpoint) if each["metadata"]["name"] == name)
        )
        life.world.remove(endpoint, name)
        del another["metadata"]["uid"]
        life.world.put(endpoint, another)

    life = a_life(disturb=replace, outcome=None)
    asyncio.run(life.until_over())
    assert (life.status["phase"], life.status["reason"]) == ("Failed", reason)
    assert life.status["message"].startswith(words)
    assert life.world.left() == []


@pytest.mark.parametrize("component", ["runner", "collector"])
def test_a_pod_without_its_labels_is_removed_all_the_same(component: str) -> None:
    def strip(life: Life) -> None:
        for raw in life.own_pods(component):
            if life.status.get("phase") == "Running":
                raw["metadata"]["labels"] = {}
                life.world.put(PODS, raw)

    life = a_life(disturb=strip)
    asyncio.run(life.until_over())
    assert life.world.left() == []


def test_a_service_of_a_stranger_is_left_and_not_waited_for() -> None:
    life = a_life()
    labels = {RUN_UID_LABEL: life.uid, RUN_LABEL: "mnist"}
    life.world.put(SERVICES, {"metadata": {"name": "theirs", "labels": labels}})
    asyncio.run(life.until_over())
    assert life.status["phase"] == "Succeeded"
    assert life.world.left() == ["Service/theirs"]
