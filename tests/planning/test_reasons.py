"""Why a run does not run yet, in the words of its status; how long it waits, and what to do about it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.planning.runs import CREATED, a_cluster, a_pod, a_run, observed, planned, refusal

from vaportrail.crd.status import Phase, Reason
from vaportrail_operator.observation.objects import observed_object
from vaportrail_operator.planning.obstacles import OBSTACLES, UNKNOWN, obstacle_of, quota_of
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.reasons import waiting, waiting_message
from vaportrail_operator.planning.types import Component, Observed

BOUND = CREATED + timedelta(seconds=5)
NEVER, SOON = 0, 120


def provisioning(seconds: float, **seen: Any) -> Observed:
    run = a_run(status={"phase": "Provisioning", "startTime": CREATED.isoformat()})
    return observed(run, seconds, **{"ray_cluster": a_cluster(), **seen})


# The API server's own words of Kubernetes 1.34, and how long a run waits by them.
REFUSED: list[tuple[str, str, int | None]] = [
    ("Quota", "exceeded quota: team-a, requested: requests.memory=2Gi, used: requests.memory=3Gi, li", None),
    (
        "QuotaUnsaid",
        "failed quota: team-a: must specify limits.cpu for: runner; limits.memory for: ru",
        NEVER,
    ),
    ("PodSecurity", 'violates PodSecurity "restricted:latest": hostPath volumes (volume "x")', NEVER),
    ("LimitRange", "maximum cpu usage per Container is 1, but limit is 3", None),
    ("LimitRange", "[minimum memory usage per Pod is 1Gi, but request is 1Mi, x]", None),
    (
        "LimitRange",
        "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000",
        None,
    ),
    (
        "ServiceAccountMissing",
        'error looking up service account ml/trainer: serviceaccount "trainer" not found',
        SOON,
    ),
    ("PriorityClassMissing", "no PriorityClass with name urgent was found", SOON),
    ("RuntimeClassMissing", 'pod rejected: RuntimeClass "gvisor" not found', SOON),
    ("AdmissionDenied", 'admission webhook "policy.acme" denied the request: exceeded quota: x', None),
    ("AdmissionDenied", "ValidatingAdmissionPolicy 'a' with binding 'b' denied request: no", None),
    (
        "WebhookUnanswered",
        'Internal error occurred: failed calling webhook "policy.acme": context deadline exceeded',
        None,
    ),
    ("TooLarge", "etcdserver: request is too large", NEVER),
    ("TooLarge", "Request entity too large: limit is 3145728", NEVER),
    ("TooLarge", "invalid: metadata.annotations: Too long: may not be more than 262144 bytes", NEVER),
    ("Invalid", "invalid: spec.containers[0].env[3].name: Required value", NEVER),
    ("NameTaken", "mnist-0123abcd-runner exists and is not what the operator made for this run", None),
    ("RightMissing", 'User "system:serviceaccount:a:b" cannot create resource "pods" in API group ""', None),
]


@pytest.mark.parametrize(("name", "words", "seconds"), REFUSED)
@pytest.mark.parametrize("by", ["the API server", "KubeRay"])
def test_a_refusal_is_waited_out_as_long_as_it_may_pass(
    by: str, name: str, words: str, seconds: int | None
) -> None:
    text = f"worker pod cannot be made: {words}"
    assert (obstacle_of(text).name, obstacle_of(text).seconds) == (name, seconds)
    if by == "KubeRay":
        cluster = a_cluster(problem=text, problem_since=CREATED + timedelta(seconds=9))
        seen = provisioning(9, ray_cluster=cluster, pods=(a_pod(Component.HEAD),))
    else:
        seen = provisioning(
            9, refused=refusal(words, what="worker pod", seconds=9), pods=(a_pod(Component.HEAD),)
        )
    waits = replace(seen, now=seen.now + timedelta(seconds=1000 if seconds is None else seconds - 1))
    assert plan(waits).status.phase is Phase.PROVISIONING
    assert plan(waits).status.reason is Reason.POD_WAITING
    if seconds is None:
        return
    made = plan(replace(seen, now=seen.now + timedelta(seconds=seconds)))
    assert (made.status.phase, made.status.reason) == (Phase.RELEASING, Reason.PROVISIONING_FAILED)
    assert made.status.message.startswith(text[:100])
    assert made.status.message.endswith(obstacle_of(text).fix)
    if seconds:
        assert plan(waits).requeue_after == pytest.approx(1)


@pytest.mark.parametrize(("status", "name"), [(413, "TooLarge"), (422, "Invalid"), (400, "Invalid")])
def test_what_the_api_server_never_takes_is_known_by_its_status(status: int, name: str) -> None:
    assert obstacle_of("RayCluster cannot be made: some words", status).name == name


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_policy_that_denies_with_any_status_is_waited_for(status: int) -> None:
    denied = 'runner pod cannot be made: admission webhook "a" denied the request: no'
    assert obstacle_of(denied, status).name == "AdmissionDenied"


# Every reason of the kubelet of Kubernetes 1.34 for a container to wait, of its images and of the scheduler.
KUBELET: list[tuple[str, str, int | None]] = [
    ("CrashLoopBackOff", "Crashing", None),
    ("ImagePullBackOff", "ImagePull", None),
    ("ErrImagePull", "ImagePull", None),
    ("ImageInspectError", "ImagePull", None),
    ("RegistryUnavailable", "ImagePull", None),
    ("SignatureValidationFailed", "ImagePull", None),
    ("ErrImageNeverPull", "ImageNeverPulled", None),
    ("InvalidImageName", "InvalidImageName", NEVER),
    ("CreateContainerConfigError", "ConfigMissing", None),
    ("CreateContainerError", "NotCreated", None),
    ("PreCreateHookError", "NotCreated", None),
    ("PreStartHookError", "NotCreated", None),
    ("PostStartHookError", "NotCreated", None),
    ("RunContainerError", "NotCreated", None),
    ("KillContainerError", "NotCreated", None),
    ("CreatePodSandboxError", "NotCreated", None),
    ("ConfigPodSandboxError", "NotCreated", None),
    ("KillPodSandboxError", "NotCreated", None),
    ("ResizePodInPlaceError", "NotCreated", None),
    ("StartError", "NotCreated", None),
    ("ContainerCannotRun", "NotCreated", None),
    ("Unschedulable", "Unschedulable", None),
    ("SchedulingGated", "SchedulingGated", None),
]


@pytest.mark.parametrize(("reason", "name", "seconds"), KUBELET)
@pytest.mark.parametrize("component", [Component.RUNNER, Component.WORKER])
def test_what_a_pod_waits_for_is_told_with_its_own_words_and_what_to_do(
    component: Component, reason: str, name: str, seconds: int | None
) -> None:
    pod = a_pod(component, waiting=(reason, "its own words"))
    seen = provisioning(100, pods=(pod,))
    wait = waiting(seen)
    assert wait is not None
    assert (wait.obstacle.name, wait.obstacle.seconds) == (name, seconds)
    assert (
        waiting_message(seen) == f"{component.value} pod: {reason}: its own words; fix: {wait.obstacle.fix}"
    )
    expected = Phase.PROVISIONING if seconds is None else Phase.RELEASING
    assert plan(seen).status.phase is expected


def test_an_image_that_runs_as_root_is_told_from_a_missing_secret() -> None:
    words = "container has runAsNonRoot and image will run as root (pod: ...)"
    assert obstacle_of(f"runner pod: CreateContainerConfigError: {words}").name == "RunsAsRoot"


def test_a_reason_that_nobody_knew_is_told_as_it_is() -> None:
    seen = provisioning(100, pods=(a_pod(Component.RUNNER, waiting=("NewInKubernetes", "words")),))
    assert waiting_message(seen) == "runner pod: NewInKubernetes: words"
    assert obstacle_of(waiting_message(seen)) is UNKNOWN


FAILURES = [
    ("FailedCreateHeadPod", "head pod cannot be made: exceeded quota: a"),
    ("FailedCreateWorkerPod", "worker pod cannot be made: exceeded quota: a"),
    ("FailedDeleteHeadPod", "RayCluster: FailedDeleteHeadPod: exceeded quota: a"),
    ("FailedDeleteWorkerPod", "RayCluster: FailedDeleteWorkerPod: exceeded quota: a"),
    ("FailedDeleteAllPods", "RayCluster: FailedDeleteAllPods: exceeded quota: a"),
]


@pytest.mark.parametrize(("reason", "text"), FAILURES)
def test_what_kuberay_cannot_do_is_told_once_and_on_one_line(reason: str, text: str) -> None:
    message = f'{reason}\npods "mnist-x" is forbidden: exceeded quota: a'
    since = "2026-01-02T03:04:07Z"
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
    }
    seen = observed_object({"metadata": {"name": "a"}, "status": {"conditions": [condition]}})
    assert (seen.problem, seen.problem_since) == (text, CREATED + timedelta(seconds=2))
    assert obstacle_of(seen.problem) is not UNKNOWN


def test_no_words_are_taken_for_another_ones() -> None:
    """A user's image or a policy may say anything; only who could refuse is believed."""
    for text in (
        "runner pod: CrashLoopBackOff: violates PodSecurity",
        "runner pod: CreateContainerError: Too long: may not be more than 1 bytes",
        "worker pod: ErrImagePull: InvalidImageName",
        "RayCluster: exceeded quota: a",
    ):
        assert obstacle_of(text).seconds is None


