"""The driver's loop: takes task calls, runs what may run, writes down how everything ended.

The pipeline's body runs in the caller's thread and only puts messages into a queue; one thread of
the executor owns the graph and reads the queue, so that no decision needs a lock.

Whatever raises in that thread lands in one place, `_land`: the run's tasks are cancelled, and who
asks for one of them is told why. What a backend raises is the end of the task that it was asked for.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final

from vaportrail.authoring.handle import Handle
from vaportrail.authoring.task import Task
from vaportrail.contract.outcome import Outcome
from vaportrail.errors import HandleError, InternalError, TaskFailed, UsageError, VaportrailError
from vaportrail.execution.backend import AttemptEnd, Backend
from vaportrail.execution.call import TaskCall, check_fits, describe_call, find_edges
from vaportrail.execution.graph import Finish, Graph, RetryPolicy, Start, Step, Stop
from vaportrail.execution.hindrance import look_for_hindrance
from vaportrail.execution.inbox import Inbox, Message
from vaportrail.execution.loop import Loop
from vaportrail.execution.observers import Unfailing
from vaportrail.execution.payload import Functions, dump_call
from vaportrail.execution.stopping import Stopping, abandon_all
from vaportrail.execution.task_recorder import TaskRecorder
from vaportrail.execution.travelling_exception import unpickled
from vaportrail.record.label import call_label
from vaportrail.telemetry.identity import task_span_id
from vaportrail.telemetry.recorder import Recorder

__all__ = ["Executor"]

HELD_UP_SECONDS: Final = 15.0
"""How long a backend may hold up the executor's thread once the run is cancelled."""
_LOOK_SECONDS: Final = 0.5


