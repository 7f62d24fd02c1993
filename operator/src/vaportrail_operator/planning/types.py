"""The planner's two ends: the one frozen `Observed` that goes in, the `Plan` that comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.status import PipelineRunStatus
from vaportrail.crd.validation.problems import Problem
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.run_pods import RunPods

__all__ = [
    "Action", "Claimant", "Component", "Create", "CreateTokens", "Delete", "DeleteRun", "KubernetesEvent",
    "Observed", "ObservedObject", "ObservedPod", "OperatorSettings", "Plan", "Refusal", "Rivals",
    "SecretState", "Sweep", "SweepResult", "Terminated",
]  # fmt: skip

RUN_UID_LABEL = "vaportrail.dev/run-uid"
"""On everything that is made for a run; its value is the run's uid."""
RUN_LABEL = "vaportrail.dev/run"
COMPONENT_LABEL = "vaportrail.dev/component"

Manifest = Mapping[str, Any]


class Component(StrEnum):
    """What a pod is to its run; the value of `vaportrail.dev/component`."""

    RUNNER = "runner"
    COLLECTOR = "collector"
    HEAD = "head"
    WORKER = "worker"
    SEALER = "sealer"


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """What the operator was installed with; from the chart's values, by environment variables.

    Attributes:
        operator_image: runs the sealer.
        collector_image: runs the collector: an `otelcol-contrib`.
        image_pull_policy: of those two.
        image_pull_secrets: names, for those two.
        version: of the operator.
        collector_resources: of the collector's container.
        sealer_resources: of the sealer's container.
        run_pods: what holds for all pods of runs.
    """

    operator_image: str
    collector_image: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    version: str = ""
    collector_resources: Manifest = field(default_factory=dict)
    sealer_resources: Manifest = field(default_factory=dict)
    run_pods: RunPods = field(default_factory=RunPods)


@dataclass(frozen=True, slots=True)
class Terminated:
    """How a container ended."""

    exit_code: int
    reason: str
    message: str
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """A pod of the run, reduced to what is decided by.

    Attributes:
        controller: uid of its controller; empty where it has none.
        trusted: whether it is known who made it: what others say is not believed.
        started_at: when its main container (the first) started.
        terminated: how its main container ended; None while it has not.
        drained_at: when the last of all its containers, sidecars included, ended; None until then.
        due: when it must have ended, if it is being deleted: what is there later has a node that does
            not answer, or a finalizer.
        termination_message: the termination message of its main container's last end, also of one that was
            begun again.
        waiting: why it does not run yet, `(reason, message)`: its main container's waiting reason or
            `Unschedulable`; None where nothing is known to be wrong.
        waiting_since: since when, where that is said.
        not_set_up_since: since when its node has it and lacks what it needs before any container, such as
            its volumes or an address; None where it has all, or its node does not say.
        image_id: the digest of its main container's image, as the kubelet says it.
        prepared: the last end of the container that runs to its end before the main one, if it has one.
    """

    name: str
    uid: str
    component: Component
    created_at: datetime
    deleting: bool = False
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"] = "Pending"
    reason: str = ""
    message: str = ""
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    ready_at: datetime | None = None
    ready: bool = False
    terminated: Terminated | None = None
    drained_at: datetime | None = None
    waiting: tuple[str, str] | None = None
    waiting_since: datetime | None = None
    not_set_up_since: datetime | None = None
    due: datetime | None = None
    termination_message: str = ""
    image_id: str = ""
    controller: str = ""
    trusted: bool = True
    prepared: Terminated | None = None


@dataclass(frozen=True, slots=True)
class ObservedObject:
    """Another object of the run: a Service or the RayCluster.

    Attributes:
        provisioned: of a RayCluster, whether all of its pods have been ready once: KubeRay makes none
            again after that.
        controller: uid of its controller; empty where it has none.
        trusted: whether it is known who made it.
        problem: what its controller says is wrong, such as KubeRay's `ReplicaFailure`; empty if nothing.
        problem_since: since when, where that is said.
        lost_fields: what was asked for and is not in what the API server stored: its definition is too old.
    """

    name: str
    uid: str
    created_at: datetime
    deleting: bool = False
    provisioned: bool = False
    problem: str = ""
    problem_since: datetime | None = None
    lost_fields: tuple[str, ...] = ()
    controller: str = ""
    trusted: bool = True


