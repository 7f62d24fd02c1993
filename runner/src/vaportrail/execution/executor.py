"""The driver's loop: takes task calls, runs what may run, writes down how everything ended.

The pipeline's body runs in the caller's thread and only puts messages into a queue; one thread of
the executor owns the graph and reads the queue, so that no decision needs a lock.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from vaportrail.authoring.handle import Handle
from vaportrail.authoring.task import Task
from vaportrail.contract import Outcome
from vaportrail.errors import HandleError, TaskFailed
from vaportrail.execution.attempt import AttemptSpec, describe_failure
from vaportrail.execution.backend import AttemptEnd, Backend
from vaportrail.execution.call import TaskCall, check_fits, describe_call, find_edges
from vaportrail.execution.graph import Finish, Graph, RetryPolicy, Start, Step, Stop
from vaportrail.execution.narrator import Narrator
from vaportrail.execution.payload import dump_call, dump_function
from vaportrail.execution.progress import Progress
from vaportrail.record.label import call_label
from vaportrail.telemetry.identity import task_span_id
from vaportrail.telemetry.recorder import Recorder

__all__ = ["Executor"]

CANCEL_GRACE_SECONDS: Final = 5.0
"""How long an interrupted attempt may take before its process is ended."""

Message = Callable[[], list[Step]]


class Executor:
    """Runs the tasks of one run on a backend; a pipeline's body talks to it as its session.

    Args:
        recorder: the driver's hand on the record.
        backend: where attempts run.
        progress: who hears of it.
    """

    def __init__(self, recorder: Recorder, backend: Backend, progress: Progress) -> None:
        self._recorder = recorder
        self._narrator = Narrator(recorder)
        self._backend = backend
        self._progress = progress
        self._graph = Graph()
        self._calls: dict[str, TaskCall] = {}
        self._names: Counter[str] = Counter()
        self._functions: dict[int, bytes] = {}
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Message]] = []
        self._order = itertools.count()
        self._draining: list[threading.Event] = []
        self._broken: BaseException | None = None
        self._thread = threading.Thread(target=self._loop, name="vaportrail-executor", daemon=True)
        self._thread.start()

    # What the pipeline's body asks, in the body's own thread.

    def submit(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        self._check()
        after = [self._own(handle).task_id for handle in task.task_options.after]
        check_fits(task, args, kwargs)
        payload, handles = dump_call(task.name, args, kwargs)
        inputs = [self._own(handle).task_id for handle in handles]
        function = self._functions.get(id(task.fn))
        if function is None:
            function = self._functions[id(task.fn)] = dump_function(task)
        self._names[task.name] += 1
        task_id = f"{task.name}-{self._names[task.name]}"
        arguments = describe_call(task, args, kwargs)
        settings = self._recorder.settings
        call = TaskCall(
            task_id=task_id,
            task=task,
            function=function,
            payload=payload,
            inputs=inputs,
            upstream=sorted({*inputs, *after}),
            label=call_label(task.name, arguments),
            span_id=task_span_id(settings.identity.uid, task_id, settings.driver),
            submitted_unix_nano=self._recorder.clock(),
        )
        self._narrator.submitted(call, arguments, find_edges(arguments, inputs, after))
        self._calls[task_id] = call
        self._inbox.put(lambda: self._add(call))
        return Handle(task_id, self)

    def result(self, handle: Handle, timeout: float | None) -> Any:
        call = self._wait(handle, timeout)
        if not call.outcome.ok or call.running is None:
            cause = call.last_end.error if call.last_end is not None else None
            raise TaskFailed(call.task_id, call.outcome, call.failure) from cause
        return self._backend.fetch(call.running)

    def outcome(self, handle: Handle) -> Outcome:
        return self._wait(handle, None).outcome

    def as_completed(self, handles: list[Handle]) -> Iterator[Handle]:
        self._check()
        ended: queue.SimpleQueue[Handle] = queue.SimpleQueue()
        for handle in handles:
            call = self._call(handle)
            self._inbox.put(partial(self._watch, call, handle, ended))
        for _ in handles:
            yield ended.get()
            self._check()

    def cancel(self, handle: Handle) -> None:
        task_id = self._call(handle).task_id
        self._inbox.put(lambda: self._graph.cancel(task_id))

    # What the run asks.

    def cancel_all(self) -> None:
        """Cancel every task, also those that are still to be submitted."""
        self._inbox.put(self._graph.cancel_all)

    def drain(self) -> None:
        """Wait until every task has ended."""
        idle = threading.Event()
        # Through the inbox: what was submitted before is taken before.
        self._inbox.put(partial(self._tell_when_idle, idle))
        while not idle.wait(0.5):
            self._check()
        self._check()

    def close(self) -> None:
        """Stop the executor's thread."""
        self._inbox.put(None)
        self._thread.join()

    @property
    def calls(self) -> list[TaskCall]:
        """Every task of the run, in the order of its call."""
        return list(self._calls.values())

    # The executor's own thread.

    def _loop(self) -> None:
        try:
            while True:
                message = self._next()
                if message is None:
                    return
                self._carry_out(message())
                if not self._graph.unfinished:
                    while self._draining:
                        self._draining.pop().set()
        except BaseException as error:  # a fault of ours: say it instead of hanging
            self._broken = error
            for call in list(self._calls.values()):
                call.ended.set()
                for tell in call.watchers:
                    tell()

    def _next(self) -> Message | None:
        while True:
            wait = None if not self._timers else max(0.0, self._timers[0][0] - time.monotonic())
            try:
                return self._inbox.get(timeout=wait)
            except queue.Empty:
                return heapq.heappop(self._timers)[2]

    def _later(self, seconds: float, message: Message) -> None:
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), message))

    def _carry_out(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Start():
                    self._start(step)
                case Stop():
                    self._stop(step)
                case Finish():
                    self._finish(step)

    def _add(self, call: TaskCall) -> list[Step]:
        options = call.task.task_options
        self._progress.task_submitted(call.task_id, call.label)
        return self._graph.add(call.task_id, call.upstream, RetryPolicy(options.retries, options.backoff))

    def _tell_when_idle(self, idle: threading.Event) -> list[Step]:
        self._draining.append(idle)
        return []

    def _watch(self, call: TaskCall, handle: Handle, ended: queue.SimpleQueue[Handle]) -> list[Step]:
        if call.outcome.ended:
            ended.put(handle)
        else:
            call.watchers.append(lambda: ended.put(handle))
        return []

    def _start(self, step: Start) -> None:
        call = self._calls[step.task_id]
        if step.delay:
            failure = call.failure
            self._progress.attempt_retried(step.task_id, step.attempt, step.delay, failure)
            due = Start(step.task_id, step.attempt)
            self._later(step.delay, lambda: [due] if self._graph.started(due.task_id, due.attempt) else [])
            return
        options = call.task.task_options
        spec = AttemptSpec(
            call.task_id,
            call.task.name,
            step.attempt,
            call.function,
            options.timeout,
            dict(options.env),
            options.retry_on,
        )
        inputs = [self._running(task_id).value for task_id in call.inputs]

        def on_end(end: AttemptEnd) -> None:
            self._inbox.put(lambda: self._attempt_ended(call, step.attempt, end))

        call.attempts = step.attempt
        call.handed_over_unix_nano = self._recorder.clock()
        self._progress.attempt_started(call.task_id, step.attempt)
        try:
            call.running = self._backend.start(spec, options, call.payload, inputs, on_end)
        except Exception as error:  # Ray refuses what was asked of it
            on_end(AttemptEnd(Outcome.FAILED, describe_failure(error), error, spoken=False, retryable=False))

    def _running(self, task_id: str) -> Any:
        running = self._calls[task_id].running
        assert running is not None, f"{task_id} has no value"
        return running

    def _attempt_ended(self, call: TaskCall, attempt: int, end: AttemptEnd) -> list[Step]:
        call.last_end = end
        if not end.spoken:
            self._narrator.resolved(call, attempt, end)
        wanted = call.task.task_options.retry_on
        known = end.retryable and (end.error is None or isinstance(end.error, wanted))
        return self._graph.attempt_ended(call.task_id, end.outcome, retryable=known)

    def _stop(self, step: Stop) -> None:
        running = self._calls[step.task_id].running
        if running is None:
            return
        self._backend.stop(running, force=False)

        def force() -> list[Step]:
            if not self._graph.outcome(step.task_id).ended:
                self._backend.stop(running, force=True)
            return []

        self._later(CANCEL_GRACE_SECONDS, force)

    def _finish(self, step: Finish) -> None:
        call = self._calls[step.task_id]
        call.outcome = step.outcome
        end = self._recorder.clock()
        self._narrator.ended(call, end, step.cause)
        seconds = (end - (call.handed_over_unix_nano or end)) / 1e9
        failure = None if step.outcome in (Outcome.SUCCEEDED, Outcome.SKIPPED) else call.failure
        self._progress.task_ended(call.task_id, step.outcome, seconds, failure, step.cause)
        call.ended.set()
        for tell in call.watchers:
            tell()

    # Small checks.

    def _own(self, handle: object) -> Handle:
        if not isinstance(handle, Handle) or handle.session is not self:
            raise HandleError(f"{handle!r} is not what a task of this run returned")
        return handle

    def _call(self, handle: Handle) -> TaskCall:
        return self._calls[self._own(handle).task_id]

    def _wait(self, handle: Handle, timeout: float | None) -> TaskCall:
        call = self._call(handle)
        self._check()
        if not call.ended.wait(timeout):
            raise TimeoutError(f"task {call.task_id!r} has not ended within {timeout:g} s")
        self._check()
        return call

    def _check(self) -> None:
        if self._broken is not None:
            raise RuntimeError("the executor broke; this is a fault of Vaportrail") from self._broken