class Executor:
    """Runs the tasks of one run on a backend; a pipeline's body talks to it as its session.

    Args:
        recorder: the driver's hand on the record.
        backend: where attempts run.
        progress: who hears of it.
        on_fault: is called once where a fault ends the run, before its tasks' ends are written.
    """

    def __init__(
        self,
        recorder: Recorder,
        backend: Backend,
        progress: Unfailing,
        on_fault: Callable[[], None] = lambda: None,
    ) -> None:
        self._recorder = recorder
        self._task_recorder = TaskRecorder(recorder)
        self._backend, self._progress, self._on_fault = backend, progress, on_fault
        self._graph, self._added = Graph(), list[TaskCall]()
        self._calls: dict[str, TaskCall] = {}
        self._names: Counter[str] = Counter()
        self._naming = threading.Lock()
        self._closed = self._cancelled = self._given_up = False
        self._functions = Functions()
        self._inbox = Inbox()
        self._draining: list[threading.Event] = []
        self._fault: VaportrailError | None = None
        self._loop = Loop(self._inbox, self._take)

    # What the pipeline's body asks, in the body's own thread.

    def submit(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        self._check()
        after = [self._own(handle).task_id for handle in task.task_options.after]
        check_fits(task, args, kwargs)
        payload, handles = dump_call(task.name, args, kwargs)
        inputs = [self._own(handle).task_id for handle in handles]
        function = self._functions.dump(task)
        arguments, carriers = describe_call(task, args, kwargs, self._recorder)
        edges = find_edges(carriers, inputs, after)
        settings = self._recorder.settings
        # A body may call tasks from several threads.
        with self._naming:
            self._check()
            self._names[task.name] += 1
            task_id = f"{task.name}-{self._names[task.name]}"
            call = TaskCall(
                task_id=task_id,
                task=task,
                function=function,
                payload=payload,
                inputs=inputs,
                upstream=sorted({*inputs, *after}),
                label=call_label(task.name, arguments),
                span_id=task_span_id(settings.identity.uid, task_id, settings.incarnation),
                submitted_unix_nano=self._recorder.clock(),
            )
            self._calls[task_id] = call
            # Nothing of a call counts before this: a signal may end the body at any of these lines.
            self._inbox.put(lambda: self._add(call, arguments, edges))
        return Handle(task_id, self)

    def result(self, handle: Handle, timeout: float | None) -> Any:
        call = self._wait(handle, timeout)
        if not call.outcome.ok or call.running is None:
            error = call.last_end.error if call.last_end is not None else None
            raise TaskFailed(call.task_id, call.outcome, call.failure) from unpickled(error)
        try:
            return self._backend.fetch(call.running)
        except VaportrailError:
            raise
        except Exception as error:
            raise UsageError(
                f"the value of task {call.task_id!r} cannot be loaded here: {error}; "
                "hand it on to a task, or make what it needs importable where the pipeline's body runs"
            ) from error

    def outcome(self, handle: Handle) -> Outcome:
        return self._wait(handle, None).outcome

    def as_completed(self, handles: list[Handle]) -> Iterator[Handle]:
        self._check()
        ended: queue.SimpleQueue[Handle] = queue.SimpleQueue()
        calls = [self._call(handle) for handle in handles]
        for call, handle in zip(calls, handles, strict=True):
            self._inbox.put(partial(self._watch, call, handle, ended))
        try:
            for _ in handles:
                while True:
                    self._check()
                    try:
                        yield ended.get(timeout=_LOOK_SECONDS)
                        break
                    except queue.Empty:
                        continue
        finally:
            self._inbox.put(partial(self._unwatch, calls, ended))

    def cancel(self, handle: Handle) -> None:
        task_id = self._call(handle).task_id
        self._inbox.put(lambda: self._graph.cancel(task_id))

    # What the run asks.

    def cancel_all(self) -> None:
        """Cancel every task, also those to come."""
        self._cancelled = True
        self._inbox.put(self._graph.cancel_all)

    def guard(self, write: Callable[[], None]) -> None:
        """Do what the run cannot do without, such as writing its record; a fault of it ends the run."""
        try:
            write()
        except Exception as fault:
            self.land(fault)

    def land(self, fault: BaseException) -> None:
        """End the run with a fault, from any thread: its tasks are cancelled."""
        self._inbox.put(partial(self._take_fault, fault))

    def drain(self) -> None:
        """Wait until every task has ended."""
        idle = threading.Event()
        # Through the inbox: what was submitted before is taken before.
        self._inbox.put(partial(self._tell_when_idle, idle))
        while not idle.wait(_LOOK_SECONDS) and self._loop.runs:
            if self._given_up:
                self._loop.pass_by(_LOOK_SECONDS)
            if self._cancelled and self._loop.held_up(HELD_UP_SECONDS):
                if self._given_up:
                    return
                self.give_up()

    def lose(self, fault: VaportrailError) -> None:
        """End the run, from any thread, since what runs its attempts is gone: nobody is asked to stop.

        It is the run's fault, unless the run is cancelled already: the same signal may have ended both.
        """
        if not self._cancelled:
            self._fault = self._fault or fault  # at once: the executor's thread may be held up
            self._cancelled = True
        self.give_up(f"as {fault}")

    def give_up(self, why: str = "and nobody waited for its end") -> None:
        """End what is still open as cancelled, whatever holds up the executor's thread."""
        self._given_up = True
        self._inbox.put(partial(self._abandon, why))
        self._loop.pass_by(_LOOK_SECONDS)

    def close(self) -> None:
        """Stop the executor's thread; what was submitted since the last `drain` is cancelled."""
        if not self._loop.runs:
            return
        with self._naming:
            self._closed = True
        self.cancel_all()
        self.drain()
        self._loop.end(HELD_UP_SECONDS)

    @property
    def calls(self) -> list[TaskCall]:
        """Every task of the run, in the order of its call."""
        return list(self._added)

    @property
    def fault(self) -> VaportrailError | None:
        """What ended the run, where that was neither a task nor the pipeline's body."""
        return self._fault

    # The executor's own thread.
    def _take(self, message: Message) -> None:
        try:
            self._carry_out(message())
        except BaseException as fault:
            self._land(fault)
        if not self._graph.unfinished:
            while self._draining:
                self._draining.pop().set()

    def _land(self, fault: BaseException) -> None:
        """End the run with what nothing was to raise; the first one counts."""
        if self._fault is not None:
            return
        self._fault = InternalError.of(fault)
        self._guarded(self._on_fault)
        self._carry_out(self._graph.cancel_all())

    def _take_fault(self, fault: BaseException) -> list[Step]:
        self._land(fault)
        return []

    def _record(self, write: Callable[[], None]) -> None:
        """Write down what cannot be told again; where a fault makes room for it, after that."""
        known = self._fault
        self._guarded(write)
        if self._fault is not known:
            with suppress(Exception):  # it is the run's fault already
                write()

    def _guarded(self, act: Callable[[], None]) -> None:
        """Do something whose fault is not to keep back what comes after it."""
        try:
            act()
        except BaseException as fault:
            self._land(fault)

    def _carry_out(self, steps: list[Step]) -> None:
        for step in steps:
            if self._loop.is_left:
                return
            self._loop.moves()
            self._guarded(partial(self._carry_out_one, step))

    def _carry_out_one(self, step: Step) -> None:
        match step:
            case Start():
                self._start(step)
            case Stop():
                self._stop(step)
            case Finish():
                self._finish(step)

    def _add(self, call: TaskCall, arguments: dict[str, Any], edges: list[dict[str, str]]) -> list[Step]:
        options = call.task.task_options
        self._added.append(call)
        self._record(lambda: self._task_recorder.submitted(call, arguments, edges))
        self._progress.task_submitted(call.task_id, call.label)
        return self._graph.add(call.task_id, call.upstream, RetryPolicy(options.retries, options.backoff))

    def _tell_when_idle(self, idle: threading.Event) -> list[Step]:
        self._draining.append(idle)
        return []

    def _watch(self, call: TaskCall, handle: Handle, ended: queue.SimpleQueue[Handle]) -> list[Step]:
        if call.outcome.ended:
            ended.put(handle)
        else:
            call.watchers.append((ended, handle))
        return []

    def _unwatch(self, calls: list[TaskCall], ended: queue.SimpleQueue[Handle]) -> list[Step]:
        for call in calls:
            call.watchers = [watcher for watcher in call.watchers if watcher[0] is not ended]
        return []

    def _start(self, step: Start) -> None:
        if self._given_up:
            return
        call = self._calls[step.task_id]
        if step.delay:
            failure = call.failure
            self._progress.attempt_retried(step.task_id, step.attempt, step.delay, failure)
            due = Start(step.task_id, step.attempt)
            self._inbox.later(step.delay, partial(self._due, due))
            return
        options = call.task.task_options
        spec = call.spec(step.attempt)
        inputs = [self._running(task_id).value for task_id in call.inputs]

        def on_end(end: AttemptEnd) -> None:
            self._inbox.put(lambda: self._attempt_ended(call, step.attempt, end))

        call.attempts, call.running = step.attempt, None
        call.handed_over_unix_nano = self._recorder.clock()
        self._progress.attempt_started(call.task_id, step.attempt)
        try:
            call.running = self._backend.start(spec, options, call.payload, inputs, on_end)
        except BaseException as error:  # Ray refuses what was asked of it
            on_end(AttemptEnd.refused(error))
        else:
            look_for_hindrance(call, self._backend, self._inbox, partial(self._tell_hindrance, call))

    def _due(self, step: Start) -> list[Step]:
        return [step] if self._graph.started(step.task_id, step.attempt) else []

    def _tell_hindrance(self, call: TaskCall, text: str) -> None:
        self._record(lambda: self._task_recorder.waits(call, text))
        self._progress.stage(text)

    def _running(self, task_id: str) -> Any:
        running = self._calls[task_id].running
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
        if self._given_up:
            return
        call = self._calls[step.task_id]

        def abandon(end: AttemptEnd) -> list[Step]:
            self._take_end(call, step.attempt, end)
            return self._graph.abandon(call.task_id)

        Stopping(call, self._backend, self._inbox, abandon).begin()

    def _finish(self, step: Finish) -> None:
        call = self._calls[step.task_id]
        call.outcome = step.outcome
        end = self._recorder.clock()
        self._record(lambda: self._task_recorder.ended(call, end, step.cause))
        seconds = (end - (call.handed_over_unix_nano or end)) / 1e9
        failure = None if step.outcome in (Outcome.SUCCEEDED, Outcome.SKIPPED) else call.failure
        self._progress.task_ended(call.task_id, step.outcome, seconds, failure, step.cause)
        call.ended.set()
        for ended, handle in call.watchers:
            ended.put(handle)

    def _abandon(self, why: str) -> list[Step]:
        # From here on it is not held up, but writes.
        return abandon_all(self._graph, self._added, self._take_end, why) if self._loop.stays() else []

    def _own(self, handle: object) -> Handle:
        if not isinstance(handle, Handle) or handle.session is not self:
            raise HandleError(f"{handle!r} is not what a task of this run returned")
        return handle

    def _call(self, handle: Handle) -> TaskCall:
        return self._calls[self._own(handle).task_id]

    def _wait(self, handle: Handle, timeout: float | None) -> TaskCall:
        call = self._call(handle)
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._check()
            left = _LOOK_SECONDS if deadline is None else min(_LOOK_SECONDS, deadline - time.monotonic())
            if call.ended.wait(max(0.0, left)):
                self._check()
                return call
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"task {call.task_id!r} has not ended within {timeout:g} s")

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault
        if self._closed:
            raise HandleError("the run of this task is over; its record has what became of it")
