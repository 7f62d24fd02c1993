"""A cluster in memory, small enough to crash the operator in it at every write.

It keeps what the planner relies on: uids, the run's resourceVersion, the status written on its own,
owners and their garbage collection. KubeRay, the kubelet, the runner and the sealer are a script that
makes one move at a time.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any

from tests.planning.disruptions import DEEDS, GRACE
from tests.planning.faults import Conflict, Killed, Script
from tests.planning.runs import CREATED, SETTINGS, a_run, run_report, seal_report

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_messages import SealRequest
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.status import Phase, PipelineRunStatus
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import (
    COMPONENT_LABEL,
    Action,
    Component,
    Create,
    CreateTokens,
    Delete,
    DeleteRun,
    Observed,
    ObservedObject,
    ObservedPod,
    Plan,
    Refusal,
    SecretState,
    Sweep,
    SweepResult,
    Terminated,
)

__all__ = ["Conflict", "Killed", "Script", "World"]


class _Stop(Exception):
    """The rest of the plan is given up."""


class _Refused(Exception):
    """The API server lets nobody make this."""


_SHIPPING = (Component.RUNNER, Component.HEAD, Component.WORKER)


@dataclass
class World:
    """The state of the cluster, and what the operator remembers of it.

    Attributes:
        kill_at: the number of the write at which the operator is killed; None: never.
        kill_after: whether that write still takes effect.
        writes: how many writes the operator has made.
        made: how often each object was created.
        guards: whether there is a live look before something is made.
        dead: pods whose node does not answer any more.
        held: pods with somebody's finalizer.
        unshipped: pods that went before their shippers had brought away what they held.
    """

    script: Script = field(default_factory=Script)
    run: PipelineRun | None = field(default_factory=a_run)
    now: datetime = CREATED + timedelta(seconds=1)
    kill_at: int | None = None
    kill_after: bool = False
    guards: bool = True
    writes: int = 0
    made: Counter[str] = field(default_factory=Counter)
    seals: list[SealRequest] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    pods: dict[str, ObservedPod] = field(default_factory=dict)
    services: dict[str, ObservedObject] = field(default_factory=dict)
    clusters: dict[str, ObservedObject] = field(default_factory=dict)
    others: dict[Kind, dict[str, ObservedObject]] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    requests: dict[str, SealRequest] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    unshipped: set[str] = field(default_factory=set)
    secret: SecretState = SecretState.UNKNOWN
    refused: Refusal | None = None
    sweep_result: SweepResult | None = None
    _uids: int = 0
    _version: int = 1
    _done: set[int] = field(default_factory=set)

    # The operator's side.

    def observe(self) -> Observed:
        """Return what a fresh cache shows."""
        assert self.run is not None
        return Observed(
            run=self.run,
            now=self.now,
            settings=SETTINGS,
            ray_cluster=next(iter(self.clusters.values()), None),
            services=tuple(self.services.values()),
            others=tuple((kind, each) for kind, some in self.others.items() for each in some.values()),
            pods=tuple(self.pods.values()),
            secret=self.secret,
            refused=self.refused,
            sweep_result=self.sweep_result,
        )

    def apply(self, plan: Plan, seen: Observed) -> bool:
        """Write the status, carry out the actions; returns whether anything was written.

        Raises:
            Conflict: the plan followed from an old version of the run.
            Killed: as asked for.
        """
        before = self.writes
        if plan.status != seen.run.status:
            if self.run is None or self.run.metadata.resource_version != seen.run.metadata.resource_version:
                raise Conflict
            self._write(lambda: self._put_status(plan.status))
        try:
            for action in plan.actions:
                self._act(plan, seen, action)
        except _Stop:
            return True
        except _Refused:
            pass
        return self.writes > before

    def copy(self, **changes: Any) -> World:
        """Return a world in the same state, which goes its own way from here."""
        own = {
            each.name: copy.copy(getattr(self, each.name))
            for each in fields(self)
            if isinstance(getattr(self, each.name), dict | set | list)
        }
        return replace(self, **{**own, **changes})

    def restart(self) -> None:
        """Forget what a process knows."""
        self.secret, self.refused, self.sweep_result = SecretState.UNKNOWN, None, None

    def _write(self, effect: Callable[[], Any]) -> None:
        self.writes += 1
        self.now += timedelta(milliseconds=10)
        if self.kill_at == self.writes and not self.kill_after:
            raise Killed
        effect()
        if self.kill_at == self.writes:
            raise Killed

    def _put_status(self, status: PipelineRunStatus) -> None:
        assert self.run is not None
        self._version += 1
        written = PipelineRunStatus.model_validate(json.loads(status.model_dump_json()))
        assert not (isinstance(self.run.status.phase, Phase) and self.run.status.phase.terminal) or (
            self.run.status.phase == written.phase
        ), "a run that ended stays as it ended"
        self.run = self._changed(status=written)
        if not self.phases or self.phases[-1] != written.phase:
            self.phases.append(str(written.phase))

    def _changed(self, **update: Any) -> PipelineRun:
        assert self.run is not None
        metadata = self.run.metadata.model_copy(update={"resource_version": str(self._version)})
        return self.run.model_copy(update={"metadata": metadata, **update})

    def _act(self, plan: Plan, seen: Observed, action: Action) -> None:
        if isinstance(action, Create | CreateTokens) and self.guards and not self._wanted(plan, seen):
            raise _Stop
        match action:
            case CreateTokens(manifest=manifest):
                if manifest["metadata"]["name"] not in self.secrets:
                    self._write(lambda: self._create_secret(manifest["metadata"]["name"]))
                self.secret = SecretState.MADE
            case Create():
                self._create(action)
            case Delete(kind=Kind.SECRET):
                if action.name in self.secrets:
                    self._write(lambda: self.secrets.discard(action.name))
                self.secret = SecretState.GONE
            case Delete():
                self._delete(action)
            case Sweep():
                self.now += timedelta(milliseconds=10)
                left = [f"Pod/{name}" for name in self.pods]
                left += [f"Service/{name}" for name in self.services]
                left += [f"RayCluster/{name}" for name in self.clusters]
                left += [f"{kind}/{name}" for kind, some in self.others.items() for name in some]
                self.sweep_result = SweepResult(self.now, tuple(left))
            case DeleteRun():
                self._write(self._remove_run)

    def _remove_run(self) -> None:
        self.run = None

    def _create_secret(self, name: str) -> None:
        self.secrets.add(name)
        self.made[f"Secret/{name}"] += 1

    def _create(self, action: Create) -> None:
        name = action.manifest["metadata"]["name"]
        there = {
            Kind.POD: set(self.pods),
            Kind.SERVICE: set(self.services),
            Kind.RAY_CLUSTER: set(self.clusters),
        }
        if name in there.get(action.kind, set(self.others.get(action.kind, ()))):
            return
        if name.endswith(self.script.refused or ("/",)):
            since = self.refused.since if self.refused else self.now
            self.refused = Refusal(f"{action.kind} cannot be made: exceeded quota: team", 403, since)
            raise _Refused
        self._write(lambda: self._make(action))
        self.refused = None

    def _wanted(self, plan: Plan, seen: Observed) -> bool:
        run = self.run
        if run is None or run.metadata.deletion_timestamp:
            return False
        return run.spec.cancel == seen.run.spec.cancel and run.status == plan.status

    def _make(self, action: Create) -> None:
        metadata = action.manifest["metadata"]
        name, uid = metadata["name"], self._uid()
        self.made[f"{action.kind}/{name}"] += 1
        if action.kind is Kind.POD:
            component = Component(metadata["labels"][COMPONENT_LABEL])
            self.pods[name] = ObservedPod(name, uid, component, self._time())
            if component is Component.SEALER:
                env = {each["name"]: each.get("value") for each in _env(action)}
                text = env["VAPORTRAIL_SEAL_REQUEST"]
                assert text is not None
                self.requests[name] = SealRequest.model_validate_json(text.replace("$$", "$"))
                compute = {pod.name for pod in self.pods.values() if pod.component is not Component.SEALER}
                assert compute <= self.held, "compute is released before the seal"
                assert not self.clusters, "compute is released before the seal"
        else:
            self._of(action.kind)[name] = ObservedObject(name, uid, self._time())

    def _of(self, kind: Kind) -> dict[str, ObservedObject]:
        known = {Kind.SERVICE: self.services, Kind.RAY_CLUSTER: self.clusters}
        return known[kind] if kind in known else self.others.setdefault(kind, {})

    def _time(self) -> datetime:
        """Return the time as Kubernetes writes it."""
        return self.now.replace(microsecond=0)

    def _uid(self) -> str:
        self._uids += 1
        return f"00000000-0000-4000-8000-{self._uids:012}"

    def _delete(self, action: Delete) -> None:
        if action.kind is Kind.POD:
            pod = self.pods.get(action.name)
            forced = action.grace_seconds == 0 and pod is not None and pod.name not in self.held
            if pod and pod.uid == action.uid and (not pod.deleting or forced):
                self._write(lambda: self._delete_pod(pod, action.grace_seconds))
            return
        there = self._of(action.kind)
        found = there.get(action.name)
        if found and found.uid == action.uid:
            self._write(lambda: there.pop(action.name))

    def _delete_pod(self, pod: ObservedPod, grace: int | None) -> None:
        # What has ended, or never began, is gone at once.
        if pod.name not in self.held and (
            grace == 0 or pod.phase in ("Succeeded", "Failed") or not pod.scheduled_at
        ):
            del self.pods[pod.name]
            self.dead.discard(pod.name)
            if pod.component in _SHIPPING and pod.started_at and not pod.drained_at:
                self.unshipped.add(pod.name)
        else:
            self.pods[pod.name] = replace(pod, deleting=True, due=self._time() + GRACE)

    # What others do.

    def move(self) -> bool:
        """Make one move of somebody else; returns False where nobody has anything to do."""
        self.now += timedelta(seconds=1)
        return self.deed() or self._kuberay() or self._kubelet()

    def deed(self) -> bool:
        """Do what the script has somebody do in the run's present phase; returns whether there was any."""
        for index, (when, deed) in enumerate(self.script.deeds):
            if self.run and self.run.status.phase == when and index not in self._done:
                self._done.add(index)
                DEEDS[deed](self)
                return True
        return False

    def put_spec(self, **changed: Any) -> None:
        """Change the run's spec, as a user does."""
        assert self.run is not None
        self._version += 1
        self.run = self._changed(spec=self.run.spec.model_copy(update=changed))

    def _kuberay(self) -> bool:
        ray = [pod for pod in self.pods.values() if pod.component in (Component.HEAD, Component.WORKER)]
        for name, cluster in list(self.clusters.items()):
            head = f"{name}-head"
            if ray and all(pod.ready for pod in ray) and not cluster.provisioned:
                self.clusters[name] = replace(cluster, provisioned=True)
                return True
            if not ray and not cluster.provisioned:
                for made, component in ((head, Component.HEAD), (f"{name}-worker", Component.WORKER)):
                    self.pods[made] = ObservedPod(made, self._uid(), component, self._time())
                service = f"{head}-svc"
                self.services[service] = ObservedObject(service, self._uid(), self._time())
                return True
        stale = [name for name in self.services if name.endswith("-head-svc")]
        if not self.clusters and (stale or any(not pod.deleting for pod in ray)):
            for name in stale:
                del self.services[name]
            for pod in ray:
                if not pod.deleting:
                    self._delete_pod(pod, None)
            return True
        return False

    def _kubelet(self) -> bool:
        for pod in list(self.pods.values()):
            if pod.name in self.dead:
                continue
            moved = self._pod_moves(pod)
            if moved is not None:
                self.pods[pod.name] = moved
                return True
            if pod.name not in self.pods:
                return True
            if pod.deleting and pod.drained_at and pod.name not in self.held:
                del self.pods[pod.name]
                return True
        return False

    def _pod_moves(self, pod: ObservedPod) -> ObservedPod | None:
        """Return a pod after its next move, or None where it waits for something."""
        if pod.terminated:
            # The sidecars are told to end once the main container has, and do when all is shipped.
            waits = pod.component in _SHIPPING and not self._collects()
            return None if pod.drained_at or waits else replace(pod, drained_at=self._time(), phase=_end(pod))
        if pod.deleting:
            told = run_report(Outcome.CANCELLED) if pod.component is Component.RUNNER else ""
            return self._terminated(pod, told)
        if not pod.scheduled_at:
            return replace(pod, scheduled_at=self._time())
        if not pod.started_at:
            ready = pod.component not in (Component.RUNNER, Component.SEALER)
            return replace(
                pod,
                started_at=self._time(),
                phase="Running",
                ready=ready,
                ready_at=self._time() if ready else None,
                image_id="docker.io/acme/mnist@sha256:1234",
            )
        if pod.component is Component.RUNNER:
            return self._runner_moves(pod)
        return self._sealer_moves(pod) if pod.component is Component.SEALER else None

    def _collects(self) -> bool:
        return any(pod.component is Component.COLLECTOR and pod.ready for pod in self.pods.values())

    def _runner_moves(self, pod: ObservedPod) -> ObservedPod | None:
        head_ready = any(each.component is Component.HEAD and each.ready for each in self.pods.values())
        if not pod.ready:
            return replace(pod, ready=True, ready_at=self._time()) if head_ready else None
        # Its tasks need the worker.
        working = any(each.component is Component.WORKER and each.ready for each in self.pods.values())
        if self.script.outcome is None or not working:
            return None
        times = {"joined": pod.started_at, "user_code_started": pod.ready_at, "user_code_ended": self._time()}
        said = {name: time.isoformat() for name, time in times.items() if time}
        return self._terminated(pod, run_report(self.script.outcome, **said))

    def _sealer_moves(self, pod: ObservedPod) -> ObservedPod | None:
        request = self.requests[pod.name]
        if self.made[f"Pod/{pod.name}"] <= self.script.sealers_lost:
            del self.pods[pod.name]
            return None
        self.seals.append(request)
        outcome = self.script.outcome or request.outcome
        sealed = self._terminated(pod, seal_report(outcome))
        return replace(sealed, drained_at=self._time(), phase="Succeeded")

    def _terminated(self, pod: ObservedPod, message: str) -> ObservedPod:
        last = Terminated(0, "Completed", message, pod.started_at, self._time())
        return replace(pod, terminated=last, ready=False)


def _end(pod: ObservedPod) -> Any:
    return "Failed" if pod.terminated and pod.terminated.exit_code else "Succeeded"


def _env(action: Create) -> list[dict[str, Any]]:
    env: list[dict[str, Any]] = action.manifest["spec"]["containers"][0]["env"]
    return env
