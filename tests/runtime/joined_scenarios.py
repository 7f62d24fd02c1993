"""What may befall a run while its operator works: the scenarios of the joined explorer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runtime import joined_deeds as deeds
from runtime.joined_life import Life
from runtime.small_planner import run_of
from vaportrail.contract.outcome import Outcome
from vaportrail_operator.acting.endpoints import RAY_CLUSTERS, RUNS
from vaportrail_operator.planning.status_size import STATUS_BYTES

__all__ = ["ENDS", "LEFT", "SCENARIOS", "Scenario"]

_MESSAGE_BYTES: Final = 1000
_QUICK: Final = {
    "provisioningSeconds": 700,
    "runSeconds": 900,
    "drainSeconds": 20,
    "releaseSeconds": 90,
    "sealSeconds": 200,
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What befalls a run.

    Attributes:
        name: of the scenario.
        outcome: what the runner ends with; None: it goes on until it is told to end.
        spec: what the run asks for beside the usual.
        before: done to the life before it begins.
        deeds: what somebody does, once, when the run's phase is first the given one; `made` is when its
            RayCluster is there.
        operators: how many work at a time.
        ahead: seconds that the operator's clock is ahead of the API server's.
        raw: the run as a whole, where it is an odd one.
    """

    name: str
    outcome: Outcome | None = Outcome.SUCCEEDED
    spec: Mapping[str, Any] = field(default_factory=dict)
    before: Callable[[Life], None] = lambda life: None
    deeds: tuple[tuple[str, Callable[[Life], None]], ...] = ()
    operators: int = 1
    ahead: float = 0.0
    raw: Callable[[dict[str, Any]], None] = lambda raw: None

    def life(self, **more: Any) -> Life:
        """Return a life in which this happens, that has not begun."""
        todo = list(self.deeds)

        def disturb(life: Life) -> None:
            for each in list(todo):
                if each[0] in (life.phase, "made" if life.world.of(RAY_CLUSTERS) else ""):
                    todo.remove(each)
                    each[1](life)

        def kept(status: dict[str, Any]) -> dict[str, Any]:
            if len(json.dumps(status, ensure_ascii=False).encode()) > STATUS_BYTES or _is_long(status):
                life.errors.append("a status is larger than anybody keeps")
            return status

        life = Life(outcome=self.outcome, disturb=disturb, operators=self.operators, ahead=self.ahead, **more)
        raw = run_of(**{"deadlines": _QUICK, **self.spec})
        raw["metadata"]["generation"] = 1
        self.raw(raw)
        life.world.put(RUNS, raw)
        life.world.kept = kept
        self.before(life)
        life.world.calls.clear()
        return life


def _is_long(status: Mapping[str, Any]) -> bool:
    said = [status.get("message", ""), *(each["message"] for each in status.get("conditions", ()))]
    return any(len(each.encode()) > _MESSAGE_BYTES for each in said)


_HANGS: Final[dict[str, Any]] = {"outcome": None}

SCENARIOS: Final[dict[str, Scenario]] = {
    each.name: each
    for each in (
        Scenario("success"),
        Scenario("failure", Outcome.FAILED),
        Scenario("timed out", Outcome.TIMED_OUT),
        Scenario("two workers", spec={"ray": {"workers": [{"name": "workers", "replicas": 2}]}}),
        Scenario("cancelled before it begins", spec={"cancel": True}),
        Scenario("cancelled as it starts", **_HANGS, deeds=(("made", deeds.cancel),)),
        Scenario("cancelled", **_HANGS, deeds=(("Running", deeds.cancel),)),
        Scenario("cancelled as it is released", deeds=(("Releasing", deeds.cancel),)),
        Scenario("suspended for a while", spec={"suspend": True}, deeds=(("Pending", deeds.resume),)),
        Scenario("deleted as it starts", **_HANGS, deeds=(("made", deeds.delete),)),
        Scenario("deleted", **_HANGS, deeds=(("Running", deeds.delete),)),
        Scenario("deleted in the foreground", **_HANGS, deeds=(("Running", deeds.delete_in_foreground),)),
        Scenario("deleted as it is sealed", deeds=(("Sealing", deeds.delete),)),
        Scenario("deleted at its end", deeds=(("Succeeded", deeds.delete),)),
        Scenario("time to live", spec={"ttlSecondsAfterFinished": 400}),
        Scenario("runs too long", **_HANGS),
        Scenario("no node for its worker", before=deeds.no_node_for_workers),
        Scenario("image that cannot be pulled", before=deeds.no_image),
        Scenario("missing ConfigMap", before=deeds.no_volume),
        Scenario("quota", before=deeds.refuse("-runner")),
        Scenario("quota with room later", before=deeds.refuse("-runner", until=40)),
        Scenario("quota for the sealer", before=deeds.refuse("-sealer", until=60)),
        Scenario("webhook that does not answer", before=deeds.no_webhook(until=50)),
        Scenario("KubeRay that comes late", before=deeds.kuberay_comes(after=70)),
        Scenario("lost runner", **_HANGS, deeds=(("Running", deeds.lose("runner")),)),
        Scenario("evicted runner", **_HANGS, deeds=(("Running", deeds.evict("runner")),)),
        Scenario("replaced runner", **_HANGS, deeds=(("Running", deeds.replace("runner")),)),
        Scenario("lost head", **_HANGS, deeds=(("Running", deeds.lose("head")),)),
        Scenario("replaced head", **_HANGS, deeds=(("Running", deeds.replace("head")),)),
        Scenario(
            "lost worker",
            # Its loss may be heard of by the next list only, and counts from then.
            spec={"deadlines": {**_QUICK, "runSeconds": 1400}},
            **_HANGS,
            deeds=(("Running", deeds.lose("worker")),),
        ),
        Scenario("lost collector", **_HANGS, deeds=(("Running", deeds.lose("collector")),)),
        Scenario("evicted collector", **_HANGS, deeds=(("Running", deeds.evict("collector")),)),
        Scenario("lost RayCluster", **_HANGS, deeds=(("Running", deeds.lose_cluster),)),
        Scenario("lost node of the runner", **_HANGS, deeds=(("Running", deeds.silence("runner")),)),
        Scenario("lost node of a worker", deeds=(("Releasing", deeds.silence("worker")),)),
        Scenario("held by a finalizer", **_HANGS, deeds=(("Running", deeds.hold("worker")),)),
        Scenario("lost sealers", before=deeds.lose_sealers(2)),
        Scenario("sealer that refuses", before=deeds.refuse_seal),
        Scenario("stranger's pods", deeds=(("Running", deeds.strangers),)),
        Scenario("sealer's name taken", before=deeds.take_name("sealer")),
        Scenario("runner's name taken", before=deeds.take_name("runner")),
        Scenario(
            "label taken off",
            **_HANGS,
            deeds=(("Running", deeds.unlabel("runner")), ("Running", deeds.succeed)),
        ),
        Scenario("namespace that is deleted", **_HANGS, deeds=(("Running", deeds.terminate),)),
        Scenario("two operators", operators=2),
        Scenario("two operators and a failure", Outcome.FAILED, operators=2),
        Scenario("clock ahead", ahead=3600.0),
        Scenario("clock that jumps", deeds=(("made", deeds.jump),)),
        Scenario("unreadable", raw=deeds.unreadable),
        Scenario("unreadable as it runs", **_HANGS, deeds=(("Running", deeds.make_unreadable),)),
        Scenario("nested too deeply", raw=deeds.nested),
    )
}

