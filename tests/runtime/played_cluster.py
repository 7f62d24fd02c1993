"""What is around the operator on the world in memory: KubeRay, the kubelet, the runner, the sealer.

Each moves once a round, by the objects alone. With the real planner, applier and cache this is a whole
life of a run, in some milliseconds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.planning.runs import SETTINGS, plan_report, run_report, seal_report

from runtime.world import World
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_messages import SealRequest
from vaportrail_operator.acting.apply import Applier, NameTaken
from vaportrail_operator.acting.client import ApiError
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS, RUNS, SERVICES
from vaportrail_operator.planning.kinds import Endpoint
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import COMPONENT_LABEL
from vaportrail_operator.runtime.cache import Cache, Key
from vaportrail_operator.runtime.claims import Claims
from vaportrail_operator.runtime.listing import Lister
from vaportrail_operator.runtime.metrics import Metrics
from vaportrail_operator.runtime.reconciler import Reconciler
from vaportrail_operator.runtime.workqueue import Backoff, WorkQueue

__all__ = ["KEY", "Counted", "Crash", "Life"]

KEY: Key = ("team", "mnist")
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_STEPS = 200
_TERMINAL = ("Succeeded", "Failed", "Cancelled")


class Crash(BaseException):
    """The operator's process ends here."""


class Counted:
    """A client that notes each call, also one that changes nothing."""

    def __init__(self, world: World, calls: list[str]) -> None:
        self._world, self._calls = world, calls

    def __getattr__(self, verb: str) -> Any:
        call = getattr(self._world, verb)

        def counted(resource: Endpoint, namespace: str, what: Any = "", *rest: Any, **more: Any) -> Any:
            name = what if isinstance(what, str) else what["metadata"]["name"]
            self._calls.append(f"{verb} {resource.kind}/{name}")
            return call(resource, namespace, what, *rest, **more)

        return counted


