"""From a raw Pod to what is decided by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from vaportrail.contract.pod_environment import TERMINATION_MESSAGE_LIMIT
from vaportrail_operator.observation.fields import Raw, condition_of, controller_of, metadata_of, time_of
from vaportrail_operator.observation.wording import bounded, cause_first, one_line
from vaportrail_operator.planning.types import COMPONENT_LABEL, Component, ObservedPod, Terminated

__all__ = ["component_of", "observed_pod"]

_NO_PROBLEM = frozenset({"", "ContainerCreating", "PodInitializing"})
"""The kubelet's reasons to wait that say only that it takes its time; all others say what is wrong."""
_PHASES: dict[str, Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]] = {
    "Running": "Running",
    "Succeeded": "Succeeded",
    "Failed": "Failed",
    "Unknown": "Unknown",
}
_ENDED = ("Succeeded", "Failed")
_NODE_TYPE = "ray.io/node-type"


def component_of(raw: Raw) -> Component | None:
    """Return what a pod is to its run: by our label, else by KubeRay's; None where neither says."""
    labels = metadata_of(raw).get("labels") or {}
    name = labels.get(COMPONENT_LABEL) or labels.get(_NODE_TYPE)
    return Component(name) if name in set(Component) else None


def observed_pod(raw: Raw, component: Component) -> ObservedPod:
    """Return a Pod, reduced. What its status does not say has the value of a pod that was just made."""
    metadata = metadata_of(raw)
    status: Raw = raw.get("status") or {}
    main = _main_container(raw)
    state: Raw = main.get("state") or {}
    ended: Raw | None = state.get("terminated")
    ready = condition_of(raw, "Ready")
    scheduled = condition_of(raw, "PodScheduled")
    waiting = None if ended else _waiting(raw, main)
    return ObservedPod(
        name=metadata.get("name", ""),
        uid=metadata.get("uid", ""),
        component=component,
        created_at=time_of(metadata.get("creationTimestamp")) or datetime.fromtimestamp(0).astimezone(),
        deleting=bool(metadata.get("deletionTimestamp")),
        phase=_PHASES.get(status.get("phase") or "", "Pending"),
        reason=bounded(status.get("reason")),
        message=bounded(status.get("message")),
        scheduled_at=_since(scheduled),
        started_at=time_of((ended or state.get("running") or {}).get("startedAt")),
        ready_at=_since(ready),
        ready=ready.get("status") == "True",
        terminated=_terminated(ended) if ended else None,
        drained_at=_drained_at(raw),
        waiting=waiting,
        waiting_since=_not_scheduled_since(scheduled) if waiting else None,
        not_set_up_since=_not_set_up_since(raw),
        due=time_of(metadata.get("deletionTimestamp")),
        termination_message=_termination_message(main),
        image_id=bounded(main.get("imageID")),
        controller=controller_of(raw),
        prepared=_prepared(raw),
    )


def _not_set_up_since(raw: Raw) -> datetime | None:
    # Kubernetes says so from 1.29 on. While an image is pulled it is set up.
    ready = condition_of(raw, "PodReadyToStartContainers")
    if ready.get("status") != "False" or (raw.get("status") or {}).get("phase") in _ENDED:
        return None
    since = [time_of(ready.get("lastTransitionTime")), _since(condition_of(raw, "PodScheduled"))]
    return max((each for each in since if each), default=None)


def _not_scheduled_since(scheduled: Raw) -> datetime | None:
    return time_of(scheduled.get("lastTransitionTime")) if scheduled.get("status") == "False" else None


def _main_container(raw: Raw) -> Raw:
    # The kubelet sorts the statuses by name: the spec says which is the first.
    containers = (raw.get("spec") or {}).get("containers") or [{}]
    statuses = (raw.get("status") or {}).get("containerStatuses") or []
    name = containers[0].get("name")
    return next((each for each in statuses if each.get("name") == name), {})


def _prepared(raw: Raw) -> Terminated | None:
    containers = (raw.get("spec") or {}).get("initContainers") or []
    # One that is begun again whenever it ends is a sidecar.
    names = [each.get("name") for each in containers if each.get("restartPolicy") != "Always"]
    statuses = (raw.get("status") or {}).get("initContainerStatuses") or []
    for each in statuses:
        if names and each.get("name") == names[0]:
            ends = ((each.get(state) or {}).get("terminated") for state in ("state", "lastState"))
            return next((_terminated(end) for end in ends if end), None)
    return None


def _since(condition: Raw) -> datetime | None:
    return time_of(condition.get("lastTransitionTime")) if condition.get("status") == "True" else None


def _terminated(ended: Raw) -> Terminated:
    return Terminated(
        exit_code=int(ended.get("exitCode", -1)),
        reason=bounded(ended.get("reason")),
        message=bounded(ended.get("message"), TERMINATION_MESSAGE_LIMIT),
        started_at=time_of(ended.get("startedAt")),
        finished_at=time_of(ended.get("finishedAt")),
    )


def _termination_message(main: Raw) -> str:
    states: tuple[Raw, ...] = (main.get("state") or {}, main.get("lastState") or {})
    last: Raw = next((end for state in states if (end := state.get("terminated"))), {})
    return bounded(last.get("message"), TERMINATION_MESSAGE_LIMIT)


def _all_statuses(raw: Raw) -> Iterator[Raw]:
    status: dict[str, Any] = dict(raw.get("status") or {})
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _drained_at(raw: Raw) -> datetime | None:
    status: Raw = raw.get("status") or {}
    spec: Raw = raw.get("spec") or {}
    statuses = list(_all_statuses(raw))
    ends = [(each.get("state") or {}).get("terminated") for each in statuses]
    over = status.get("phase") in _ENDED
    expected = len(spec.get("containers") or []) + len(spec.get("initContainers") or [])
    if not over and (not all(ends) or len(ends) < max(expected, 1)):
        return None
    times = [time for end in ends if end and (time := time_of(end.get("finishedAt")))]
    if times:
        return max(times)
    # Ended by the kubelet before any container ran.
    said = time_of(condition_of(raw, "Ready").get("lastTransitionTime"))
    return said or time_of(status.get("startTime")) or time_of(metadata_of(raw).get("creationTimestamp"))


def _waiting(raw: Raw, main: Raw) -> tuple[str, str] | None:
    scheduled = condition_of(raw, "PodScheduled")
    if scheduled.get("status") == "False":
        return bounded(scheduled.get("reason")) or "Unschedulable", one_line(scheduled.get("message") or "")
    # While an init container (a sidecar too) cannot start, the main one only waits for it.
    for each in (main, *_all_statuses(raw)):
        waits: Raw = (each.get("state") or {}).get("waiting") or {}
        if (reason := bounded(waits.get("reason"))) not in _NO_PROBLEM:
            return reason, cause_first(str(waits.get("message") or ""))
    return None
