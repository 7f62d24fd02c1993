"""Whether the operator lives and is ready: not only that its process answers, but that it hears and leads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.runtime.cache import Cache

__all__ = ["Health"]


@dataclass(slots=True)
class Health:
    """The answers to the kubelet's probes.

    That the loop turns is shown by any answer. A watch can die without a word: all that the operator
    learns otherwise, by a list or by the reply to its own write, the watch must say too, and what it owes
    for long tells that it is dead. For how long runs wait for their steps is no matter of these: slow are
    mostly those who are asked, and a new process would ask them all over again.

    Attributes:
        cache: what is known.
        watches_down: for how many seconds nothing has been watched.
        renewed: whether the Lease is held, or is another's to hold.
        hearing_limit: seconds that a watch may owe something; kopf needs up to 75 s to notice by itself
            that a connection is dead.
        watches_limit: seconds without watches.
    """

    cache: Cache
    watches_down: Callable[[], float]
    renewed: Callable[[], bool]
    hearing_limit: float = 180.0
    watches_limit: float = 180.0
    listed: bool = False
    """Whether all there is was listed once; to wait before that for the API server is no fault."""

    def problems(self) -> list[str]:
        """Return why the kubelet should restart the operator, in words; empty while it is well."""
        if not self.listed:
            return []
        found = []
        owed: dict[Kind, float] = self.cache.watch_lag()
        for kind, seconds in owed.items():
            if seconds > self.hearing_limit:
                found.append(f"the watch of {kind} has owed something for {seconds:.0f} s")
        if (seconds := self.watches_down()) > self.watches_limit:
            found.append(f"nothing has been watched for {seconds:.0f} s")
        if not self.renewed():
            found.append("its Lease is over, and it has not ended")
        return found

    def unready(self) -> list[str]:
        """Return why the operator could not bring runs on now, in words; a warm standby could."""
        if not self.listed:
            return ["it has not listed yet what there is"]
        return [*(["nothing is watched"] if self.watches_down() > 0 else []), *self.problems()]