@dataclass(frozen=True, slots=True, order=True)
class Claimant:
    """A live run with regard to the quotas of its namespace; the earlier one is the smaller.

    Attributes:
        created_at: when it was made.
        uid: its uid.
        name: its name.
        quota: that refuses it something, while it has never had a worker; empty if none does.
        holds: whether it has pods.
    """

    created_at: datetime
    uid: str
    name: str
    quota: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Rivals:
    """The runs of a namespace that wait for one quota.

    Attributes:
        quota: its name.
        first: the earliest of them.
        last_holding: the latest of those that hold pods; None if none does.
        others_hold: whether a run that does not wait for it holds pods, and will give them back.
    """

    quota: str
    first: Claimant
    last_holding: Claimant | None
    others_hold: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the API server refuses to make of a run.

    Attributes:
        text: what, and why, on one line.
        status: of its reply; 0 where a name is taken.
        since: since when, as far as this process knows.
    """

    text: str
    status: int
    since: datetime


class SecretState(StrEnum):
    """What the operator knows of the run's Secret, which it may never read."""

    UNKNOWN = "Unknown"
    MADE = "Made"
    GONE = "Gone"


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The result of a live look for what is left of a run.

    Attributes:
        at: when.
        left: `<Kind>/<name>` of all that was found, the sealer included.
    """

    at: datetime
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """All that a plan follows from.

    Attributes:
        run: the PipelineRun as last seen, with its status.
        now: the time, of the operator's clock.
        kuberay: whether the API server serves `rayclusters.ray.io`.
        refused: what the API server refuses to make of the run, until it makes it: a quota, an admission
            policy, a name that is taken; None if nothing was refused.
        others: what else there is that is no pod, with its kind.
        rivals: who waits for the quota that this run waits for; None where it waits for none.
        sweep_result: the last live sweep since this operator started, or None; older than the last change
            of what is observed, it counts for nothing.
        left_out: what of the run's spec is beyond the bounds: `run` does not have it.
    """

    run: PipelineRun
    now: datetime
    settings: OperatorSettings
    kuberay: bool = True
    ray_cluster: ObservedObject | None = None
    services: tuple[ObservedObject, ...] = ()
    others: tuple[tuple[Kind, ObservedObject], ...] = ()
    pods: tuple[ObservedPod, ...] = ()
    secret: SecretState = SecretState.UNKNOWN
    refused: Refusal | None = None
    rivals: Rivals | None = None
    sweep_result: SweepResult | None = None
    left_out: tuple[Problem, ...] = ()

    def pod(self, component: Component) -> ObservedPod | None:
        """Return the run's pod of a component that has one: the one whose word counts."""
        return next((pod for pod in self.pods if pod.component is component and pod.trusted), None)

    def objects(self) -> tuple[tuple[Kind, ObservedObject], ...]:
        """Return all that is there of the run and is no pod, with its kind."""
        cluster = ((Kind.RAY_CLUSTER, self.ray_cluster),) if self.ray_cluster else ()
        return (*((Kind.SERVICE, each) for each in self.services), *self.others, *cluster)

    def pods_of(self, *components: Component) -> tuple[ObservedPod, ...]:
        """Return the run's pods of some components, whoever made them: all of them have to go."""
        return tuple(pod for pod in self.pods if pod.component in components)

    def trusted_pods(self, *components: Component) -> tuple[ObservedPod, ...]:
        """Return those of which it is known who made them: what others say counts for nothing."""
        return tuple(pod for pod in self.pods_of(*components) if pod.trusted)


@dataclass(frozen=True, slots=True)
class CreateTokens:
    """Create the run's Secret with a random token under each key, and an `owner` more: kind and name."""

    manifest: Manifest
    keys: tuple[str, ...]
    owner: tuple[Kind, str] | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object; one that exists and is this run's is kept.

    Only if a live read shows the run as it was planned for: uid, status, `cancel`, no deletion.
    """

    kind: Kind
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object if it has this uid; of a Secret, whose uid is in its name, by name alone."""

    kind: Kind
    name: str
    uid: str = ""
    grace_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Sweep:
    """Look, live and by name, for what is left of the run; the next `Observed` has the result."""


@dataclass(frozen=True, slots=True)
class DeleteRun:
    """Delete the PipelineRun itself: its time to live is over."""


Action = CreateTokens | Create | Delete | Sweep | DeleteRun


@dataclass(frozen=True, slots=True)
class KubernetesEvent:
    """A Kubernetes Event on the PipelineRun."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: first the status is written, then the actions are carried out in their order.

    Attributes:
        status: all of the status as it should be; written only where it differs, with the run's
            resourceVersion: a conflict ends the step before any action.
        requeue_after: seconds until the run should be looked at again though nothing happens.
        events: Kubernetes Events, sent once the status is written.
    """

    status: PipelineRunStatus
    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None
    events: tuple[KubernetesEvent, ...] = ()
