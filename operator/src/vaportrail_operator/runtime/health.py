"""Whether the operator lives and is ready: not only that its process answers, but that it hears and works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vaportrail_operator.observation.entries import Watched
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.workqueue import WorkQueue

__all__ = ["Health"]


@dataclass(slots=True)
class Health:
    """The answers to the kubelet's probes.

    A watch can die without a word. All that the operator learns otherwise, by a list or by the reply to
    its own write, the watch must say too: what it owes for long tells that it is dead.

    Attributes:
        cache: what is known.
        queue: of the runs to look at.
        watches_down: for how many seconds nothing has been watched.
        leads: whether this operator may work.
        hearing_limit: seconds that a watch may owe something; kopf needs up to 75 s to notice by itself
            that a connection is dead.
        working_limit: seconds that a run may wait for its step, or a step may take.
        watches_limit: seconds without watches.
    """

    cache: Cache
    queue: WorkQueue[Any]
    watches_down: Callable[[], float]
    leads: Callable[[], bool]
    hearing_limit: float = 180.0
    working_limit: float = 300.0
    watches_limit: float = 180.0
    working: bool = False
    """Whether work has begun; the waiting before it, for the Lease or the API server, is no fault."""

    def problems(self) -> list[str]:
        """Return why the kubelet should restart the operator, in words; empty while it is well."""
        if not self.working:
            return []
        found = []
        owed: dict[Watched, float] = self.cache.watch_lag()
        for kind, seconds in owed.items():
            if seconds > self.hearing_limit:
                found.append(f"the watch of {kind} has owed something for {seconds:.0f} s")
        if (seconds := self.watches_down()) > self.watches_limit:
            found.append(f"nothing has been watched for {seconds:.0f} s")
        if (seconds := self.queue.oldest_seconds) > self.working_limit:
            found.append(f"a run has waited for {seconds:.0f} s for its step")
        if (seconds := self.queue.longest_seconds) > self.working_limit:
            found.append(f"a step has taken {seconds:.0f} s")
        return found

    def unready(self) -> list[str]:
        """Return why the operator does not bring runs on now, in words; empty while it does."""
        found = [] if self.leads() else ["it does not hold the Lease"]
        if not self.working:
            return [*found, "it has not begun"]
        if self.watches_down() > 0:
            found.append("nothing is watched")
        return [*found, *self.problems()]
