"""Stopping an attempt: it is asked, then its process is ended, then nobody waits for it any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from vaportrail.contract.outcome import Failure, Outcome, exception_type
from vaportrail.execution.attempt_cancellation import AttemptCancelled
from vaportrail.execution.backend import AttemptEnd, Backend
from vaportrail.execution.call import TaskCall
from vaportrail.execution.graph import Finish, Graph, Step
from vaportrail.execution.inbox import Inbox

__all__ = ["Stopping", "abandon_all"]

CANCEL_GRACE_SECONDS: Final = 5.0
"""How long an interrupted attempt may take before its process is ended."""
FORCED_GRACE_SECONDS: Final = 10.0
"""How long that may take before nobody waits for it any more."""


class Stopping:
    """Stops one attempt, with more force as it takes longer; runs in the executor's thread.

    Args:
        call: the task whose running attempt is stopped.
        backend: where it runs.
        inbox: takes what is to be done later.
        abandon: ends the task of which nobody hears any more.
    """

    def __init__(
        self, call: TaskCall, backend: Backend, inbox: Inbox, abandon: Callable[[AttemptEnd], list[Step]]
    ) -> None:
        self._call = call
        self._running = call.running
        self._backend = backend
        self._inbox = inbox
        self._abandon = abandon
        self._hindrance = ""

    def begin(self) -> None:
        """Ask the attempt to end."""
        self._ask(force=False)
        self._inbox.later(CANCEL_GRACE_SECONDS, self._force)

    def _ask(self, *, force: bool) -> None:
        if self._running is None:
            return
        try:
            self._backend.stop(self._running, force=force)
        except Exception as error:
            self._hindrance = f"; stopping it raised {type(error).__name__}: {error}"

    def _force(self) -> list[Step]:
        if not self._call.outcome.ended:
            self._ask(force=True)
            self._inbox.later(FORCED_GRACE_SECONDS, self._give_up)
        return []

    def _give_up(self) -> list[Step]:
        if self._call.outcome.ended:
            return []
        waited = CANCEL_GRACE_SECONDS + FORCED_GRACE_SECONDS
        message = f"was cancelled, and gave no sign of its end within {waited:g} s{self._hindrance}"
        failure = Failure(exception_type(AttemptCancelled()), message)
        return self._abandon(AttemptEnd(Outcome.CANCELLED, failure, self_reported=False))


def abandon_all(
    graph: Graph, calls: Iterable[TaskCall], take_end: Callable[[TaskCall, int, AttemptEnd], object], why: str
) -> list[Step]:
    """End every task as cancelled, without a word from its attempt or from what would stop it.

    Args:
        graph: the run's tasks.
        calls: those that it knows.
        take_end: is told how an attempt ended that was still running.
        why: it was cancelled so, in words that follow "was cancelled, ".
    """
    steps: list[Finish] = [step for step in graph.cancel_all() if isinstance(step, Finish)]
    known = {step.task_id for step in steps}
    for call in calls:
        if call.outcome.ended or call.task_id in known:
            continue
        if call.attempts > call.attempts_ended:
            failure = Failure(exception_type(AttemptCancelled()), f"was cancelled, {why}")
            take_end(call, call.attempts, AttemptEnd(Outcome.CANCELLED, failure, self_reported=False))
        graph.abandon(call.task_id)
        steps.append(Finish(call.task_id, graph.outcome(call.task_id), call.attempts))
    return list(steps)
