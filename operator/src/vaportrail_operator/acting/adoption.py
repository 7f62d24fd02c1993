"""Whether an object that is there already is the one that was to be made: its reply may have been lost.

What was asked for must be in it; what the API server and others add is no matter. A name and labels prove
nothing: whoever may make pods may give them any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from vaportrail.crd.quantity import parse_quantity
from vaportrail_operator.observation.fields import controller_of, metadata_of

__all__ = ["is_as_asked"]

_NOT_MORE: Final = frozenset(
    {
        "args",
        "command",
        "containers",
        "dnsConfig",
        "emptyDir",
        "enableInTreeAutoscaling",
        "env",
        "envFrom",
        "externalIPs",
        "externalName",
        "gcsFaultToleranceOptions",
        "headService",
        "hostAliases",
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "initContainers",
        "items",
        "lifecycle",
        "livenessProbe",
        "privileged",
        "publishNotReadyAddresses",
        "readinessProbe",
        "restartPolicy",
        "shareProcessNamespace",
        "startupProbe",
        "subPath",
        "subPathExpr",
        "valueFrom",
        "volumeMounts",
        "workerGroupSpecs",
        "workingDir",
    }
)
"""What must be as it was asked for and no more: with it another program would run, or this one otherwise."""
_WHOLE: Final = frozenset({"rayStartParams", "selector"})
"""What must be the same, key by key."""
_DEFAULTS: Final[Mapping[str, Any]] = {
    "serviceAccountName": "default",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
"""What has one value where it was not asked for."""
_VOLUMES: Final = frozenset({"name", "defaultMode"})
"""Beside these, a volume has the key of its kind, and no other."""
_TOKENS: Final = re.compile(r"/var/run/secrets/[\w.-]*[\w-](/[\w.-]*[\w-])*/?")
"""Where a cluster mounts tokens of its own."""

_AMOUNTS: Final = frozenset({"limits", "requests", "sizeLimit"})
"""What is stored in another form of the same quantity."""


def is_as_asked(asked: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Return whether an object is what a manifest asks for.

    Args:
        asked: the manifest.
        there: the object of its kind and name.
    """
    labels = metadata_of(asked).get("labels") or {}
    return (
        controller_of(asked) == controller_of(there)
        and _holds(labels, metadata_of(there).get("labels") or {})
        and _holds(asked.get("spec") or {}, there.get("spec") or {})
    )


def _holds(asked: Any, there: Any, *, amount: bool = False) -> bool:
    if isinstance(asked, Mapping):
        there = there or {}
        return (
            isinstance(there, Mapping)
            and not any(there.get(name) for name in _NOT_MORE - asked.keys())
            and all(there.get(name) in (None, "", value) for name, value in _left_to_default(asked))
            and all(
                (name not in _NOT_MORE or _as_many(value, there.get(name)))
                and (name not in _WHOLE or there.get(name) == value)
                and (name != "volumes" or _of_the_same_kinds(value, there.get(name)))
                and _holds(value, there.get(name), amount=amount or name in _AMOUNTS)
                for name, value in asked.items()
            )
        )
    if _is_list(asked):
        there = there or []
        return _is_list(there) and _holds_all(asked, there)
    # What is empty is left out where it is stored.
    return asked == there or (not asked and not there) or (amount and _same_quantity(asked, there))


def _holds_all(asked: Sequence[Any], there: Sequence[Any]) -> bool:
    if all(isinstance(each, str) for each in asked):  # a command line
        return list(asked) == list(there)
    return all(any(_holds(each, other) for other in there) for each in asked)


def _as_many(asked: Any, there: Any) -> bool:
    if not _is_list(asked):
        return True
    others = [each for each in there or [] if not (isinstance(each, Mapping) and _is_token_mount(each))]
    # In their order: the first container is the one whose word counts.
    return len(asked) == len(others) and all(map(_holds, asked, others))


def _left_to_default(asked: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in _DEFAULTS.items() if name not in asked)


def _of_the_same_kinds(asked: Any, there: Any) -> bool:
    """Return whether each volume is of the kind that was asked for: to be empty is no kind."""
    kinds = {each["name"]: each.keys() - _VOLUMES for each in asked}
    found = {each.get("name"): each.keys() - _VOLUMES for each in there or [] if isinstance(each, Mapping)}
    return all(found.get(name) == kind for name, kind in kinds.items())


def _is_token_mount(each: Mapping[str, Any]) -> bool:
    return _TOKENS.fullmatch(str(each.get("mountPath", ""))) is not None


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _same_quantity(asked: Any, there: Any) -> bool:
    try:
        return parse_quantity(str(asked)) == parse_quantity(str(there))
    except ValueError:
        return False
