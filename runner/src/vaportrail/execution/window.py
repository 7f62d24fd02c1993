"""How many attempts are with the backend at once, and whose turn is next. Pure.

A backend that is given all of a large run at once keeps all of it, in its order. So it gets as many as
keep it busy, and what has the longest way below it first.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from vaportrail.execution.node import Node

__all__ = ["LEAST_WIDTH", "Window", "width_for"]

LEAST_WIDTH: Final = 64
_PER_CPU: Final = 8


def width_for(cpus: float) -> int:
    """Return how many attempts keep so many CPUs busy while others end and begin.

    >>> width_for(2), width_for(100)
    (64, 800)
    """
    return max(LEAST_WIDTH, int(_PER_CPU * cpus))


@dataclass(slots=True)
class _Lane:
    """The tasks that ask for the same: what waits for a processor does not hold up what needs none."""

    running: int = 0
    queue: list[tuple[int, int, int, int, Node]] = field(default_factory=list)
    """A heap; of a node that stands in it twice only the first place counts."""


class Window:
    """Lets at most `width` attempts of each kind of request run, the longest way first.

    Each request has a width of its own: those that wait for a node which is not there, or for the one GPU,
    would otherwise keep the others from the CPUs that stand idle.

    Attributes:
        width: how many may run; where it gets less, what runs goes on.
    """

    def __init__(self, width: int = LEAST_WIDTH) -> None:
        self.width = width
        self._lanes: dict[Hashable, _Lane] = {}
        self._changed: list[_Lane] = []
        self._queued = 0
        self._pushes = count()

    @property
    def held_back(self) -> bool:
        """Whether a task waits for its turn."""
        return self._queued > 0

    def queue(self, node: Node) -> None:
        """Take a task that could run."""
        node.queued = True
        self._queued += 1
        lane = self._lane(node)
        self._push(lane, node)
        self._changed.append(lane)

    def reorder(self, node: Node) -> None:
        """Take in that the way below a task in the queue got longer, or that more wait for it."""
        self._push(self._lane(node), node)

    def leave(self, node: Node) -> None:
        """Take a task out, whether it runs or waits for its turn."""
        if node.queued:
            node.queued = False
            self._queued -= 1
        if node.running:
            node.running = False
            lane = self._lane(node)
            lane.running -= 1
            self._changed.append(lane)

    def widen(self, width: int) -> None:
        """Let so many run from now on."""
        self.width = width
        self._changed.extend(self._lanes.values())

    def starts(self) -> list[Node]:
        """Return those whose turn it is; from now on they run."""
        started: list[Node] = []
        while self._changed:
            lane = self._changed.pop()
            while lane.queue and lane.running < self.width:
                node = heapq.heappop(lane.queue)[-1]
                if node.queued:
                    node.queued, node.running = False, True
                    self._queued -= 1
                    lane.running += 1
                    started.append(node)
        return started

    def _lane(self, node: Node) -> _Lane:
        lane = self._lanes.get(node.request)
        if lane is None:
            lane = self._lanes[node.request] = _Lane()
        return lane

    def _push(self, lane: _Lane, node: Node) -> None:
        heapq.heappush(lane.queue, (-node.depth, -len(node.downstream), node.order, next(self._pushes), node))
