"""Runs the planner in a world until nothing happens any more, with one fault on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from tests.planning.world import Conflict, Killed, World

from vaportrail.crd.status import Phase
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import Observed, Plan

__all__ = ["End", "Fault", "Planner", "end_of", "live"]

Planner = Callable[[Observed], Plan]
_LOOKS = 400


@dataclass(frozen=True)
class End:
    """How a world ended: what must be the same whatever happened to the operator."""

    phase: str
    reason: str
    outcome: str
    record: str
    left: tuple[str, ...]
    clusters: int
    runners: int
    unshipped: int = 0


@dataclass(frozen=True)
class Fault:
    """Something wrong with what the operator sees.

    Attributes:
        kind: the run, or what was made for it, as it was `length` looks ago; or nothing at all, while
            others make so many moves.
        at: from which look on.
        length: for so many looks.
    """

    kind: Literal["old run", "old children", "blind"]
    at: int
    length: int


def end_of(world: World) -> End:
    """Return the end that a world is in."""
    assert world.run is not None
    status = world.run.status
    made = {
        kind: sum(n for name, n in world.made.items() if kind in name) for kind in ("RayCluster/", "-runner")
    }
    left = (*world.pods, *world.services, *world.clusters, *world.secrets)
    state = status.record.state if status.record else ""
    return End(
        str(status.phase),
        str(status.reason),
        status.outcome,
        state,
        left,
        made["RayCluster/"],
        made["-runner"],
        len(world.unshipped),
    )


def live(
    world: World,
    *,
    fault: Fault | None = None,
    planner: Planner = plan,
    on_look: Callable[[World], None] = lambda world: None,
    before: Sequence[Observed] = (),
) -> World:
    """Let a run live in a world until it has ended and nobody moves any more.

    Args:
        world: with the fault of its own, if it has one.
        fault: what is wrong with what the operator sees.
        planner: what is tried.
        on_look: told the world at each look.
        before: what was seen until then, of a world that has lived already.
    """
    seen: list[Observed] = list(before)
    idle = 0
    if not before:
        world.deed()
    for look in range(len(seen), _LOOKS):
        if fault and fault.kind == "blind" and look == fault.at:
            for _ in range(fault.length):
                world.move()
        on_look(world)
        fresh = world.observe()
        seen.append(fresh)
        shown = _shown(fault, look, seen)
        made = planner(shown)
        try:
            wrote = world.apply(made, shown)
        except Conflict:
            wrote = False
        except Killed:
            world.restart()
            continue
        if wrote:
            idle = 0
            continue
        before = replace(world.observe(), now=fresh.now)
        if before == fresh and not world.move():
            idle += 1
            if _is_over(world) and idle > 2:
                return world
            # A wrong view does not last; a deadline is waited for.
            wrong = fault is not None and look < fault.at + fault.length
            if not wrong and not _is_over(world):
                world.now += timedelta(seconds=made.requeue_after or 0)
    raise AssertionError(f"the run does not end: {end_of(world)}")


def _shown(fault: Fault | None, look: int, seen: list[Observed]) -> Observed:
    """Return what the operator sees: the last that was seen, or something older."""
    fresh = seen[-1]
    if fault is None or not fault.at <= look < fault.at + fault.length:
        return fresh
    if fault.kind == "old run":
        return replace(fresh, run=seen[max(0, look - fault.length)].run)
    if fault.kind == "old children":
        old = seen[max(0, look - fault.length)]
        return replace(fresh, ray_cluster=old.ray_cluster, services=old.services, pods=old.pods)
    return fresh


def _is_over(world: World) -> bool:
    return world.run is None or (
        isinstance(world.run.status.phase, Phase) and world.run.status.phase.terminal
    )
