"""Runs in each phase of their life, as they are seen once that is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.planning.runs import (
    CREATED,
    a_cluster,
    a_pod,
    a_run,
    a_service,
    observed,
    planned,
    run_report,
    seal_report,
    terminated,
)

from vaportrail.crd.status import Phase
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import (
    Component,
    Create,
    CreateTokens,
    Delete,
    Observed,
    Plan,
    SecretState,
    SweepResult,
)

__all__ = [
    "COLLECTOR",
    "HEAD",
    "RUNNER",
    "RUNNING_PODS",
    "SEALER",
    "WORKER",
    "at",
    "creations",
    "deleted",
    "deletions",
    "over",
    "provisioning",
    "released",
    "running",
    "sealed",
    "sealing",
    "up",
    "with_spec",
    "without",
]

HEAD, WORKER, RUNNER, COLLECTOR, SEALER = (
    Component.HEAD,
    Component.WORKER,
    Component.RUNNER,
    Component.COLLECTOR,
    Component.SEALER,
)


def at(seconds: float) -> Any:
    return CREATED + timedelta(seconds=seconds)


def up(component: Component, **seen: Any) -> Any:
    known = {"phase": "Running", "scheduled_at": at(3), "started_at": at(5), "ready_at": at(8), "ready": True}
    return a_pod(component, **{**known, **seen})


RUNNING_PODS = tuple(up(each) for each in (HEAD, WORKER, RUNNER, COLLECTOR))


def running(seconds: float = 10, spec: dict[str, Any] | None = None, **seen: Any) -> Observed:
    """Return a run whose pipeline runs, as it is seen once that is written."""
    everything = {
        "pods": RUNNING_PODS,
        "ray_cluster": a_cluster(),
        "services": (a_service(),),
        "secret": SecretState.MADE,
    }
    first = observed(a_run(spec), 2)
    second = planned(first, plan(first), now=at(9), **everything)
    third = planned(second, plan(second), now=at(seconds))
    assert third.run.status.phase is Phase.RUNNING
    return replace(third, **seen)


def without(*components: Component) -> tuple[Any, ...]:
    return tuple(pod for pod in RUNNING_PODS if pod.component not in components)


def deletions(made: Plan) -> list[str]:
    return [f"{each.kind}/{each.name}" for each in made.actions if isinstance(each, Delete)]


def creations(made: Plan) -> list[str]:
    return [
        each.manifest["metadata"]["name"] for each in made.actions if isinstance(each, Create | CreateTokens)
    ]


def deleted(observation: Observed, **metadata: Any) -> Observed:
    meta = observation.run.metadata.model_copy(update=metadata)
    return replace(observation, run=observation.run.model_copy(update={"metadata": meta}))


def with_spec(observation: Observed, **spec: Any) -> Observed:
    changed = observation.run.spec.model_copy(update=spec)
    return replace(observation, run=observation.run.model_copy(update={"spec": changed}))


def released(seconds: float = 30, **seen: Any) -> Observed:
    """Return a run in `Releasing` of whose compute nothing is left, with a live look that confirms it."""
    over = running(20, pods=(*without(RUNNER), terminated(up(RUNNER), run_report())))
    gone = planned(
        over, plan(over), now=at(25), pods=(), services=(), ray_cluster=None, secret=SecretState.GONE
    )
    looked = planned(gone, plan(gone), now=at(seconds), sweep_result=SweepResult(at(26), ()))
    assert looked.run.status.phase is Phase.RELEASING
    return replace(looked, **seen)


def sealing(seconds: float = 40, **seen: Any) -> Observed:
    """Return a run in `Sealing`."""
    first = released()
    second = planned(first, plan(first), now=at(seconds), sweep_result=None)
    assert second.run.status.phase is Phase.SEALING
    return replace(second, **seen)


def provisioning(seconds: float = 5, **seen: Any) -> Observed:
    first = observed()
    return planned(first, plan(first), now=at(seconds), **{"secret": SecretState.MADE, **seen})


def sealed(answer: str, **seen: Any) -> Observed:
    """Return a run whose record is sealed, with the sealer gone and the last look taken."""
    first = sealing(pods=(terminated(up(SEALER, created_at=at(35)), answer),))
    second = planned(first, plan(first), now=at(45), pods=())
    return planned(second, plan(second), now=at(47), **{"sweep_result": SweepResult(at(46), ()), **seen})


def over(seconds: float) -> Observed:
    last = sealed(seal_report())
    return planned(last, plan(last), now=at(seconds))
