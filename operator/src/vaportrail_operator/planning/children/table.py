"""Everything that is made for a run, a row each: all that is done about an object follows from its row.

When it is made, made again and removed; what is watched, listed, looked for in the end, believed, and in
the receipt; which rights the operator needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.planning.children.collector import collector_pod, collector_service
from vaportrail_operator.planning.children.raycluster import ray_cluster
from vaportrail_operator.planning.children.runner import runner_pod
from vaportrail_operator.planning.children.tokens import create_tokens
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.names import (
    base_name,
    collector_name,
    head_service_name,
    runner_name,
    sealer_name,
    tokens_name,
)
from vaportrail_operator.planning.types import Component, Create, CreateTokens, Observed

__all__ = ["CHILDREN", "Child", "Made", "Released", "child_of", "made_by_operator", "named_children"]

Make = Callable[[Observed], Create | CreateTokens]


class Made(StrEnum):
    """When an object is made."""

    ONCE = "in Provisioning, and never again once it was seen"
    KEPT_UP = "in Provisioning, and again wherever it is gone while somebody has something to ship"
    TO_SEAL = "in Sealing, and again wherever it is gone before it has sealed"
    BY_KUBERAY = "by KubeRay, for the RayCluster"


class Released(StrEnum):
    """When an object is removed, `spec.deadlines` aside."""

    FIRST = "as soon as the run has come to its end, so that it can end in an orderly way"
    AFTER_RUNNER = "once the runner has ended"
    WITH_CLUSTER = "by KubeRay, as the RayCluster goes"
    AFTER_DRAIN = "once nobody has anything to ship"
    SEALED = "once it has sealed"


@dataclass(frozen=True, slots=True)
class Child:
    """What is made for a run.

    Attributes:
        kind: of the object.
        name: gives its name; None where KubeRay makes it up.
        component: of a pod, what it is to the run.
        make: returns what makes it; None where no row can say: KubeRay does, or it follows from how the run
            ended.
        made: when it is made.
        released: when it is removed.
        owned: of what the operator makes, whether the run is its controller, so that it goes as the run is
            deleted. What others still need then is not: it is labelled, ends by itself, and is removed once
            nobody has anything to ship.
        in_sweep: whether the last look asks for it by its name: never for what the operator may not read.
    """

    kind: Kind
    name: Callable[[PipelineRun], str] | None = None
    component: Component | None = None
    make: Make | None = None
    made: Made = Made.ONCE
    released: Released = Released.AFTER_DRAIN
    owned: bool = True
    in_sweep: bool = True


CHILDREN: Final = (
    # What is dear comes last: nothing follows on what could not be made.
    Child(
        Kind.SERVICE,
        collector_name,
        make=lambda seen: Create(Kind.SERVICE, collector_service(seen.run)),
        made=Made.KEPT_UP,
        owned=False,
    ),
    # Of the Service, too: nobody can look whether it is there, so it goes with what can be seen.
    Child(Kind.SECRET, tokens_name, make=lambda seen: create_tokens(seen.run), owned=False, in_sweep=False),
    Child(
        Kind.POD,
        collector_name,
        Component.COLLECTOR,
        make=lambda seen: Create(Kind.POD, collector_pod(seen.run, seen.settings)),
        made=Made.KEPT_UP,
        owned=False,
    ),
    Child(
        Kind.POD,
        runner_name,
        Component.RUNNER,
        make=lambda seen: Create(Kind.POD, runner_pod(seen.run, seen.settings)),
        released=Released.FIRST,
    ),
    Child(
        Kind.RAY_CLUSTER,
        base_name,
        make=lambda seen: Create(Kind.RAY_CLUSTER, ray_cluster(seen.run, seen.settings)),
        released=Released.AFTER_RUNNER,
    ),
    Child(Kind.SERVICE, head_service_name, made=Made.BY_KUBERAY, released=Released.WITH_CLUSTER),
    Child(Kind.POD, None, Component.HEAD, made=Made.BY_KUBERAY, released=Released.WITH_CLUSTER),
    Child(Kind.POD, None, Component.WORKER, made=Made.BY_KUBERAY, released=Released.WITH_CLUSTER),
    # Not the run's, so that it can end the record of a run that was deleted.
    Child(
        Kind.POD,
        sealer_name,
        Component.SEALER,
        made=Made.TO_SEAL,
        released=Released.SEALED,
        owned=False,
    ),
)


def child_of(run: PipelineRun, kind: Kind, name: str, component: Component | None = None) -> Child | None:
    """Return the row that an object of this kind, name and component would be of; None for a stranger's."""
    for child in CHILDREN:
        fits = child.kind is kind and child.component is component
        if fits and (child.name is None or child.name(run) == name):
            return child
    return None


def made_by_operator(run: PipelineRun, kind: Kind, name: str) -> bool:
    """Return whether an object that is no pod has a name that the operator gives, not KubeRay."""
    child = child_of(run, kind, name)
    return child is not None and child.made is not Made.BY_KUBERAY


def named_children(run: PipelineRun) -> Iterator[tuple[Child, str]]:
    """Yield the rows whose names are known before they are made, with those names."""
    for child in CHILDREN:
        if child.name is not None:
            yield child, child.name(run)
