"""What somebody does to a run, or what befalls it, on the world in memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.planning.runs import seal_report

from runtime.joined_life import KEY, Life
from runtime.played_cluster import NODE
from runtime.pod_status import component_of
from runtime.world import copied
from vaportrail.contract.outcome import Outcome
from vaportrail_operator.acting.client import Forbidden, Object, WebhookUnanswered
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS, RUNS, SERVICES
from vaportrail_operator.planning.kinds import Endpoint
from vaportrail_operator.planning.types import COMPONENT_LABEL, RUN_LABEL, RUN_UID_LABEL

__all__ = [
    "cancel",
    "delete",
    "delete_in_foreground",
    "evict",
    "hold",
    "jump",
    "kuberay_comes",
    "lose",
    "lose_cluster",
    "lose_sealers",
    "make_unreadable",
    "nested",
    "no_image",
    "no_node_for_workers",
    "no_volume",
    "no_webhook",
    "refuse",
    "refuse_seal",
    "replace",
    "resume",
    "silence",
    "strangers",
    "succeed",
    "take_name",
    "terminate",
    "unlabel",
    "unreadable",
]

Deed = Callable[[Life], None]
_FORGED = "f" * 64
_LONG = "Back-off pulling image: " + "no such host, " * 300
"""As long as a node's words may be."""


def cancel(life: Life) -> None:
    """Set `spec.cancel`."""
    life.world.edit(RUNS, KEY[1], cancel=True)


def resume(life: Life) -> None:
    """Let a run begin that was suspended."""
    life.world.edit(RUNS, KEY[1], suspend=False)


def delete(life: Life) -> None:
    """Delete the run in the background, as kubectl does."""
    if life.run:
        life.world.let_go(RUNS, life.run)


def delete_in_foreground(life: Life) -> None:
    """Delete it in the foreground, as Argo CD does."""
    if life.run:
        life.world.let_go(RUNS, life.run, foreground=True)


def lose(component: str) -> Deed:
    """Take a pod away, without a word."""
    return lambda life: life.take(component)


def lose_cluster(life: Life) -> None:
    """Delete the RayCluster."""
    for raw in life.world.of(RAY_CLUSTERS):
        life.world.let_go(RAY_CLUSTERS, raw)


def evict(component: str) -> Deed:
    """Have the kubelet end a pod for good."""

    def deed(life: Life) -> None:
        for raw in life.own_pods(component):
            conditions = [
                {**each, "status": "False"} if each["type"] == "Ready" else each
                for each in raw["status"]["conditions"]
            ]
            raw["status"] = {"phase": "Failed", "reason": "Evicted", "conditions": conditions}
            life.world.put(PODS, raw)

    return deed


def replace(component: str) -> Deed:
    """Put another pod in the place of one, under its name."""

    def deed(life: Life) -> None:
        for raw in life.own_pods(component):
            another = copied(raw)
            life.world.remove(PODS, raw["metadata"]["name"])
            del another["metadata"]["uid"]
            life.world.put(PODS, another)

    return deed


def silence(component: str) -> Deed:
    """Have a pod's node fall silent, and its pod be evicted from it."""

    def deed(life: Life) -> None:
        for raw in life.own_pods(component):
            life.cluster.silent.add(raw["metadata"]["name"])
            if not raw["metadata"].get("deletionTimestamp"):
                life.world.let_go(PODS, raw)

    return deed


def hold(component: str) -> Deed:
    """Give a pod a finalizer that nobody removes, and have the pipeline end."""

    def deed(life: Life) -> None:
        for raw in life.own_pods(component):
            raw["metadata"]["finalizers"] = ["example.org/held"]
            life.world.put(PODS, raw)
        life.cluster.outcome = Outcome.SUCCEEDED

    return deed


def jump(life: Life) -> None:
    """Put the clock of the operator's machine forward by an hour."""
    life.ahead += 3600.0


def unlabel(component: str) -> Deed:
    """Take a pod's labels off."""

    def deed(life: Life) -> None:
        for raw in life.own_pods(component):
            raw["metadata"]["labels"] = {COMPONENT_LABEL: component}
            life.world.put(PODS, raw)

    return deed


def succeed(life: Life) -> None:
    """Have the pipeline end."""
    life.cluster.outcome = Outcome.SUCCEEDED


def no_node_for_workers(life: Life) -> None:
    """Have no node for the workers."""
    life.cluster.keeps = _of(("worker",), ("Unschedulable", "0/1 nodes are available"))


def no_image(life: Life) -> None:
    """Have the user's image be one that cannot be pulled."""
    life.cluster.keeps = _of(("head", "worker", "runner"), ("ImagePullBackOff", _LONG))


