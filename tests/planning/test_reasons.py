"""Why a run does not run yet, in the words of its status."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.planning.runs import CREATED, a_cluster, a_pod, a_run, observed

from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.reasons import waiting
from vaportrail_operator.planning.types import Component, Observed

BOUND = CREATED + timedelta(seconds=5)


def provisioning(seconds: float, **seen: object) -> Observed:
    run = a_run(status={"phase": "Provisioning", "startTime": CREATED.isoformat()})
    return observed(run, seconds, ray_cluster=a_cluster(), **seen)


@pytest.mark.parametrize(
    "component", [Component.RUNNER, Component.HEAD, Component.WORKER, Component.COLLECTOR]
)
def test_a_pod_that_its_node_cannot_set_up_is_told_of_after_a_minute(component: Component) -> None:
    pod = a_pod(component, scheduled_at=BOUND, not_set_up_since=BOUND)
    beside = a_pod(Component.WORKER, "another")
    assert waiting(provisioning(64, pods=(pod, beside))) == ""
    told = waiting(provisioning(65, pods=(pod, beside)))
    assert told.startswith(f"{component.value} pod: ContainerCreating for 60 s: its node waits for a volume")
    assert told.endswith(f"kubectl describe pod {pod.name}")


def test_it_is_looked_at_when_that_minute_is_over() -> None:
    pod = a_pod(Component.HEAD, scheduled_at=BOUND, not_set_up_since=BOUND)
    assert plan(provisioning(35, pods=(pod,))).requeue_after == pytest.approx(30)


def test_a_pod_that_pulls_its_image_is_given_its_time() -> None:
    pod = a_pod(Component.WORKER, scheduled_at=BOUND)
    assert waiting(provisioning(1000, pods=(pod, a_pod(Component.HEAD)))) == ""


def test_what_a_pod_says_itself_comes_before_what_is_only_late() -> None:
    late = a_pod(Component.HEAD, not_set_up_since=BOUND)
    known = a_pod(Component.WORKER, waiting=("ErrImagePull", "not found"))
    seen = provisioning(100, pods=(late, known))
    assert waiting(seen) == "worker pod: ErrImagePull: not found"
    assert waiting(replace(seen, pods=(late,), refused="a quota")).startswith("head pod: ContainerCreating")
    assert waiting(replace(seen, pods=(), ray_cluster=None, refused="a quota")) == "refused: a quota"
