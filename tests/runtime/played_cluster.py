"""What is around the operator on the world in memory: KubeRay, kubelets, garbage collector, runner, sealer.

Each moves by the objects alone, once a second at most. With the real planner, applier and cache this is a
whole life of a run, in some milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.planning.runs import plan_report, run_report, seal_report

from runtime.pod_status import (
    blocks,
    component_of,
    controller_uid,
    drained,
    ended,
    is_ready,
    provisioned,
    running_state,
    started,
    status_of,
)
from runtime.world import FOREGROUND, World, copied
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_messages import SealRequest
from vaportrail_operator.acting.client import Object
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS, RUNS, SECRETS, SERVICES
from vaportrail_operator.planning.kinds import Endpoint

__all__ = ["NODE", "PlayedCluster"]

NODE = "node-a"
_KINDS = (RUNS, RAY_CLUSTERS, PODS, SERVICES, SECRETS)
_SHIPPING = ("runner", "head", "worker")
_ENDED = ("Succeeded", "Failed")


@dataclass
class PlayedCluster:
    """All that moves beside the operator.

    Attributes:
        world: the objects.
        outcome: what the runner and the sealer say; None: the runner goes on until it is told to end.
        keeps: given a pod, why it does not start, as a `waiting` state or a condition; None: it does.
        silent: the nodes that do not answer, and the names of pods that are on such a one.
        sealers_lost: so many sealers go without a word before one seals.
        seal_refused: whether the sealer says that it cannot ever seal.
        kuberay: whether KubeRay's operator works.
        unshipped: the pods that were gone before what they had told was shipped.
        requests: what each sealer was asked for.
        recorded: what the runner told in its spool; None where it told nothing, or nobody has its spool.
    """

    world: World
    outcome: Outcome | None = Outcome.SUCCEEDED
    keeps: Callable[[Object], tuple[str, str] | None] = lambda raw: None
    silent: set[str] = field(default_factory=set)
    sealers_lost: int = 0
    seal_refused: bool = False
    kuberay: bool = True
    unshipped: set[str] = field(default_factory=set)
    requests: list[SealRequest] = field(default_factory=list)
    recorded: Outcome | None = None

    def pods(self, component: str) -> list[Object]:
        """Return the pods of a component that the operator or KubeRay made."""
        return [
            each
            for each in self.world.of(PODS)
            if component_of(each) == component and "stranger" not in each["metadata"]
        ]

    def move(self) -> bool:
        """Let everybody make a move; returns whether anybody had anything to do."""
        before = self.world.version
        self._collect()
        if self.kuberay:
            for cluster in self.world.of(RAY_CLUSTERS):
                self._kuberay(cluster)
        for raw in self.world.of(PODS):
            if "stranger" not in raw["metadata"]:
                self._kubelet(raw)
        return self.world.version != before

    @property
    def next_grace(self) -> datetime | None:
        """When the next pod that is being deleted has no time left; None where none waits."""
        ends = [each["metadata"].get("deletionTimestamp") for each in self.world.of(PODS)]
        moments = [datetime.fromisoformat(each) for each in ends if each]
        return min((each for each in moments if each > self.world.now()), default=None)

    # The garbage collector.

    def _collect(self) -> None:
        there = {each["metadata"]["uid"] for kind in _KINDS for each in self.world.of(kind)}
        for kind in (RAY_CLUSTERS, PODS, SERVICES, SECRETS):
            for raw in self.world.of(kind):
                owners = [each["uid"] for each in raw["metadata"].get("ownerReferences") or []]
                going = raw["metadata"].get("deletionTimestamp")
                if owners and not any(uid in there for uid in owners) and not going:
                    self.world.let_go(kind, raw)
        for kind in (RAY_CLUSTERS, RUNS):
            for raw in self.world.of(kind):
                if FOREGROUND in raw["metadata"].get("finalizers", []):
                    self._collect_first(kind, raw)

    def _collect_first(self, kind: Endpoint, owner: Object) -> None:
        """Delete what an object owns that is deleted in the foreground; the object once that is gone."""
        uid, waits = owner["metadata"]["uid"], False
        for other in (RAY_CLUSTERS, PODS, SERVICES, SECRETS):
            for raw in self.world.of(other):
                owners = raw["metadata"].get("ownerReferences") or []
                rest = [each for each in owners if each["uid"] != uid]
                if rest and len(rest) < len(owners):
                    # What another owner keeps is only taken out of this one's hands.
                    raw["metadata"]["ownerReferences"] = rest
                    self.world.put(other, raw)
                elif owners and not rest:
                    waits = waits or blocks(raw, uid)
                    if not raw["metadata"].get("deletionTimestamp"):
                        self.world.let_go(other, raw, foreground=other is RAY_CLUSTERS)
        if not waits:
            self.world.unfinalize(kind, owner, FOREGROUND)

    # KubeRay's operator.

    def _kuberay(self, cluster: Object) -> None:
        if cluster["metadata"].get("deletionTimestamp"):
            return
        uid = cluster["metadata"]["uid"]
        ray = [each for each in self.world.of(PODS) if controller_uid(each) == uid]
        if not provisioned(cluster):
            self._make_missing(cluster, {each["metadata"]["name"] for each in ray})
        if ray and all(is_ready(each) for each in ray) and not provisioned(cluster):
            cluster["status"] = {"conditions": [{"type": "RayClusterProvisioned", "status": "True"}]}
            self.world.put(RAY_CLUSTERS, cluster)

    def _make_missing(self, cluster: Object, there: set[str]) -> None:
        name, spec = cluster["metadata"]["name"], cluster["spec"]
        pods = {f"{name}-head": spec["headGroupSpec"]["template"]}
        for group in spec["workerGroupSpecs"]:
            for number in range(group["replicas"]):
                pods[f"{name}-{group['groupName']}-worker-{number}"] = group["template"]
        owner = {"kind": "RayCluster", "name": name, "uid": cluster["metadata"]["uid"], "controller": True}
        for made, template in pods.items():
            if made not in there:
                given = template["metadata"]
                metadata = {
                    "name": made,
                    "labels": {**given["labels"], "ray.io/cluster": name},
                    "ownerReferences": [{**owner, "blockOwnerDeletion": True}],
                }
                self._make(PODS, {"metadata": metadata, "spec": copied(template["spec"])})
        service = f"{name}-head-svc"
        if not any(each["metadata"]["name"] == service for each in self.world.of(SERVICES)):
            labels = spec["headGroupSpec"]["headService"]["metadata"]["labels"]
            metadata = {
                "name": service,
                "labels": {**labels, "ray.io/cluster": name},
                "ownerReferences": [{**owner, "blockOwnerDeletion": True}],
            }
            self._make(SERVICES, {"metadata": metadata, "spec": {}})

    def _make(self, endpoint: Endpoint, raw: Object) -> None:
        self.world.put(endpoint, raw)

    # The kubelets and the scheduler.

    def _kubelet(self, raw: Object) -> None:
        name, status = raw["metadata"]["name"], raw.get("status") or {}
        if self.silent & {name, (raw.get("spec") or {}).get("nodeName")}:
            return
        if raw["metadata"].get("deletionTimestamp"):
            self._end_deleted(raw)
        elif status.get("phase") in _ENDED:
            return
        elif not raw["spec"].get("nodeName"):
            self._schedule(raw)
        elif not started(raw):
            self._start(raw)
        elif ended(raw):
            self._drain(raw)
        else:
            self._go_on(raw)

    def _schedule(self, raw: Object) -> None:
        why = self.keeps(raw)
        if why and why[0] == "Unschedulable":
            if not status_of(raw).get("conditions"):
                said = {"type": "PodScheduled", "status": "False", "reason": why[0], "message": why[1]}
                raw["status"] = {"phase": "Pending", "conditions": [{**said, **self._at()}]}
                self.world.put(PODS, raw)
            return
        raw["spec"]["nodeName"] = NODE
        scheduled = {"type": "PodScheduled", "status": "True", **self._at()}
        raw["status"] = {"phase": "Pending", "conditions": [scheduled]}
        self.world.put(PODS, raw)

    def _start(self, raw: Object) -> None:
        why = self.keeps(raw)
        component = component_of(raw)
        if why is None:
            state = {"running": {"startedAt": self.world.timestamp()}}
            self._set(raw, "Running", state, ready=component not in ("runner", "sealer"))
        elif why[0] == "NotSetUp":
            conditions = raw["status"]["conditions"]
            if len(conditions) == 1:
                lacks = {"type": "PodReadyToStartContainers", "status": "False", **self._at()}
                raw["status"]["conditions"] = [*conditions, lacks]
                self.world.put(PODS, raw)
        elif not status_of(raw).get("containerStatuses"):
            state = {"waiting": {"reason": why[0], "message": why[1]}}
            self._set(raw, "Pending", state, ready=False)

    def _go_on(self, raw: Object) -> None:
        component = component_of(raw)
        if component == "sealer":
            self._seal(raw)
        elif component != "runner":
            return
        elif not is_ready(raw):
            if any(is_ready(each) for each in self.pods("head")):
                self._set(raw, "Running", running_state(raw), ready=True)
        elif self.outcome is not None and any(is_ready(each) for each in self.pods("worker")):
            self._end_runner(raw, self.outcome)

    def _end_deleted(self, raw: Object) -> None:
        """End a pod as it is asked to: its main container, then its sidecars once all is shipped."""
        out_of_time = datetime.fromisoformat(raw["metadata"]["deletionTimestamp"]) <= self.world.now()
        component = component_of(raw)
        if not out_of_time and started(raw) and not ended(raw):
            if component == "runner":
                self._end_runner(raw, Outcome.CANCELLED)
            else:
                self._end(raw, "")
        elif not out_of_time and component in _SHIPPING and started(raw) and not self._collects():
            return
        elif status_of(raw).get("phase") not in _ENDED and raw["metadata"].get("finalizers"):
            self._finish(raw)
        elif not raw["metadata"].get("finalizers"):
            if component in _SHIPPING and started(raw) and not self._collects() and not drained(raw):
                self.unshipped.add(raw["metadata"]["name"])
                self.recorded = None if component == "runner" else self.recorded
            self.world.remove(PODS, raw["metadata"]["name"], raw["metadata"]["namespace"])

    def _drain(self, raw: Object) -> None:
        if component_of(raw) not in _SHIPPING or self._collects():
            self._finish(raw)

    def _collects(self) -> bool:
        return any(is_ready(each) for each in self.pods("collector"))

    def _end_runner(self, raw: Object, outcome: Outcome) -> None:
        now = self.world.timestamp()
        self.recorded = outcome
        self._end(raw, run_report(outcome, user_code_started=now, user_code_ended=now))

    # The sealer.

    def _seal(self, raw: Object) -> None:
        env = {each["name"]: each.get("value") for each in raw["spec"]["containers"][0]["env"]}
        text = str(env["VAPORTRAIL_SEAL_REQUEST"]).replace("$$", "$")
        request = SealRequest.model_validate_json(text)
        self.requests.append(request)
        if self.sealers_lost:
            self.sealers_lost -= 1
            self.world.remove(PODS, raw["metadata"]["name"], raw["metadata"]["namespace"])
        elif self.seal_refused:
            self._end(raw, "", exit_code=2)
            self._finish(raw, "Failed")
        else:
            # What the runner told in its spool counts; where it told nothing, the operator's word.
            self._end(raw, seal_report(self.recorded or request.outcome))
            self._finish(raw)

    def _end(self, raw: Object, message: str, exit_code: int = 0) -> None:
        now = self.world.timestamp()
        how = {"startedAt": now, "finishedAt": now, "exitCode": exit_code, "reason": "Completed"}
        self._set(raw, "Running", {"terminated": {**how, "message": message}}, ready=False)

    def _finish(self, raw: Object, phase: str = "Succeeded") -> None:
        """Let the pod's other containers end, too."""
        status = raw["status"]
        status["phase"] = phase
        ended = {"finishedAt": self.world.timestamp(), "exitCode": 0, "reason": "Completed", "message": ""}
        for each in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
            if "terminated" not in each["state"]:
                each["state"] = {"terminated": ended}
        self.world.put(PODS, raw)

    def _set(self, raw: Object, phase: str, state: dict[str, Any], *, ready: bool) -> None:
        spec, sealer = raw["spec"], component_of(raw) == "sealer"
        main, *others = [each["name"] for each in spec["containers"]]
        sidecars = [each["name"] for each in spec.get("initContainers", [])]
        told = {"exitCode": 0, "reason": "Completed", "message": plan_report("b" * 64)}
        now = self.world.timestamp()
        plan = {"terminated": {**told, "startedAt": now, "finishedAt": now}}
        beside = {"running": {"startedAt": now}} if "waiting" not in state else state
        known = {each["type"]: each for each in status_of(raw).get("conditions", [])}
        said = {"PodScheduled": "True", "Ready": str(ready)}
        for kind, status in said.items():
            if known.get(kind, {}).get("status") != status:
                known[kind] = {"type": kind, "status": status, **self._at()}
        known.pop("PodReadyToStartContainers", None)
        raw["status"] = {
            "phase": phase,
            "conditions": list(known.values()),
            "containerStatuses": [
                {"name": main, "state": state},
                *({"name": name, "state": beside} for name in others),
            ],
            "initContainerStatuses": [
                {"name": name, "state": plan if sealer else beside} for name in sidecars
            ],
        }
        self.world.put(PODS, raw)

    def _at(self) -> dict[str, str]:
        return {"lastTransitionTime": self.world.timestamp()}