def no_volume(life: Life) -> None:
    """Have the runner mount a ConfigMap that is not there."""
    life.cluster.keeps = _of(("runner",), ("NotSetUp", ""))


def _of(components: tuple[str, ...], why: tuple[str, str]) -> Callable[[Object], tuple[str, str] | None]:
    return lambda raw: why if component_of(raw) in components else None


def refuse(ending: str, until: float = float("inf")) -> Deed:
    """Have a quota refuse what has such a name."""
    said = "exceeded quota: cpu, requested: cpu=1, used: cpu=8, limited: cpu=8"

    def deed(life: Life) -> None:
        def admits(endpoint: Endpoint, raw: Object) -> None:
            name = raw["metadata"]["name"]
            if name.endswith(ending) and endpoint is PODS and life.seconds() < until:
                text = f'pods "{name}" is forbidden: {said}'
                raise Forbidden(text, status=403, reason="Forbidden", said=text)

        life.world.admits = admits

    return deed


def no_webhook(until: float) -> Deed:
    """Have an admission webhook for pods not answer for a while."""

    def deed(life: Life) -> None:
        def admits(endpoint: Endpoint, raw: Object) -> None:
            if endpoint is PODS and life.seconds() < until:
                said = 'failed calling webhook "it": context deadline exceeded'
                raise WebhookUnanswered(said, status=500, reason="InternalError", said=said)

        life.world.admits = admits

    return deed


def kuberay_comes(after: float) -> Deed:
    """Have KubeRay be installed after a while."""

    def deed(life: Life) -> None:
        life.world.missing.add(RAY_CLUSTERS.plural)
        before = life.disturb

        def disturb(life: Life) -> None:
            before(life)
            if life.seconds() >= after:
                life.world.missing.discard(RAY_CLUSTERS.plural)

        life.disturb = disturb

    return deed


def lose_sealers(count: int) -> Deed:
    """Have so many sealers go without a word."""

    def deed(life: Life) -> None:
        life.cluster.sealers_lost = count

    return deed


def refuse_seal(life: Life) -> None:
    """Have the sealer say that it can never seal."""
    life.cluster.seal_refused = True


def take_name(component: str) -> Deed:
    """Have a stranger's pod be there first under the name of one of the run's."""

    def deed(life: Life) -> None:
        life.world.put(PODS, _strangers_pod(life, component, f"{life.base}-{component}", "team"))

    return deed


def strangers(life: Life) -> None:
    """Make pods that say they are the run's, in two namespaces, and a Service."""
    for component in ("runner", "collector", "head", "worker", "sealer"):
        for namespace in ("team", "elsewhere"):
            life.world.put(PODS, _strangers_pod(life, component, f"theirs-{component}", namespace))
    labels = {RUN_UID_LABEL: life.uid, RUN_LABEL: KEY[1]}
    life.world.put(SERVICES, {"metadata": {"name": "theirs", "labels": labels}})


def _strangers_pod(life: Life, component: str, name: str, namespace: str) -> Object:
    labels = {RUN_UID_LABEL: life.uid, RUN_LABEL: KEY[1], COMPONENT_LABEL: component}
    ended = {"exitCode": 0, "startedAt": _now(life), "finishedAt": _now(life)}
    state = {"terminated": {**ended, "message": seal_report(Outcome.FAILED, sha256=_FORGED)}}
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "stranger": True},
        "spec": {"containers": [{"name": "it", "image": "theirs"}], "nodeName": NODE},
        "status": {"phase": "Succeeded", "containerStatuses": [{"name": "it", "state": state}]},
    }


def _now(life: Life) -> str:
    now: datetime = life.now
    return now.isoformat()


def terminate(life: Life) -> None:
    """Delete the namespace: all in it is deleted, and nothing can be made."""
    life.world.terminating.add(KEY[0])
    for kind in (RUNS, RAY_CLUSTERS, PODS, SERVICES):
        for raw in life.world.of(kind):
            if not raw["metadata"].get("deletionTimestamp"):
                life.world.let_go(kind, raw)


def unreadable(raw: dict[str, Any]) -> None:
    """Have the run be written for another version of the definition."""
    raw["spec"]["image"] = {"name": "acme/mnist", "tag": "1"}


def make_unreadable(life: Life) -> None:
    """Have it become so, by an upgrade of the definition."""
    life.world.edit(RUNS, KEY[1], image={"name": "acme/mnist", "tag": "1"})


def nested(raw: dict[str, Any]) -> None:
    """Have its parameters be nested more deeply than anybody can read."""
    inner: Any = 1
    for _ in range(900):
        inner = [inner]
    raw["spec"]["parameters"] = {"deep": inner}
