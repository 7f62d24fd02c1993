"""Everything that is made for a run, a row each: what is looked for, listed, swept and believed follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.planning.names import (
    base_name,
    collector_name,
    head_service_name,
    runner_name,
    sealer_name,
    tokens_name,
)
from vaportrail_operator.planning.types import Component, Kind

__all__ = ["CHILDREN", "Child", "Maker", "child_of", "named_children"]


class Maker(StrEnum):
    """Who makes an object."""

    OPERATOR = "operator"
    KUBERAY = "KubeRay"


@dataclass(frozen=True, slots=True)
class Child:
    """What is made for a run.

    Attributes:
        kind: of the object.
        name: gives its name; None where KubeRay makes it up.
        component: of a pod, what it is to the run.
        maker: who makes it. What KubeRay makes has the RayCluster as its controller.
        owned: of what the operator makes, whether the run is its controller, so that it goes with the run.
    """

    kind: Kind
    name: Callable[[PipelineRun], str] | None = None
    component: Component | None = None
    maker: Maker = Maker.OPERATOR
    owned: bool = True


CHILDREN: Final = (
    Child(Kind.SECRET, tokens_name),
    Child(Kind.SERVICE, collector_name),
    Child(Kind.POD, collector_name, Component.COLLECTOR),
    Child(Kind.POD, runner_name, Component.RUNNER),
    Child(Kind.RAY_CLUSTER, base_name),
    Child(Kind.SERVICE, head_service_name, maker=Maker.KUBERAY),
    Child(Kind.POD, None, Component.HEAD, Maker.KUBERAY),
    Child(Kind.POD, None, Component.WORKER, Maker.KUBERAY),
    # Not the run's, so that it can end the record of a run that was deleted.
    Child(Kind.POD, sealer_name, Component.SEALER, owned=False),
)


def child_of(run: PipelineRun, kind: Kind, name: str, component: Component | None = None) -> Child | None:
    """Return the row that an object of this kind, name and component would be of; None for a stranger's."""
    for child in CHILDREN:
        fits = child.kind is kind and child.component is component
        if fits and (child.name is None or child.name(run) == name):
            return child
    return None


def named_children(run: PipelineRun) -> Iterator[tuple[Child, str]]:
    """Yield the rows whose names are known before they are made, with those names."""
    for child in CHILDREN:
        if child.name is not None:
            yield child, child.name(run)
