"""What may keep a run's pods from being made or started: one table of causes, waits and fixes.

The words are those of whoever says no: the API server and its admission, KubeRay, the scheduler, the
kubelet. How long a run waits and what a user is told to do follow from the first row that knows them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["OBSTACLES", "UNKNOWN", "Obstacle", "obstacle_of", "quota_of"]

MISSING_SECONDS: Final = 120
"""For what somebody may be about to make, such as the ServiceAccount that is applied after the run."""
ORDINARY_SECONDS: Final = 60
"""For what is usual: a node that an autoscaler brings."""


class Said(Enum):
    """Who says it, and so where in a text the words are looked for; no one else's words are taken for his."""

    # Up to the first of these words, and back to no other: a text may have them a hundred times.
    WHEN_MADE = r"^(?>.*? cannot be made: ).*(?:{})"
    """The API server and its admission, asked by the operator or by KubeRay."""
    OF_A_POD = r"^\w+ pod: (?:{})"
    """The scheduler or the kubelet."""
    OF_THE_CLUSTER = r"^RayCluster: (?:{})"
    """KubeRay, or its silence."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A row.

    Attributes:
        name: of the cause, in one CamelCase word.
        texts: what is said of it.
        fix: what to do, in words.
        seconds: after how many a run ends by it, 0 at once; None: when its deadline has passed.
        statuses: of the API server's reply by which it is known, whatever the words are.
        ordinary: seconds for which nothing is wrong.
    """

    name: str
    texts: re.Pattern[str]
    fix: str
    seconds: int | None = None
    statuses: frozenset[int] = frozenset()
    ordinary: int = 0


def _row(
    name: str,
    texts: str,
    fix: str,
    seconds: int | None = None,
    *,
    said: Said = Said.WHEN_MADE,
    statuses: frozenset[int] = frozenset(),
    ordinary: int = 0,
) -> Obstacle:
    return Obstacle(name, re.compile(said.value.format(texts)), fix, seconds, statuses, ordinary)


