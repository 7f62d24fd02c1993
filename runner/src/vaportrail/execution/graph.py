"""What may run next: the pure core of the executor. No clock, no I/O, no Ray.

Feed it what happened (a call, the end of an attempt, a cancel) and it answers with steps: which
attempt to start, after which delay, which to stop, which tasks have ended and how.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from vaportrail.contract.outcome import Outcome

__all__ = ["Finish", "Graph", "RetryPolicy", "Start", "Step", "Stop"]

_LONGEST_BACKOFF: Final = 300.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How many further attempts a task may have, and the wait before the first in seconds."""

    limit: int = 0
    backoff: float = 1.0

    def delay(self, failed_attempts: int) -> float:
        """Return the wait in seconds after so many failed attempts: doubled each time, at most 5 minutes."""
        return min(self.backoff * 2.0 ** min(failed_attempts - 1, 64), _LONGEST_BACKOFF)


@dataclass(frozen=True, slots=True)
class Start:
    """Start this attempt of the task after `delay` seconds."""

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


@dataclass(slots=True)
class _Node:
    policy: RetryPolicy
    waiting_for: set[str]
    downstream: list[str] = field(default_factory=list)
    attempts: int = 0
    running: bool = False
    cancelled: bool = False
    outcome: Outcome = Outcome.UNFINISHED


class Graph:
    """The tasks of a run and what they wait for.

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
        self._nodes: dict[str, _Node] = {}
        self._cancelled = False
        self.unfinished = 0

    def add(self, task_id: str, upstream: Iterable[str], policy: RetryPolicy) -> list[Step]:
        """Take a new task that needs `upstream`, tasks that were added before."""
        needs = set(upstream)
        self.unfinished += 1
        node = self._nodes[task_id] = _Node(policy, set())
        if self._cancelled:
            node.cancelled = True
            return self._finish(task_id, Outcome.CANCELLED)
        for other_id in sorted(needs):
            other = self._nodes[other_id]
            if not other.outcome.ended:
                node.waiting_for.add(other_id)
                other.downstream.append(task_id)
            elif not other.outcome.ok:
                return self._finish(task_id, Outcome.SKIPPED, other_id)
        return self._start_if_ready(task_id)

    def attempt_ended(self, task_id: str, outcome: Outcome, *, retryable: bool) -> list[Step]:
        """Take the end of the running attempt; `retryable` is whether its failure may be retried."""
        node = self._nodes[task_id]
        node.running = False
        if node.outcome.ended:
            return []
        if node.cancelled and not outcome.ok:
            return self._finish(task_id, Outcome.CANCELLED)
        may_retry = not outcome.ok and retryable and outcome is not Outcome.CANCELLED
        if may_retry and node.attempts <= node.policy.limit:
            return self._next_attempt(task_id, node.policy.delay(node.attempts))
        return self._finish(task_id, outcome)

    def cancel(self, task_id: str) -> list[Step]:
        """Cancel one task: a running attempt is stopped, a waiting task ends at once."""
        node = self._nodes[task_id]
        if node.outcome.ended or node.cancelled:
            return []
        node.cancelled = True
        if node.running:
            return [Stop(task_id, node.attempts)]
        return self._finish(task_id, Outcome.CANCELLED)

    def cancel_all(self) -> list[Step]:
        """Cancel every task, also those that are still to be added."""
        self._cancelled = True
        steps: list[Step] = []
        # The last first: what is cancelled is CANCELLED, not SKIPPED for an upstream one.
        last_first = list(reversed(self._nodes))
        for task_id in sorted(last_first, key=lambda t: self._nodes[t].running):
            steps += self.cancel(task_id)
        return steps

    def started(self, task_id: str, attempt: int) -> bool:
        """Say that a delayed start is due; return whether it should still happen."""
        node = self._nodes[task_id]
        due = not node.outcome.ended and not node.cancelled and attempt == node.attempts
        node.running = node.running or due
        return due

    def abandon(self, task_id: str) -> list[Step]:
        """End a cancelled task of whose attempt nobody hears any more."""
        return [] if self._nodes[task_id].outcome.ended else self._finish(task_id, Outcome.CANCELLED)

    def outcome(self, task_id: str) -> Outcome:
        """Return how a task ended, `UNFINISHED` while it has not."""
        return self._nodes[task_id].outcome

    def _start_if_ready(self, task_id: str) -> list[Step]:
        node = self._nodes[task_id]
        return [] if node.waiting_for or node.outcome.ended else self._next_attempt(task_id, 0.0)

    def _next_attempt(self, task_id: str, delay: float) -> list[Step]:
        node = self._nodes[task_id]
        node.attempts += 1
        node.running = delay == 0.0
        return [Start(task_id, node.attempts, delay)]

    def _finish(self, task_id: str, outcome: Outcome, cause: str = "") -> list[Step]:
        steps: list[Step] = []
        ends = deque([(task_id, outcome, cause)])  # no recursion: chains can be long
        while ends:
            ended_id, how, why = ends.popleft()
            node = self._nodes[ended_id]
            if node.outcome.ended:
                continue
            node.outcome = how
            self.unfinished -= 1
            steps.append(Finish(ended_id, how, node.attempts, why))
            # What most others wait for goes first: the longest way through the graph gets shorter,
            # and the worker that is warm from the upstream task goes on with it.
            for other_id in sorted(node.downstream, key=lambda t: -len(self._nodes[t].downstream)):
                self._nodes[other_id].waiting_for.discard(ended_id)
                if how.ok:
                    steps += self._start_if_ready(other_id)
                else:
                    ends.append((other_id, Outcome.SKIPPED, ended_id))
        return steps
