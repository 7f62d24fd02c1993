"""A backend whose attempts run in threads of this process: quick, and open to faults of all kinds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from vaportrail.authoring.options import TaskOptions
from vaportrail.contract.outcome import Outcome
from vaportrail.execution.attempt import AttemptSpec
from vaportrail.execution.backend import AttemptEnd, Running
from vaportrail.execution.described_failure import describe_failure
from vaportrail.execution.payload import load_call, load_function

PATIENCE = 30


class InThreads:
    """A backend that runs each attempt in a thread; it is told of a stop and ends the attempt."""

    def __init__(self) -> None:
        self.specs: list[AttemptSpec] = []
        self.stops: list[tuple[str, bool]] = []
        self.deaf = False
        self.hinders = ""
        self.dies: AttemptEnd | None = None
        self._ends: dict[tuple[str, int], Callable[[AttemptEnd], None]] = {}

    def start(
        self,
        spec: AttemptSpec,
        options: TaskOptions,
        payload: bytes,
        inputs: list[Any],
        on_end: Callable[[AttemptEnd], None],
    ) -> Running:
        self.specs.append(spec)
        value: Future[Any] = Future()
        ended = threading.Lock()

        def end_once(end: AttemptEnd) -> None:
            if ended.acquire(blocking=False):
                on_end(end)

        def body() -> None:
            if self.dies is not None:
                end_once(self.dies)
                return
            try:
                args, kwargs = load_call(payload, [each.result(PATIENCE) for each in inputs])
                value.set_result(load_function(spec.function)(*args, **kwargs))
            except BaseException as error:
                worth = isinstance(error, spec.retry_on)
                end_once(AttemptEnd(Outcome.FAILED, describe_failure(error), error, retryable=worth))
            else:
                end_once(AttemptEnd(Outcome.SUCCEEDED))

        self._ends[spec.task_id, spec.attempt] = end_once
        threading.Thread(target=body, daemon=True).start()
        return Running(spec, None, value)

    def cpus(self) -> float:
        return 1.0

    def hand_over(self) -> None:
        """Nothing waits for others."""

    def hindrance(self, options: TaskOptions) -> str:
        return self.hinders

    def stop(self, running: Running, *, force: bool) -> None:
        self.stops.append((running.spec.task_id, force))
        if force or not self.deaf:
            self._ends[running.spec.task_id, running.spec.attempt](AttemptEnd(Outcome.CANCELLED))

    def fetch(self, running: Running) -> Any:
        return running.value.result(PATIENCE)

    def close(self) -> None:
        """There is nothing to close."""