ENDS: Final[dict[str, str]] = {
    "success": "Succeeded/Completed/SUCCEEDED",
    "failure": "Failed/PipelineFailed/FAILED",
    "timed out": "Failed/DeadlineExceeded/TIMED_OUT",
    "two workers": "Succeeded/Completed/SUCCEEDED",
    "cancelled before it begins": "Cancelled/CancelledByUser",
    "cancelled as it starts": "Cancelled/CancelledByUser/CANCELLED",
    "cancelled": "Cancelled/CancelledByUser/CANCELLED",
    "cancelled as it is released": "Succeeded/Completed/SUCCEEDED",
    "suspended for a while": "Succeeded/Completed/SUCCEEDED",
    "deleted as it starts": "gone",
    "deleted": "gone",
    "deleted in the foreground": "gone",
    "deleted as it is sealed": "gone",
    "deleted at its end": "gone",
    "time to live": "gone",
    "runs too long": "Failed/DeadlineExceeded/CANCELLED",
    "no node for its worker": "Failed/ProvisioningFailed/CANCELLED",
    "image that cannot be pulled": "Failed/ProvisioningFailed/RUNNER_LOST",
    "missing ConfigMap": "Failed/ProvisioningFailed/RUNNER_LOST",
    "quota": "Failed/ProvisioningFailed/RUNNER_LOST",
    "quota with room later": "Succeeded/Completed/SUCCEEDED",
    "quota for the sealer": "Succeeded/Completed/SUCCEEDED",
    "webhook that does not answer": "Succeeded/Completed/SUCCEEDED",
    "KubeRay that comes late": "Succeeded/Completed/SUCCEEDED",
    "lost runner": "Failed/RunnerLost/RUNNER_LOST",
    "evicted runner": "Failed/RunnerLost/RUNNER_LOST",
    "replaced runner": "Failed/RunnerLost/CANCELLED",
    "lost head": "Failed/RayClusterLost/CANCELLED",
    "replaced head": "Failed/RayClusterLost/CANCELLED",
    "lost worker": "Failed/ProvisioningFailed/CANCELLED",
    "lost collector": "Failed/DeadlineExceeded/CANCELLED",
    "evicted collector": "Failed/DeadlineExceeded/CANCELLED",
    "lost RayCluster": "Failed/RayClusterLost/CANCELLED",
    "lost node of the runner": "Failed/RunnerLost/RUNNER_LOST",
    "lost node of a worker": "Succeeded/Completed/SUCCEEDED",
    "held by a finalizer": "Succeeded/Completed/SUCCEEDED",
    "lost sealers": "Succeeded/Completed/SUCCEEDED",
    "sealer that refuses": "Failed/SealFailed/SUCCEEDED",
    "stranger's pods": "Succeeded/Completed/SUCCEEDED",
    "sealer's name taken": "Failed/SealFailed/SUCCEEDED",
    "runner's name taken": "Failed/ProvisioningFailed/RUNNER_LOST",
    "label taken off": "Succeeded/Completed/SUCCEEDED",
    "namespace that is deleted": "gone",
    "two operators": "Succeeded/Completed/SUCCEEDED",
    "two operators and a failure": "Failed/PipelineFailed/FAILED",
    "clock ahead": "Succeeded/Completed/SUCCEEDED",
    "clock that jumps": "Succeeded/Completed/SUCCEEDED",
    "unreadable": "Failed/InvalidSpec",
    "unreadable as it runs": "Failed/InvalidSpec",
    "nested too deeply": "Failed/InvalidSpec",
}
"""The phase, reason and outcome that each scenario must come to, by its name."""

LEFT: Final = frozenset({"held by a finalizer", "runner's name taken"})
"""Where something is left that nobody can, or may, remove."""
