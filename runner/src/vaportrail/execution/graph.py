"""What may run next: the pure core of the executor. No clock, no I/O, no Ray.

Feed it what happened (a call, the end of an attempt, a cancel) and it answers with steps: which
attempt to start, after which delay, which to stop, which tasks have ended and how.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from vaportrail.contract.outcome import Outcome
from vaportrail.execution.node import Node, RetryPolicy
from vaportrail.execution.window import Window

__all__ = ["Finish", "Graph", "Start", "Step", "Stop"]


@dataclass(frozen=True, slots=True)
class Start:
    """Start this attempt of the task after `delay` seconds; what is delayed asks `due` first."""

    task_id: str
    attempt: int
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the running attempt of the task."""

    task_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The task has ended; `cause` names the upstream task where that is the reason."""

    task_id: str
    outcome: Outcome
    attempts: int
    cause: str = ""


Step = Start | Stop | Finish


class Graph:
    """The tasks of a run and what they wait for.

    A bounded number of attempts runs at once, the longest way through the graph first; see `Window`.

    Attributes:
        unfinished: how many tasks have not ended.

    Example:
        >>> graph = Graph()
        >>> graph.add("a", [], RetryPolicy())
        [Start(task_id='a', attempt=1, delay=0.0)]
        >>> graph.add("b", ["a"], RetryPolicy())
        []
        >>> graph.attempt_ended("a", Outcome.FAILED, retryable=True)[1]
        Finish(task_id='b', outcome=<Outcome.SKIPPED: 'SKIPPED'>, attempts=0, cause='a')
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._window = Window()
        self._cancelled = False
        self.unfinished = 0

    @property
    def held_back(self) -> bool:
        """Whether there is a task that could run and has to wait for its turn."""
        return self._window.held_back

    def widen(self, width: int) -> list[Step]:
        """Let so many attempts of each kind of request run at once; what runs beyond that goes on."""
        self._window.widen(width)
        return self._starts()

    def add(
        self, task_id: str, upstream: Iterable[str], policy: RetryPolicy, request: Hashable = None
    ) -> list[Step]:
        """Take a new task that needs `upstream`, tasks that were added before.

        Args:
            task_id: the task.
            upstream: those that it needs.
            policy: how often it is tried again.
            request: what it asks of a node; tasks of another request do not take its turn.
        """
        needs = sorted(set(upstream))
        self.unfinished += 1
        node = self._nodes[task_id] = Node(task_id, len(self._nodes), policy, request)
        if self._cancelled:
            node.cancelled = True
            return self._finish(node, Outcome.CANCELLED)
        for other in map(self._nodes.__getitem__, needs):
            if other.outcome.ended and not other.outcome.ok:
                return self._finish(node, Outcome.SKIPPED, other.task_id)
        for raised in node.wait_for(map(self._nodes.__getitem__, needs)):
            self._window.reorder(raised)
        if node.waiting == 0:
            self._window.queue(node)
        return self._starts()

    def attempt_ended(self, task_id: str, outcome: Outcome, *, retryable: bool) -> list[Step]:
        """Take the end of the running attempt; `retryable` is whether its failure may be retried."""
        node = self._nodes[task_id]
        self._window.leave(node)
        if node.outcome.ended:
            return self._starts()
        if node.cancelled and not outcome.ok:
            return self._finish(node, Outcome.CANCELLED)
        may_retry = not outcome.ok and retryable and outcome is not Outcome.CANCELLED
        if may_retry and node.attempts <= node.policy.limit:
            delay = node.policy.delay(node.attempts)
            node.attempts += 1
            node.put_off = True
            if delay:
                return [Start(task_id, node.attempts, delay), *self._starts()]
            self._window.queue(node)
            return self._starts()
        return self._finish(node, outcome)

    def due(self, task_id: str, attempt: int) -> list[Step]:
        """Take that the delay of a start is over: it is started in its turn, if it still should be."""
        node = self._nodes[task_id]
        stale = node.outcome.ended or node.cancelled or attempt != node.attempts or not node.put_off
        if stale or node.queued:
            return []
        self._window.queue(node)
        return self._starts()

    def cancel(self, task_id: str) -> list[Step]:
        """Cancel one task: a running attempt is stopped, a waiting task ends at once."""
        node = self._nodes[task_id]
        if node.outcome.ended or node.cancelled:
            return []
        node.cancelled = True
        if node.running:
            return [Stop(task_id, node.attempts)]
        return self._finish(node, Outcome.CANCELLED)

    def cancel_all(self) -> list[Step]:
        """Cancel every task, also those that are still to be added."""
        self._cancelled = True
        steps: list[Step] = []
        # The last first: what is cancelled is CANCELLED, not SKIPPED for an upstream one.
        last_first = list(reversed(self._nodes))
        for task_id in sorted(last_first, key=lambda t: self._nodes[t].running):
            steps += self.cancel(task_id)
        return steps

    def abandon(self, task_id: str) -> list[Step]:
        """End a cancelled task of whose attempt nobody hears any more."""
        node = self._nodes[task_id]
        return [] if node.outcome.ended else self._finish(node, Outcome.CANCELLED)

    def outcome(self, task_id: str) -> Outcome:
        """Return how a task ended, `UNFINISHED` while it has not."""
        return self._nodes[task_id].outcome

    def _starts(self) -> list[Step]:
        steps: list[Step] = []
        for node in self._window.starts():
            if not node.put_off:
                node.attempts += 1
            node.put_off = False
            steps.append(Start(node.task_id, node.attempts))
        return steps

    def _finish(self, node: Node, outcome: Outcome, cause: str = "") -> list[Step]:
        steps: list[Step] = []
        ends = deque([(node, outcome, cause)])  # no recursion: chains can be long
        while ends:
            ended, how, why = ends.popleft()
            if ended.outcome.ended:
                continue
            self._window.leave(ended)
            self.unfinished -= 1
            steps.append(Finish(ended.task_id, how, ended.attempts, why))
            for other in ended.end(how):
                other.waiting -= 1
                if not how.ok:
                    ends.append((other, Outcome.SKIPPED, ended.task_id))
                elif other.waiting == 0 and not other.outcome.ended:
                    self._window.queue(other)
        return steps + self._starts()
