"""What the platform sets for all pods of all runs: the chart's `runPods`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from vaportrail.crd.pod import PodSettings

__all__ = ["NAMELESS", "RunPods", "read_run_pods"]

_USER: Final = 65532
_OF_A_USER: Final = ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups", "seLinuxOptions")
_PLACEMENT: Final = (
    "labels",
    "annotations",
    "nodeSelector",
    "tolerations",
    "affinity",
    "priorityClassName",
    "imagePullSecrets",
)
_OWN_LABELS: Final = ("vaportrail.dev/", "ray.io/")
_EXAMPLE: Final = '{"nodeSelector": {"kubernetes.io/os": "linux"}}'
NAMELESS: Final[Mapping[str, Any]] = {}
"""No user at all: the cluster gives one, as OpenShift does."""


def _our_user() -> Mapping[str, Any]:
    return {"runAsUser": _USER, "runAsGroup": _USER, "fsGroup": _USER}


@dataclass(frozen=True, slots=True)
class RunPods:
    """What holds for every pod of every run; where a run says something else itself, that counts.

    Attributes:
        placement: labels, annotations, placement, priority and pull secrets.
        topology_spread: `topologySpreadConstraints`, as in a pod.
        user: what of a pod's security context says whom it runs as.
        ca_config_map: a ConfigMap of the run's namespace with the authorities to trust; empty for the
            image's own.
        ca_key: which of its keys.
        proxy: addresses by `http` and `https`; those that are reached without it by `no`.
    """

    placement: PodSettings = field(default_factory=PodSettings)
    topology_spread: tuple[Mapping[str, Any], ...] = ()
    user: Mapping[str, Any] = field(default_factory=_our_user)
    ca_config_map: str = ""
    ca_key: str = "ca.crt"
    proxy: Mapping[str, str] = field(default_factory=dict)


def read_run_pods(text: str) -> RunPods:
    """Return what the chart says, from JSON; nothing is what is always so.

    Raises:
        ValueError: names the field that is wrong.
    """
    said = json.loads(text) if text.strip() else {}
    if not isinstance(said, dict):
        raise ValueError(f"use an object, such as {_EXAMPLE}")
    known = {*_PLACEMENT, "topologySpreadConstraints", "securityContext", "caBundle", "proxy"}
    if strange := sorted(said.keys() - known):
        raise ValueError(f"there is no {', '.join(strange)}; there is {', '.join(sorted(known))}")
    ca = said.get("caBundle") or {}
    user = said.get("securityContext")
    return RunPods(
        placement=_placement({name: said[name] for name in _PLACEMENT if said.get(name)}),
        topology_spread=tuple(said.get("topologySpreadConstraints") or ()),
        user=_our_user() if user is None else _user(user),
        ca_config_map=ca.get("configMap", ""),
        ca_key=ca.get("key") or "ca.crt",
        proxy=_proxy(said.get("proxy") or {}),
    )


def _proxy(said: Mapping[str, Any]) -> Mapping[str, str]:
    texts = {"http": said.get("http"), "https": said.get("https"), "no": ",".join(said.get("noProxy") or ())}
    return {name: text for name, text in texts.items() if text}


def _placement(said: dict[str, Any]) -> PodSettings:
    try:
        settings = PodSettings.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place} is {first['input']!r}: {first['msg']}") from None
    for name in (*settings.labels, *settings.annotations):
        if name.startswith(_OWN_LABELS):
            raise ValueError(f"{name} is the operator's or KubeRay's own; leave it out")
    return settings


def _user(said: Mapping[str, Any]) -> Mapping[str, Any]:
    if strange := sorted(said.keys() - set(_OF_A_USER)):
        raise ValueError(f"securityContext has {', '.join(strange)}; it may have {', '.join(_OF_A_USER)}")
    if said.get("runAsUser") == 0:
        raise ValueError("securityContext.runAsUser is 0: no pod of a run may be root; give another user")
    return {name: value for name, value in said.items() if value is not None}
