"""What a pipeline's body and its run ask of the run's tasks, from any thread.

Each asks by a message to the `Scheduler`, whose thread alone decides; here is no more than the call
itself, made ready to travel, and the wait for an end.
"""

from __future__ import annotations

import queue
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from vaportrail.authoring.handle import Handle
from vaportrail.authoring.task import Task
from vaportrail.contract.outcome import Outcome
from vaportrail.errors import HandleError, TaskFailed, UsageError, VaportrailError
from vaportrail.execution.backend import Backend
from vaportrail.execution.call import TaskCall, check_fits, describe_call, find_edges
from vaportrail.execution.observers import Unfailing
from vaportrail.execution.payload import Functions, dump_call
from vaportrail.execution.scheduler import Scheduler
from vaportrail.execution.travelling_exception import unpickled
from vaportrail.record.label import call_label
from vaportrail.telemetry.identity import task_span_id
from vaportrail.telemetry.recorder import Recorder

__all__ = ["Executor"]

HELD_UP_SECONDS: Final = 15.0
"""How long a backend may hold up the scheduler's thread once the run is cancelled."""
_LOOK_SECONDS: Final = 0.5


class Executor:
    """Runs the tasks of one run on a backend; a pipeline's body talks to it as its session.

    Args:
        recorder: the runner's hand on the record.
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
        self._recorder, self._backend = recorder, backend
        self._names: Counter[str] = Counter()
        self._naming = threading.Lock()
        self._closed = self._cancelled = False
        self._functions = Functions()
        self._scheduler = Scheduler(recorder, backend, progress, on_fault)
        self._inbox, self._loop = self._scheduler.inbox, self._scheduler.loop

    # What the pipeline's body asks, in the body's own thread.

    def submit(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        self._check()
        options = task.task_options
        after = [self._own(handle).task_id for handle in options.after]
        bound = check_fits(task, args, kwargs)
        payload, handles = dump_call(task.name, args, kwargs)
        inputs = [self._own(handle).task_id for handle in handles]
        function = self._functions.dump(task)
        arguments, carriers = describe_call(task, args, kwargs, self._recorder, bound=bound)
        edges = find_edges(carriers, inputs, after)
        settings = self._recorder.settings
        name, known = task.name, self._scheduler.known
        # A body may call tasks from several threads.
        with self._naming:
            self._check()
            self._names[name] += 1
            task_id = f"{name}-{self._names[name]}"
            handle = Handle(task_id, self)
            call = TaskCall(
                task_id=task_id,
                name=name,
                kind=task.kind,
                # Handles would be held by it.
                options=replace(options, after=()) if after else options,
                function=function,
                payload=payload,
                inputs=inputs,
                upstream=sorted({*inputs, *after}),
                label=call_label(name, arguments),
                span_id=task_span_id(settings.identity.uid, task_id, settings.incarnation),
                submitted_unix_nano=self._recorder.clock(),
                handle=weakref.ref(handle, partial(self._dropped, task_id)),
            )
            known[task_id] = call
            for taken in set(inputs):
                known[taken].takers += 1
            # Nothing of a call counts before this: a signal may end the body at any of these lines.
            self._inbox.put(partial(self._scheduler.add, call, arguments, edges))
        return handle

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
            self._inbox.put(partial(self._scheduler.watch, call, handle, ended))
        left = len(handles)
        del handles  # the values of those that have ended are held for nobody else
        try:
            while left:
                self._check()
                try:
                    handle = ended.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    continue
                left -= 1
                yield handle
                del handle
        finally:
            self._inbox.put(partial(self._scheduler.unwatch, calls, ended))

    def cancel(self, handle: Handle) -> None:
        self._inbox.put(partial(self._scheduler.cancel, self._call(handle).task_id))

    # What the run asks.

    def cancel_all(self) -> None:
        """Cancel every task, also those to come."""
        self._cancelled = True
        self._inbox.put(self._scheduler.cancel_all)

    def guard(self, write: Callable[[], None]) -> None:
        """Do what the run cannot do without, such as writing its record; a fault of it ends the run."""
        try:
            write()
        except Exception as fault:
            self.land(fault)

    def land(self, fault: BaseException) -> None:
        """End the run with a fault, from any thread: its tasks are cancelled."""
        self._inbox.put(partial(self._scheduler.land, fault))

    def drain(self) -> None:
        """Wait until every task has ended."""
        idle = threading.Event()
        # Through the inbox: what was submitted before is taken before.
        self._inbox.put(partial(self._scheduler.tell_when_idle, idle.set))
        while not idle.wait(_LOOK_SECONDS) and self._loop.runs:
            if self._scheduler.given_up:
                self._loop.pass_by(_LOOK_SECONDS)
            if self._cancelled and self._loop.held_up(HELD_UP_SECONDS):
                if self._scheduler.given_up:
                    return
                self.give_up()

    def lose(self, fault: VaportrailError) -> None:
        """End the run, from any thread, since what runs its attempts is gone: nobody is asked to stop.

        It is the run's fault, unless the run is cancelled already: the same signal may have ended both.
        """
        if not self._cancelled:
            # At once: the scheduler's thread may be held up.
            self._scheduler.fault = self._scheduler.fault or fault
            self._cancelled = True
        self.give_up(f"as {fault}")

    def give_up(self, why: str = "and nobody waited for its end") -> None:
        """End what is still open as cancelled, whatever holds up the scheduler's thread."""
        self._scheduler.given_up = True
        self._inbox.put(partial(self._scheduler.abandon, why))
        self._loop.pass_by(_LOOK_SECONDS)

    def close(self) -> None:
        """Stop the scheduler's thread; what was submitted since the last `drain` is cancelled."""
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
        return list(self._scheduler.added)

    @property
    def fault(self) -> VaportrailError | None:
        """What ended the run, where that was neither a task nor the pipeline's body."""
        return self._scheduler.fault

    def _dropped(self, task_id: str, _reference: object) -> None:
        """Take, in whichever thread, that nobody has a task's handle any more."""
        call = self._scheduler.known[task_id]
        # One that has not ended yet looks for itself as it ends.
        if call.outcome.ended and not self._closed:
            self._inbox.put(partial(self._scheduler.forget, call))

    def _own(self, handle: object) -> Handle:
        if not isinstance(handle, Handle) or handle.session is not self:
            raise HandleError(f"{handle!r} is not what a task of this run returned")
        return handle

    def _call(self, handle: Handle) -> TaskCall:
        return self._scheduler.known[self._own(handle).task_id]

    def _wait(self, handle: Handle, timeout: float | None) -> TaskCall:
        self._check()
        call = self._call(handle)
        if call.over:
            return call
        deadline = None if timeout is None else time.monotonic() + timeout
        ended: queue.SimpleQueue[Handle] = queue.SimpleQueue()
        self._inbox.put(partial(self._scheduler.watch, call, handle, ended))
        try:
            while True:
                left = _LOOK_SECONDS if deadline is None else min(_LOOK_SECONDS, deadline - time.monotonic())
                try:
                    ended.get(timeout=max(0.0, left))
                    self._check()
                    return call
                except queue.Empty:
                    self._check()
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"task {call.task_id!r} has not ended within {timeout:g} s")
        finally:
            if not call.over:
                self._inbox.put(partial(self._scheduler.unwatch, [call], ended))

    def _check(self) -> None:
        if self.fault is not None:
            raise self.fault
        if self._closed:
            raise HandleError("the run of this task is over; its record has what became of it")
