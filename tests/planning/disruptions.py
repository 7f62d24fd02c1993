"""What somebody does to a run in a world, or what befalls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from vaportrail_operator.planning.types import Component, ObservedObject, ObservedPod

if TYPE_CHECKING:
    from tests.planning.world import World

__all__ = ["DEEDS", "GRACE"]

GRACE = timedelta(seconds=70)
"""How long a pod may take to end."""


def cancel(world: World) -> None:
    """Set `spec.cancel`."""
    world.put_spec(cancel=True)


def lose_runner(world: World) -> None:
    """Take the runner's pod away, without a word."""
    del world.pods[_only(world, Component.RUNNER).name]


def lose_collector(world: World) -> None:
    """Take the collector's pod away."""
    del world.pods[_only(world, Component.COLLECTOR).name]


def evict_collector(world: World) -> None:
    """Have the kubelet end the collector's pod for good."""
    pod = _only(world, Component.COLLECTOR)
    world.pods[pod.name] = replace(pod, phase="Failed", reason="Evicted", ready=False)


def lose_cluster(world: World) -> None:
    """Delete the RayCluster."""
    world.clusters.clear()


def lose_head(world: World) -> None:
    """Take the Ray head's pod away."""
    del world.pods[_only(world, Component.HEAD).name]


def lose_runners_node(world: World) -> None:
    """Have the runner's node fall silent, and its pod be evicted from it."""
    _lose_node(world, Component.RUNNER)


def lose_heads_node(world: World) -> None:
    """The same, of the Ray head's node."""
    _lose_node(world, Component.HEAD)


def lose_sealers_node(world: World) -> None:
    """The same, of the sealer's node."""
    _lose_node(world, Component.SEALER)


def strand_worker(world: World) -> None:
    """Have no node for the worker, which nobody has scheduled yet."""
    pod = _only(world, Component.WORKER)
    assert not pod.scheduled_at
    world.dead.add(pod.name)
    world.pods[pod.name] = replace(pod, waiting=("Unschedulable", "0/1 nodes are available"))


def hold_worker(world: World) -> None:
    """Give the worker a finalizer that nobody removes."""
    world.held.add(_only(world, Component.WORKER).name)


def hold_sealer(world: World) -> None:
    """The same, for the sealer that is yet to be made."""
    world.held.add(_only(world, Component.RUNNER).name.replace("runner", "sealer"))


def use_label(world: World) -> None:
    """Make a Service with the run's label that is none of the run's."""
    world.services["somebodys"] = ObservedObject("somebodys", "a-strangers-uid", world.now)


def _lose_node(world: World, component: Component) -> None:
    pod = _only(world, component)
    world.dead.add(pod.name)
    due = world.now.replace(microsecond=0) + GRACE
    world.pods[pod.name] = replace(pod, ready=False, deleting=True, due=due)


def _only(world: World, component: Component) -> ObservedPod:
    (pod,) = (pod for pod in world.pods.values() if pod.component is component)
    return pod


DEEDS: dict[str, Callable[[World], None]] = {
    deed.__name__: deed
    for deed in (
        cancel,
        lose_runner,
        lose_collector,
        evict_collector,
        lose_cluster,
        lose_head,
        lose_runners_node,
        lose_heads_node,
        lose_sealers_node,
        strand_worker,
        hold_worker,
        hold_sealer,
        use_label,
    )
}
"""All of them, by name."""
