"""What is read off a RayCluster, a Service and a PipelineRun."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.crd.status import Phase
from vaportrail_operator.observation.objects import observed_object
from vaportrail_operator.observation.runs import kept_run, observed_run
from vaportrail_operator.planning.types import ObservedObject

UID = "0f1e2d3c-0000-4000-8000-000000000001"


def ray_cluster(*conditions: dict[str, Any], owner: str = UID, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {
            "name": "mnist-0f1e2d3c",
            "uid": "cluster-uid",
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {"vaportrail.dev/run-uid": UID},
            "ownerReferences": [
                {"kind": "Other", "uid": "first"},
                {"kind": "PipelineRun", "uid": owner, "controller": True},
            ],
        },
        "status": {"conditions": list(conditions), **status},
    }


def test_a_clusters_controller_is_seen() -> None:
    assert observed_object(ray_cluster()) == ObservedObject(
        name="mnist-0f1e2d3c",
        uid="cluster-uid",
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        controller=UID,
    )


@pytest.mark.parametrize(
    ("conditions", "provisioned"),
    [
        ([], False),
        (
            [{"type": "RayClusterProvisioned", "status": "False", "reason": "RayClusterPodsProvisioning"}],
            False,
        ),
        (
            [{"type": "RayClusterProvisioned", "status": "True", "reason": "AllPodRunningAndReadyFirstTime"}],
            True,
        ),
    ],
)
def test_a_cluster_whose_pods_were_all_ready_once_is_provisioned(
    conditions: list[dict[str, Any]], provisioned: bool
) -> None:
    assert observed_object(ray_cluster(*conditions)).provisioned is provisioned


@pytest.mark.parametrize(
    ("conditions", "status", "problem"),
    [
        (
            [
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "reason": "FailedCreateHeadPod",
                    "message": 'pods "it" is forbidden: exceeded quota',
                }
            ],
            {},
            "head pod cannot be made: exceeded quota",
        ),
        (
            [
                {
                    "type": "HeadPodReady",
                    "status": "False",
                    "reason": "ImagePullBackOff",
                    "message": "Back-off",
                }
            ],
            {},
            "head pod: ImagePullBackOff: Back-off",
        ),
        ([{"type": "HeadPodReady", "status": "False", "reason": "ContainersNotReady"}], {}, ""),
        ([{"type": "HeadPodReady", "status": "False", "reason": "HeadPodNotFound"}], {}, ""),
        ([{"type": "HeadPodReady", "status": "True", "reason": "HeadPodRunningAndReady"}], {}, ""),
        ([], {"state": "failed", "reason": "the spec is\ninvalid"}, "RayCluster: the spec is invalid"),
    ],
)
def test_what_kuberay_says_is_wrong_is_told(
    conditions: list[dict[str, Any]], status: dict[str, Any], problem: str
) -> None:
    assert observed_object(ray_cluster(*conditions, **status)).problem == problem


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        ({"mode": "token", "secretName": "a"}, ()),
        ({"mode": "token"}, ("spec.authOptions.secretName",)),
        (None, ("spec.authOptions.mode", "spec.authOptions.secretName")),
    ],
)
def test_what_a_definition_of_rayclusters_did_not_keep_is_seen(
    options: dict[str, str] | None, lost: tuple[str, ...]
) -> None:
    raw = ray_cluster()
    raw["spec"] = {"headGroupSpec": {}, **({"authOptions": options} if options else {})}
    assert observed_object(raw).lost_fields == lost


def test_what_has_no_head_is_no_raycluster() -> None:
    raw = ray_cluster()
    raw["spec"] = {"ports": []}
    assert observed_object(raw).lost_fields == ()


def raw_run(**changes: Any) -> dict[str, Any]:
    spec = {
        "pipeline": "mnist",
        "entrypoint": "mnist.pipeline:mnist",
        "image": "example.invalid/mnist:1",
        "record": {"uri": "s3://runs/ml"},
    }
    return {
        "apiVersion": "vaportrail.dev/v1alpha1",
        "kind": "PipelineRun",
        "metadata": {
            "name": "mnist",
            "namespace": "team",
            "uid": UID,
            "resourceVersion": "7",
            "generation": 2,
            "managedFields": [{"manager": "kubectl"}],
            "ownerReferences": [],
        },
        "spec": spec,
        **changes,
    }


def test_a_run_is_its_model() -> None:
    seen = observed_run(
        raw_run(status={"phase": "Running", "receipt": [{"object": "Pod/it", "lifetime": "a/.."}]})
    )
    assert seen.problems == ()
    assert (seen.run.metadata.uid, seen.run.metadata.resource_version) == (UID, "7")
    assert (seen.run.status.phase, seen.run.status.receipt[0].object) == (Phase.RUNNING, "Pod/it")


def test_fields_of_a_later_crd_are_passed_over() -> None:
    raw = raw_run(status={"phase": "Running", "attempts": []})
    raw["spec"].update(retries={"limit": 1}, ray={"autoscaling": {}, "workers": [{"name": "a", "new": 1}]})
    seen = observed_run(raw)
    assert seen.problems == ()
    assert (seen.run.spec.ray.workers[0].name, seen.run.status.phase) == ("a", Phase.RUNNING)


def test_what_cannot_be_read_is_named_with_its_place() -> None:
    raw = raw_run(status={"phase": "Running"})
    raw["spec"]["ray"] = {"workers": [{"replicas": "many"}]}
    del raw["spec"]["image"]
    seen = observed_run(raw)
    assert [problem.partition(":")[0] for problem in seen.problems] == [
        "spec.image",
        "spec.ray.workers.0.name",
        "spec.ray.workers.0.replicas",
    ]
    assert (seen.run.metadata.name, seen.run.status.phase) == ("mnist", Phase.RUNNING)


def test_a_status_that_cannot_be_read_still_says_its_phase_and_when_the_run_ended() -> None:
    ended = {"phase": "Succeeded", "completionTime": "2026-01-02T03:04:05Z"}
    seen = observed_run(raw_run(status={**ended, "conditions": [{"type": "Odd"}]}))
    assert seen.problems
    assert not seen.status_read
    assert seen.over
    assert seen.run.status.completion_time == "2026-01-02T03:04:05Z"


def test_a_time_to_live_is_read_though_the_rest_of_the_spec_cannot_be() -> None:
    raw = raw_run()
    raw["spec"].update(ray="many", ttlSecondsAfterFinished=30)
    seen = observed_run(raw)
    assert seen.problems
    assert seen.status_read
    assert seen.run.spec.ttl_seconds_after_finished == 30


def test_a_time_to_live_that_cannot_be_read_has_no_end() -> None:
    raw = raw_run()
    raw["spec"]["ttlSecondsAfterFinished"] = "a while"
    assert observed_run(raw).run.spec.ttl_seconds_after_finished == 2**31 - 1


def test_what_users_and_tools_note_on_a_run_is_not_kept() -> None:
    raw = raw_run()
    noted = {"annotations": {"it": "x" * 9999}, "labels": {"it": "y" * 99}, "finalizers": ["it/z"]}
    raw["metadata"].update(noted)
    kept = repr(observed_run(raw))
    assert not [letter for letter in ("xxx", "yyy", "it/z") if letter in kept]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
known = st.sampled_from(["pipeline", "record", "ray", "deadlines", "phase", "conditions", "receipt", "else"])


@given(spec=st.dictionaries(known, json_values), status=st.dictionaries(known, json_values) | json_values)
def test_whatever_is_in_a_run_it_can_be_read(spec: dict[str, Any], status: Any) -> None:
    seen = observed_run(raw_run(spec=spec, status=status))
    assert seen.run.metadata.uid == UID
    assert seen.status_read or seen.problems


def a_raw_run(**spec: Any) -> dict[str, Any]:
    asked = {
        "pipeline": "mnist",
        "entrypoint": "m:p",
        "image": "i",
        "record": {"uri": "s3://runs/ml"},
        **spec,
    }
    metadata = {"name": "mnist", "namespace": "team", "uid": UID, "resourceVersion": "1", "generation": 1}
    return {"metadata": metadata, "spec": asked}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_a_run_is_kept_small_and_read_again_as_it_was() -> None:
    raw = a_raw_run(parameters={"points": [[i, i] for i in range(4000)]})
    kept = kept_run(raw)
    assert len(kept.packed) < 20_000
    assert kept.read() == observed_run(raw)


@pytest.mark.parametrize("levels", [101, 300, 900])
def test_a_run_that_is_nested_too_deeply_is_read_without_it_and_says_so(levels: int) -> None:
    raw = a_raw_run(parameters={"p": nested(levels)})
    for seen in (observed_run(raw), kept_run(raw).read()):
        assert list(map(str, seen.left_out)) == [
            "spec.parameters: is nested too deeply; use at most 100 levels"
        ]
        assert seen.problems == ()
        assert seen.run.metadata.name == "mnist"


def test_a_run_that_has_nothing_left_to_do_is_settled_until_its_time_is_over() -> None:
    raw = a_raw_run(ttlSecondsAfterFinished=60)
    receipt = [{"object": "Pod/it", "lifetime": "2026-01-02T03:00:00Z/2026-01-02T03:04:00Z"}]
    status = {
        "phase": "Succeeded",
        "observedGeneration": 1,
        "completionTime": "2026-01-02T03:04:05Z",
        "receipt": receipt,
    }
    kept = kept_run(raw | {"status": status})
    assert (kept.settled, kept.expires) == (True, datetime(2026, 1, 2, 3, 5, 5, tzinfo=UTC))
    for change in (
        {"phase": "Running"},
        {"observedGeneration": 0},
        {"receipt": [{"object": "Secret/it", "lifetime": "2026-01-02T03:00:00Z/.."}]},
        {"conditions": [{"type": "Finished", "observedGeneration": 0}]},
    ):
        assert not kept_run(raw | {"status": status | change}).settled