@dataclass
class Life:
    """A world in which one run lives, and the operator that brings it on.

    Attributes:
        world: the objects.
        outcome: what the runner and the sealer say.
        now: the time of operator and nodes.
        disturb: is called before each round; for what strangers and users do.
        calls: of the operator but for its lists, each with what it was about; Events are among them.
        runner_ends: whether the runner ever does.
        has_run: whether it did.
    """

    world: World = field(default_factory=World)
    outcome: Outcome = Outcome.SUCCEEDED
    now: datetime = START
    disturb: Callable[[Life], None] = lambda life: None
    calls: list[str] = field(default_factory=list)
    runner_ends: bool = True
    has_run: bool = False

    @property
    def status(self) -> dict[str, Any]:
        """The run's status."""
        return dict(self.world.status(KEY[1]))

    @property
    def uid(self) -> str:
        """The run's uid."""
        return str(self.world.of(RUNS)[0]["metadata"]["uid"])

    @property
    def base(self) -> str:
        """What the names of the run's objects begin with."""
        return f"{KEY[1]}-{self.uid[:8]}"

    def pods(self, component: str) -> list[dict[str, Any]]:
        """Return what says that it is a pod of a component of the run."""
        return [each for each in self.world.of(PODS) if _label(each, COMPONENT_LABEL) == component]

    def own_pods(self, component: str) -> list[dict[str, Any]]:
        """Return the pods that the operator or KubeRay made."""
        return [each for each in self.pods(component) if "stranger" not in each["metadata"]]

    async def until_over(self) -> None:
        """Start an operator that knows nothing, and let all work until the run has ended.

        Raises:
            Crash: the process ended.
        """
        lister, reconciler = self._operator()
        for _ in range(_STEPS):
            await lister.list_all()
            self.disturb(self)
            again: float | None = 0.0
            try:
                again = await reconciler.step(KEY)
            except (ApiError, NameTaken):
                again = 60.0
            if self.status.get("phase") in _TERMINAL:
                return
            moved = self._move()
            self.now += timedelta(seconds=1.0 if moved or not again else min(again, 60.0))
        raise AssertionError(f"the run is not over: {self.status} {self.world.calls}")

    async def step(self) -> float | None:
        """Have an operator that knows nothing take one step; returns when it wants to take the next."""
        lister, reconciler = self._operator()
        await lister.list_all()
        return await reconciler.step(KEY)

    def _operator(self) -> tuple[Lister, Reconciler]:
        queue: WorkQueue[Key] = WorkQueue(lambda: 0.0, Backoff(1.0, 1.0, lambda: 1.0))
        cache = Cache(lambda: 0.0, queue.add)
        client = Counted(self.world, self.calls)
        applier = Applier(
            client,
            cache,
            now=lambda: self.now,
            token=lambda: "0" * 64,
            instance="test",
            send_event=lambda body: self.calls.append(f"create Event/{body['reason']}"),
        )
        lister = Lister(self.world, cache)
        reconciler = Reconciler(
            queue=queue,
            cache=cache,
            applier=applier,
            plan=plan,
            settings=SETTINGS,
            kuberay=lambda: True,
            now=lambda: self.now,
            metrics=Metrics(),
            claims=Claims(client, "system/operator", clock=lambda: 0.0, now=lambda: self.now, live=list),
        )
        return lister, reconciler

    def _move(self) -> bool:
        before = [copy.deepcopy(each) for each in self.world.of(PODS)]
        self._kuberay()
        for raw in self.world.of(PODS):
            if "stranger" not in raw["metadata"]:
                self._kubelet(raw)
        return before != self.world.of(PODS)

    def _kuberay(self) -> None:
        for cluster in self.world.of(RAY_CLUSTERS):
            name, uid = cluster["metadata"]["name"], cluster["metadata"]["uid"]
            owner = {"kind": "RayCluster", "name": name, "uid": uid, "controller": True}
            ray = [each for each in self.world.of(PODS) if _owner(each) == uid]
            if not ray and not _provisioned(cluster):
                head = cluster["spec"]["headGroupSpec"]
                groups = cluster["spec"]["workerGroupSpecs"]
                for made, template in (
                    (f"{name}-head", head["template"]),
                    *((f"{name}-{each['groupName']}-worker-a", each["template"]) for each in groups),
                ):
                    labels = {**template["metadata"]["labels"], "ray.io/cluster": name}
                    metadata = {"name": made, "labels": labels, "ownerReferences": [owner]}
                    self._put_pod({"metadata": metadata, "spec": template["spec"]})
                labels = {**head["headService"]["metadata"]["labels"], "ray.io/cluster": name}
                service = {"name": f"{name}-head-svc", "labels": labels, "ownerReferences": [owner]}
                self.world.put(SERVICES, {"metadata": service})
            elif ray and all(_is_ready(each) for each in ray) and not _provisioned(cluster):
                conditions = [{"type": "RayClusterProvisioned", "status": "True"}]
                cluster["status"] = {"conditions": conditions}
                self.world.put(RAY_CLUSTERS, cluster)

    def _put_pod(self, raw: dict[str, Any]) -> None:
        raw["metadata"]["creationTimestamp"] = self.now.isoformat()
        self.world.put(PODS, copy.deepcopy(raw))

    def _kubelet(self, raw: dict[str, Any]) -> None:
        component = _label(raw, COMPONENT_LABEL)
        phase = raw.get("status", {}).get("phase")
        if phase == "Succeeded":
            return
        if phase is None:
            self._set(raw, "Running", {"running": {"startedAt": self.now.isoformat()}}, ready=False)
        elif not _is_ready(raw):
            head_ready = any(_is_ready(each) for each in self.own_pods("head"))
            if component == "sealer":
                self._end(raw, seal_report(self._sealed_outcome(raw)))
            elif component != "runner" or head_ready:
                self._set(raw, "Running", {"running": {"startedAt": self.now.isoformat()}}, ready=True)
        elif (
            component == "runner"
            and self.runner_ends
            and any(_is_ready(each) for each in self.own_pods("worker"))
        ):
            self.has_run = True
            started = self.now.isoformat()
            self._end(raw, run_report(self.outcome, user_code_started=started, user_code_ended=started))

    def _has_worker(self) -> bool:
        return any(_is_ready(each) for each in self.own_pods("worker"))

    def _sealed_outcome(self, sealer: dict[str, Any]) -> Outcome:
        """Return what the record says: what the runner told in its spool, else what the operator says."""
        env = {each["name"]: each.get("value") for each in sealer["spec"]["containers"][0]["env"]}
        request = SealRequest.model_validate_json(str(env["VAPORTRAIL_SEAL_REQUEST"]).replace("$$", "$"))
        return self.outcome if self.has_run else request.outcome

    def _end(self, raw: dict[str, Any], message: str) -> None:
        times = {"startedAt": self.now.isoformat(), "finishedAt": self.now.isoformat()}
        state = {"terminated": {**times, "exitCode": 0, "reason": "Completed", "message": message}}
        self._set(raw, "Succeeded", state, ready=False)

    def _set(self, raw: dict[str, Any], phase: str, state: dict[str, Any], *, ready: bool) -> None:
        names = [each["name"] for each in raw["spec"]["containers"]]
        inits = [each["name"] for each in raw["spec"].get("initContainers", [])]
        first = {
            "terminated": {**state.get("terminated", {}), "exitCode": 0, "message": plan_report("b" * 64)}
        }
        is_sealer = _label(raw, COMPONENT_LABEL) == "sealer"
        at = {"lastTransitionTime": self.now.isoformat()}
        raw["status"] = {
            "phase": phase,
            "conditions": [
                {"type": "PodScheduled", "status": "True", **at},
                {"type": "Ready", "status": str(ready), **at},
            ],
            "containerStatuses": [{"name": name, "state": state} for name in names],
            "initContainerStatuses": [
                {"name": name, "state": first if is_sealer else state} for name in inits
            ],
        }
        self.world.put(PODS, raw)


def _label(raw: dict[str, Any], name: str) -> str:
    return str((raw["metadata"].get("labels") or {}).get(name, ""))


def _owner(raw: dict[str, Any]) -> str:
    return next((each["uid"] for each in raw["metadata"].get("ownerReferences") or []), "")


def _is_ready(raw: dict[str, Any]) -> bool:
    conditions = raw.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _provisioned(cluster: dict[str, Any]) -> bool:
    return bool(cluster.get("status", {}).get("conditions"))