def test_each_cause_is_one_row_with_a_fix() -> None:
    names = [row.name for row in OBSTACLES]
    assert len(names) == len(set(names))
    assert all(row.fix and len(row.fix) <= 90 for row in OBSTACLES)
    tested = {name for name, _, _ in REFUSED} | {name for _, name, _ in KUBELET}
    assert set(names) - tested == {
        "RunsAsRoot",
        "ContainerCreating",
        "RayClusterIgnored",
        "RayClusterFailing",
    }


def test_the_name_of_a_quota_is_known() -> None:
    assert quota_of("worker pod cannot be made: exceeded quota: team-a.b, requested: pods=1") == "team-a.b"
    assert quota_of("worker pod cannot be made: a webhook's words") == ""
    assert quota_of('x cannot be made: admission webhook "a" denied the request: exceeded quota: b') == ""


@pytest.mark.parametrize(
    "component", [Component.RUNNER, Component.HEAD, Component.WORKER, Component.COLLECTOR]
)
def test_a_pod_that_its_node_cannot_set_up_is_told_of_after_a_minute(component: Component) -> None:
    pod = a_pod(component, scheduled_at=BOUND, not_set_up_since=BOUND)
    beside = a_pod(Component.WORKER, "another")
    assert waiting_message(provisioning(64, pods=(pod, beside))) == ""
    told = waiting_message(provisioning(65, pods=(pod, beside)))
    assert told.startswith(f"{component.value} pod: ContainerCreating for 60 s: its node waits for a volume")
    assert f"pod {pod.name}; fix: kubectl describe pod" in told