OBSTACLES: Final = (
    # Who answers for others may say anything, so these come first.
    _row(
        "WebhookUnanswered",
        r"(?:Internal error occurred: )?failed calling webhook",
        "mend or remove that webhook; the run goes on by itself",
    ),
    _row(
        "AdmissionDenied",
        r"admission webhook .* denied the request|ValidatingAdmissionPolicy .* denied request",
        "what that policy asks for; the run goes on by itself once it passes",
    ),
    _row(
        "Quota",
        r"exceeded quota: ",
        "a higher quota, less in the run's resources, or wait until others have ended",
    ),
    _row(
        "QuotaUnsaid",
        r"failed quota: .* must specify ",
        "say it in the resources of the run's pods, or have a LimitRange give a default",
        0,
    ),
    _row(
        "PodSecurity",
        r"violates PodSecurity ",
        "take it out of the pod settings, or use a namespace of another level",
        0,
    ),
    _row(
        "LimitRange",
        r"(?:maximum|minimum) \S+ usage per \w+ is|max limit to request ratio per \w+ is",
        "other resources for the run's pods, or another LimitRange",
    ),
    _row(
        "ServiceAccountMissing",
        r"error looking up service account ",
        "make that ServiceAccount, or name another",
        MISSING_SECONDS,
    ),
    _row(
        "PriorityClassMissing",
        r"no PriorityClass with name ",
        "make that PriorityClass, or name another",
        MISSING_SECONDS,
    ),
    _row(
        "RuntimeClassMissing",
        r"pod rejected: RuntimeClass \S+ not found",
        "make that RuntimeClass, or name another",
        MISSING_SECONDS,
    ),
    _row(
        "TooLarge",
        r"(?:etcdserver: )?request is too large|Request entity too large"
        r"|trying to send message larger than max"
        r"|.*Too long: (?:may not be more|must have at most|may not be longer)",
        "fewer or shorter parameters, tags, variables or annotations",
        0,
        statuses=frozenset({413}),
    ),
    _row(
        "NameTaken",
        r"\S+ exists and is not what the operator made",
        "delete it, or make the run again under another name",
    ),
    _row(
        "RightMissing",
        r'User "[^"]*" cannot \w+ resource',
        "install the operator's chart anew: a right is missing",
    ),
    _row(
        "Invalid",
        r"invalid: |strict decoding error",
        "change what is named there",
        0,
        statuses=frozenset({400, 422}),
    ),
    _row("SchedulingGated", r"SchedulingGated", "whoever set the gate lets it go", said=Said.OF_A_POD),
    _row(
        "Unschedulable",
        r"Unschedulable",
        "less in the pod's resources, another placement, or another node",
        said=Said.OF_A_POD,
        ordinary=ORDINARY_SECONDS,
    ),
    _row("InvalidImageName", r"InvalidImageName", "an image's name in its place", 0, said=Said.OF_A_POD),
    _row(
        "ImageNeverPulled",
        r"ErrImageNeverPull",
        "bring the image to the node, or set another imagePullPolicy",
        said=Said.OF_A_POD,
    ),
    _row(
        "ImagePull",
        r"(?:ErrImagePull|ImagePullBackOff|ImageInspectError|RegistryUnavailable|SignatureValidationFailed)\b",
        "does the image exist, and may its node pull it (imagePullSecrets)?",
        said=Said.OF_A_POD,
    ),
    _row(
        "RunsAsRoot",
        r"CreateContainerConfigError: .*runAsNonRoot",
        "an image whose user is a number other than 0",
        said=Said.OF_A_POD,
    ),
    _row(
        "ConfigMissing",
        r"CreateContainerConfigError",
        "make the Secret, ConfigMap or key that is named there",
        said=Said.OF_A_POD,
    ),
    _row("ContainerCreating", r"ContainerCreating", "kubectl describe pod shows which", said=Said.OF_A_POD),
    _row("Crashing", r"CrashLoopBackOff", "kubectl logs --previous shows why", said=Said.OF_A_POD),
    _row(
        "NotCreated",
        r"(?:CreateContainerError|CreatePodSandboxError|ConfigPodSandboxError|KillContainerError"
        r"|KillPodSandboxError|PostStartHookError|PreCreateHookError|PreStartHookError|ResizePodInPlaceError"
        r"|RunContainerError|StartError|ContainerCannotRun)\b",
        "kubectl describe pod shows more",
        said=Said.OF_A_POD,
    ),
    _row(
        "RayClusterIgnored",
        r"KubeRay has made no pods",
        "kubectl describe raycluster shows why; does KubeRay run?",
        said=Said.OF_THE_CLUSTER,
    ),
    _row(
        "RayClusterFailing",
        r"Failed(?:Create|Delete)(?:Head|Worker|All)Pods?\b",
        "kubectl describe raycluster shows more",
        said=Said.OF_THE_CLUSTER,
    ),
)
"""The first row that knows the words counts."""
UNKNOWN: Final = _row("Unknown", r"", "")
_QUOTA: Final = re.compile(r"exceeded quota: ([\w.-]+)")


def obstacle_of(text: str, status: int = 0) -> Obstacle:
    """Return the row of what is said to be wrong; `UNKNOWN` where none knows it.

    Args:
        text: what is said, on one line.
        status: of the API server's reply; 0 where it was none. A webhook may answer with any.
    """
    for row in OBSTACLES:
        if status in row.statuses or row.texts.search(text):
            return row
    return UNKNOWN


def quota_of(text: str) -> str:
    """Return the name of the quota that is used up by these words; empty where none is.

    >>> quota_of("worker pod cannot be made: exceeded quota: team-a, requested: cpu=1, used: cpu=4")
    'team-a'
    """
    found = _QUOTA.search(text)
    return found[1] if found and obstacle_of(text).name == "Quota" else ""
