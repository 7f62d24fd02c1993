"""The executor's own thread: it owns the graph, hands attempts to the backend, writes down their ends.

What it is asked for comes as messages, so that no decision needs a lock. Of those that waited together the
records are made first, and written together; only then comes what somebody may see of it. So what is killed
before is as if they had waited still.

Whatever raises in it lands in one place, `_land`: the run's tasks are cancelled, and who asks for one of
them is told why. What a backend raises is the end of the task that it was asked for.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from vaportrail.authoring.handle import Handle
from vaportrail.contract.outcome import Outcome
from vaportrail.errors import InternalError, VaportrailError
from vaportrail.execution.backend import AttemptEnd, Backend
from vaportrail.execution.call import TaskCall
from vaportrail.execution.graph import Finish, Graph, Start, Step, Stop
from vaportrail.execution.hindrance import look_for_hindrance
from vaportrail.execution.inbox import Inbox, Message
from vaportrail.execution.loop import Loop
from vaportrail.execution.node import RetryPolicy
from vaportrail.execution.observers import Unfailing
from vaportrail.execution.stopping import Stopping, abandon_all
from vaportrail.execution.task_recorder import TaskRecorder
from vaportrail.execution.window import LEAST_WIDTH, width_for
from vaportrail.telemetry.batch import Batch
from vaportrail.telemetry.recorder import Recorder

__all__ = ["Scheduler"]

_WIDEN_SECONDS: Final = 5.0
"""How often a cluster that may grow is looked at while tasks wait for their turn."""
_TOGETHER: Final = 64
"""How many steps are carried out with one write of their records."""
_T = TypeVar("_T")


class Scheduler:
    """Runs the tasks of one run on a backend, in a thread of its own.

    Methods that return steps are messages of the inbox: they run in that thread.

    Args:
        recorder: the runner's hand on the record.
        backend: where attempts run.
        progress: who hears of it.
        on_fault: is called once where a fault ends the run, before its tasks' ends are written.

    Attributes:
        inbox: takes messages from any thread.
        loop: the thread.
        known: every task of the run by its id; the executor adds to it before it puts `add`.
        added: those that the graph has, in the order of their calls.
        fault: what ended the run, where that was neither a task nor the pipeline's body.
        given_up: whether nothing is asked of the backend any more.
    """

    def __init__(
        self, recorder: Recorder, backend: Backend, progress: Unfailing, on_fault: Callable[[], None]
    ) -> None:
        self._recorder = recorder
        self._batch = Batch(recorder.writer)
        self._task_recorder = TaskRecorder(recorder, self._batch)
        self._backend, self._progress, self._on_fault = backend, progress, on_fault
        self._graph = Graph()
        self._width, self._widens = LEAST_WIDTH, False
        self._draining: list[Callable[[], None]] = []
        # Not within the thread: another may have to go on with it.
        self._messages: deque[Message] = deque()
        self._steps: deque[Step] = deque()
        self._acts: deque[Callable[[], None]] = deque()
        self.known: dict[str, TaskCall] = {}
        self.added: list[TaskCall] = []
        self.fault: VaportrailError | None = None
        self.given_up = False
        self.inbox = Inbox()
        self.loop = Loop(self.inbox, self._take)

    # Messages.

    def add(self, call: TaskCall, arguments: dict[str, Any], edges: list[dict[str, str]]) -> list[Step]:
        """Take a call, with what the record says of it."""
        options = call.options
        self.added.append(call)
        self._record(lambda: self._task_recorder.submitted(call, arguments, edges))
        self._acts.append(partial(self._progress.task_submitted, call.task_id, call.label))
        asks = (options.cpus, options.gpus, options.memory, *sorted(options.resources.items()))
        policy = RetryPolicy(options.retries, options.backoff)
        return self._graph.add(call.task_id, call.upstream, policy, asks)

    def cancel(self, task_id: str) -> list[Step]:
        """Cancel one task."""
        return self._graph.cancel(task_id)

    def cancel_all(self) -> list[Step]:
        """Cancel every task, also those to come."""
        return self._graph.cancel_all()

    def land(self, fault: BaseException) -> list[Step]:
        """End the run with a fault."""
        self._land(fault)
        return []

    def tell_when_idle(self, tell: Callable[[], None]) -> list[Step]:
        """Call `tell` once every task has ended."""
        self._draining.append(tell)
        return []

    def watch(self, call: TaskCall, handle: Handle, ended: queue.SimpleQueue[Handle]) -> list[Step]:
        """Put `handle` into `ended` once the task's end is written."""
        if call.over:
            ended.put(handle)
        else:
            call.watchers.append((ended, handle))
        return []

    def unwatch(self, calls: Iterable[TaskCall], ended: queue.SimpleQueue[Handle]) -> list[Step]:
        """Put nothing more into `ended`."""
        for call in calls:
            call.watchers = [watcher for watcher in call.watchers if watcher[0] is not ended]
        return []

    def forget(self, call: TaskCall) -> list[Step]:
        """Let go what only a handle was kept for, which nobody has any more."""
        call.let_go()
        return []

    def abandon(self, why: str) -> list[Step]:
        """End what is still open as cancelled, without asking anybody."""
        # From here on it is not held up, but writes.
        return abandon_all(self._graph, self.added, self._take_end, why) if self.loop.stays() else []

    # What the thread does.

    def _take(self, messages: list[Message]) -> None:
        self._messages.extend(messages)
        while (message := self._next(self._messages)) is not None:
            self._guarded(partial(self._decide, message))
        self._carry_out()
        if self._graph.held_back and not self.loop.is_left:
            self._guarded(partial(self._decide, self._widened))
            self._carry_out()
        if not self.loop.is_left:
            self._write()  # also what led to no step
            if not self.given_up and not self._guarded(self._backend.hand_over):
                self._carry_out()
        if not self._graph.unfinished and not self.loop.is_left:
            while self._draining:
                self._draining.pop()()

    def _next(self, waiting: deque[_T]) -> _T | None:
        """Return what comes next, if there is any; none to a thread in whose place another goes on."""
        try:
            return None if self.loop.is_left else waiting.popleft()
        except IndexError:
            return None

    def _decide(self, message: Message) -> None:
        self._steps.extend(message())

    def _land(self, fault: BaseException) -> None:
        """End the run with what nothing was to raise; the first one counts."""
        if self.fault is not None:
            return
        self.fault = InternalError.of(fault)
        self._guarded(self._on_fault)
        self._steps.extend(self._graph.cancel_all())

    def _record(self, make: Callable[[], None]) -> None:
        """Make the record of what cannot be told again; it is written with others."""
        self._insist(make)
        if self._batch.is_large:
            self._write()

    def _write(self) -> None:
        self._insist(self._batch.write)

    def _insist(self, act: Callable[[], None]) -> None:
        """Do what the record needs; where a fault makes room for it, after that."""
        known = self.fault
        # Another thread may say meanwhile that the run is lost: what is done is not done again.
        if not self._guarded(act) and self.fault is not known:
            with suppress(Exception):  # it is the run's fault already
                act()

    def _guarded(self, act: Callable[[], None]) -> bool:
        """Do something whose fault is not to keep back what comes after it; return whether it had none."""
        try:
            act()
        except BaseException as fault:
            self._land(fault)
            return False
        return True

    def _widened(self) -> list[Step]:
        """Start more at once where there are more CPUs than before."""
        if not self._widens:
            self._widens = True
            self.inbox.later(_WIDEN_SECONDS, self._widen_again)
        try:
            width = width_for(self._backend.cpus())
        except Exception:  # as many as before is never wrong
            return []
        if width == self._width:
            return []
        self._width = width
        return self._graph.widen(width)

    def _widen_again(self) -> list[Step]:
        self._widens = False
        return []

    def _carry_out(self) -> None:
        """Carry out the steps that were decided on, and those that a fault adds meanwhile."""
        while (self._steps or self._acts) and not self.loop.is_left:
            begun: list[Callable[[], None]] = []
            for _ in range(_TOGETHER):
                match self._next(self._steps):
                    case Start() as start:
                        begun.append(partial(self._start, start))
                    case Stop() as stop:
                        begun.append(partial(self._stop, stop))
                    case Finish() as finish:
                        self._guarded(partial(self._finish, finish))
                    case None:
                        break
            self._write()
            # Last, so that nobody waits to hear of an end for a backend that is slow to start something.
            self._acts.extend(begun)
            while (act := self._next(self._acts)) is not None:
                self.loop.moves()
                self._guarded(act)

    def _start(self, step: Start) -> None:
        if self.given_up:
            return
        if self.fault is not None:  # since it was decided
            self._steps.extend(self._graph.abandon(step.task_id))
            return
        call = self.known[step.task_id]
        if step.delay:
            self._progress.attempt_retried(step.task_id, step.attempt, step.delay, call.failure)
            self.inbox.later(step.delay, lambda: self._graph.due(step.task_id, step.attempt))
            return
        spec = call.spec(step.attempt)
        inputs = [self._running(task_id).value for task_id in call.inputs]

        def on_end(end: AttemptEnd) -> None:
            self.inbox.put(lambda: self._attempt_ended(call, step.attempt, end))

        call.attempts, call.running = step.attempt, None
        call.handed_over_unix_nano = self._recorder.clock()
        self._progress.attempt_started(call.task_id, step.attempt)
        try:
            call.handed_over(self._backend.start(spec, call.options, call.payload, inputs, on_end))
        except BaseException as error:  # Ray refuses what was asked of it
            on_end(AttemptEnd.refused(error))
        else:
            look_for_hindrance(call, self._backend, self.inbox, partial(self._tell_hindrance, call))

    def _tell_hindrance(self, call: TaskCall, text: str) -> None:
        self._record(lambda: self._task_recorder.waits(call, text))
        self._acts.append(partial(self._progress.stage, text))

    def _running(self, task_id: str) -> Any:
        running = self.known[task_id].running
        assert running is not None, f"{task_id} has no value"
        return running

    def _attempt_ended(self, call: TaskCall, attempt: int, end: AttemptEnd) -> list[Step]:
        if not self._take_end(call, attempt, end):
            return []
        return self._graph.attempt_ended(call.task_id, end.outcome, retryable=end.retryable)

    def _take_end(self, call: TaskCall, attempt: int, end: AttemptEnd) -> bool:
        """Take an attempt's end, once, however often its backend says so; return whether this is it."""
        if attempt <= call.attempts_ended:
            return False
        call.attempts_ended = attempt
        call.last_end = end
        if not end.self_reported:
            self._record(lambda: self._task_recorder.resolved(call, attempt, end))
        return True

    def _stop(self, step: Stop) -> None:
        if self.given_up:
            return
        call = self.known[step.task_id]

        def abandon(end: AttemptEnd) -> list[Step]:
            self._take_end(call, step.attempt, end)
            return self._graph.abandon(call.task_id)

        Stopping(call, self._backend, self.inbox, abandon).begin()

    def _finish(self, step: Finish) -> None:
        call = self.known[step.task_id]
        if call.outcome.ended:  # abandoned at the same time as it ended
            return
        call.outcome = step.outcome
        end = self._recorder.clock()
        self._record(lambda: self._task_recorder.ended(call, end, step.cause))
        self._acts.append(partial(self._tell_end, call, step, end))

    def _tell_end(self, call: TaskCall, step: Finish, end: int) -> None:
        seconds = (end - (call.handed_over_unix_nano or end)) / 1e9
        failure = None if step.outcome in (Outcome.SUCCEEDED, Outcome.SKIPPED) else call.failure
        self._progress.task_ended(call.task_id, step.outcome, seconds, failure, step.cause)
        call.over = True
        watchers, call.watchers = call.watchers, []
        for ended, handle in watchers:
            ended.put(handle)
        for task_id in set(call.inputs):
            taken = self.known[task_id]
            taken.takers_ended += 1
            taken.let_go()
        call.let_go()