def test_it_is_looked_at_when_that_minute_is_over() -> None:
    pod = a_pod(Component.HEAD, scheduled_at=BOUND, not_set_up_since=BOUND)
    assert plan(provisioning(35, pods=(pod,))).requeue_after == pytest.approx(30)


def test_a_pod_that_pulls_its_image_is_given_its_time() -> None:
    pod = a_pod(Component.WORKER, scheduled_at=BOUND)
    assert waiting_message(provisioning(1000, pods=(pod, a_pod(Component.HEAD)))) == ""


def test_what_a_pod_says_itself_comes_before_what_is_only_late() -> None:
    late = a_pod(Component.HEAD, not_set_up_since=BOUND)
    known = a_pod(Component.WORKER, waiting=("ErrImagePull", "not found"))
    seen = provisioning(100, pods=(late, known))
    assert waiting_message(seen).startswith("worker pod: ErrImagePull: not found; fix: ")
    refused = replace(seen, pods=(late,), refused=refusal())
    assert waiting_message(refused).startswith("head pod: ContainerCreating")
    assert waiting_message(replace(refused, pods=(), ray_cluster=None)).startswith(
        "runner pod cannot be made: exceeded quota: team"
    )


@pytest.mark.parametrize(
    ("before", "after"), [("3900m", "4"), ("12Gi", "9Gi"), ("1", "17"), ("1.5Gi", "2Gi")]
)
def test_that_others_use_more_or_less_of_a_quota_costs_no_write(before: str, after: str) -> None:
    def seen(used: str) -> Observed:
        return provisioning(20, refused=refusal(f"exceeded quota: a, requested: cpu=1, used: cpu={used}"))

    first = seen(before)
    written = planned(first, plan(first))
    later = replace(written, refused=seen(after).refused)
    assert plan(later).status == written.run.status


def test_a_message_is_cut_in_its_middle_so_that_the_fix_is_whole() -> None:
    told = waiting_message(provisioning(20, refused=refusal("exceeded quota: a, requested: " + "x" * 1000)))
    assert len(told.encode()) == 256
    assert told.endswith(f"x…; fix: {obstacle_of(told).fix}")


def test_words_that_come_again_and_again_are_looked_through_once() -> None:
    begun = time.process_time()
    obstacle_of("worker pod: InvalidImageName: " + " cannot be made: x" * 400)
    assert time.process_time() - begun < 5.0  # it took as long as the cube of how often they come


def test_a_pod_that_only_claims_to_be_the_runs_keeps_nobody_waiting_and_tells_no_image() -> None:
    theirs = [
        a_pod(component, "theirs", trusted=False, waiting=("InvalidImageName", "x"), image_id="a@sha256:f")
        for component in Component
    ]
    seen = provisioning(20, pods=tuple(theirs))
    assert waiting(seen) is None
    made = plan(seen)
    assert (made.status.phase, made.status.image_digest) == (Phase.PROVISIONING, "")
