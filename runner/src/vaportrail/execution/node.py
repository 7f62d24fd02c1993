"""A task as the graph knows it: what it waits for, what waits for it, and how long the way below it is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from vaportrail.contract.outcome import Outcome

__all__ = ["DEEPEST", "Node", "RetryPolicy"]

DEEPEST: Final = 64
"""The longest way that is told from a longer one. It bounds what one more task costs: a node's depth rises
so often at most, however long the chain above the new one is."""
_LONGEST_BACKOFF: Final = 300.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How many further attempts a task may have, and the wait before the first in seconds."""

    limit: int = 0
    backoff: float = 1.0

    def delay(self, failed_attempts: int) -> float:
        """Return the wait in seconds after so many failed attempts: doubled each time, at most 5 minutes."""
        return min(self.backoff * 2.0 ** min(failed_attempts - 1, 64), _LONGEST_BACKOFF)


@dataclass(slots=True, eq=False)
class Node:
    """A task of the graph.

    Attributes:
        task_id: its name in the run.
        order: how many were added before it.
        policy: how often it is tried again.
        request: what it asks of a node of the cluster.
        waiting: how many of `upstream` have not ended.
        depth: how many tasks stand on the longest way below it, as far as known and `DEEPEST` at most.
        attempts: how many were given out; the first one as it starts, another as it is put off.
        running: whether an attempt is with the backend.
        queued: whether it could run, and waits for its turn.
        put_off: whether its next attempt was given out already, to be started later.
    """

    task_id: str
    order: int
    policy: RetryPolicy
    request: Hashable
    waiting: int = 0
    depth: int = 0
    attempts: int = 0
    running: bool = False
    queued: bool = False
    put_off: bool = False
    cancelled: bool = False
    outcome: Outcome = Outcome.UNFINISHED
    upstream: list[Node] = field(default_factory=list)
    downstream: list[Node] = field(default_factory=list)

    def wait_for(self, needs: Iterable[Node]) -> list[Node]:
        """Wait for those that have not ended; return those in the queue whose turn that may bring nearer."""
        for other in needs:
            if not other.outcome.ended:
                self.waiting += 1
                self.upstream.append(other)
                other.downstream.append(self)
        raised: list[Node] = []
        lowest = [self]
        while lowest:
            node = lowest.pop()
            depth = min(node.depth + 1, DEEPEST)
            for other in node.upstream:
                if other.depth < depth and not other.outcome.ended:
                    other.depth = depth
                    lowest.append(other)
                    raised.append(other)
        return [node for node in dict.fromkeys(chain(self.upstream, raised)) if node.queued]

    def end(self, outcome: Outcome) -> list[Node]:
        """Say how it ended; return what waited for it, which it knows no more."""
        self.outcome = outcome
        waited, self.downstream, self.upstream = self.downstream, [], []
        return waited
