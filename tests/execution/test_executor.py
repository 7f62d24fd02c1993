"""The driver's loop, with attempts that run in threads of this process instead of on Ray."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

from thread_backend import PATIENCE, InThreads
from vaportrail import Hidden, as_completed, cancel, outcome, result, task
from vaportrail.authoring import session
from vaportrail.authoring.handle import Handle
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import HandleError, InternalError, OptionError, SpoolError, TaskFailed, UsageError
from vaportrail.execution import stopping as stopping_module
from vaportrail.execution.backend import AttemptEnd, Running
from vaportrail.execution.executor import Executor
from vaportrail.execution.observers import Unfailing
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.identity import attempt_span_id, run_span_id, task_span_id
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.spool import SpoolLine, read_spool
from vaportrail.telemetry.values import read_attributes

UID = "7d2ab5c0-0000-4000-8000-000000000001"

gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
tries: defaultdict[str, int] = defaultdict(int)


class Watching:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def stage(self, name: str) -> None:
        raise AssertionError("the executor has no milestones")

    def task_submitted(self, task_id: str, label: str) -> None:
        self.events.append(("submitted", task_id, label))

    def attempt_started(self, task_id: str, attempt: int) -> None:
        self.events.append(("started", task_id, attempt))

    def attempt_retried(self, task_id: str, attempt: int, delay: float, failure: Failure | None) -> None:
        self.events.append(("retried", task_id, attempt, delay, failure.type if failure else None))

    def task_ended(
        self, task_id: str, outcome: Outcome, seconds: float, failure: Failure | None, cause: str
    ) -> None:
        self.events.append(("ended", task_id, outcome.value, cause))

    def order(self, kind: str) -> list[str]:
        return [event[1] for event in self.events if event[0] == kind]


@dataclass
class Body:
    """A pipeline's body that is being run, and what is seen of it."""

    executor: Executor
    backend: InThreads
    progress: Watching
    recorder: Recorder

    def lines(self) -> list[SpoolLine]:
        path = self.recorder.writer.directory / f"{self.recorder.writer.header.writer}.spool"
        return list(read_spool(iter(path.read_bytes().splitlines(keepends=True)[1:])))

    def submitted(self, task_id: str) -> dict[str, Any]:
        return self._one("eventName", c.EVENT_TASK_SUBMITTED, task_id)

    def span(self, task_id: str) -> dict[str, Any]:
        return self._one("name", task_id.rpartition("-")[0], task_id)

    def _one(self, key: str, value: str, task_id: str) -> dict[str, Any]:
        [named] = [
            {**line.record, "named": named}
            for line in self.lines()
            if line.record.get(key) == value
            and (named := read_attributes(line.record["attributes"]))[c.TASK_RUN_ID] == task_id
        ]
        return named


@pytest.fixture
def body(tmp_path: Path) -> Iterator[Body]:
    gates.clear()
    tries.clear()
    identity = RunIdentity(UID, "p", "n", 0)
    recorder = Recorder(RunSettings(identity, str(tmp_path / "spool"), str(tmp_path), "runs/p/n"), "runner")
    backend, progress = InThreads(), Watching()
    executor = Executor(recorder, backend, Unfailing(progress))
    with session.entered(executor):
        yield Body(executor, backend, progress, recorder)
    for gate in gates.values():
        gate.set()
    executor.cancel_all()
    executor.drain()
    executor.close()
    recorder.writer.close()


@task
def add(a: int, b: int = 0) -> int:
    return a + b


@task
def at_gate(name: str, value: int = 0) -> int:
    assert gates[name].wait(PATIENCE)
    return value


@task
def fail(message: str = "no") -> int:
    raise ValueError(message)


@task(retries=2, backoff="1ms")
def third_time(name: str) -> int:
    tries[name] += 1
    if tries[name] < 3:
        raise ConnectionError(f"try {tries[name]}")
    return tries[name]


@task
def gather(*values: Any, **named: Any) -> Any:
    return values, named


@task
def with_token(token: Annotated[str, Hidden], n: int) -> int:
    return n


def test_a_value_comes_back(body: Body) -> None:
    assert result(add(1, b=2)) == 3


def test_a_value_goes_from_task_to_task(body: Body) -> None:
    assert result(add(add(add(1, 1), 1), 1)) == 4


def test_values_arrive_wherever_their_handles_were(body: Body) -> None:
    one, two = add(1), add(2)
    assert result(gather([one], {"k": (two,)}, x=one)) == (([1], {"k": (2,)}), {"x": 1})


def test_a_task_starts_after_what_it_needs_has_ended(body: Body) -> None:
    first = at_gate("g", 1)
    second = add(first)
    third = add(5)
    assert result(third) == 5
    assert "add-1" not in body.progress.order("started")
    gates["g"].set()
    assert result(second) == 1


def test_a_task_waits_for_what_it_is_said_to_come_after(body: Body) -> None:
    first = at_gate("g")
    second = add.options(after=[first])(1)
    assert result(add(2)) == 2
    assert body.progress.order("started") == ["at_gate-1", "add-2"]
    gates["g"].set()
    assert result(second) == 1


def test_tasks_are_counted_by_their_names(body: Body) -> None:
    handles: list[Any] = [add(1), add.options(name="plus")(1), add(1), fail()]
    assert [handle.task_id for handle in handles] == ["add-1", "plus-1", "add-2", "fail-1"]


def test_a_failed_tasks_value_raises_with_its_cause(body: Body) -> None:
    with pytest.raises(TaskFailed, match=r"task 'fail-1' ended FAILED: ValueError: broken") as caught:
        result(fail("broken"))
    error = caught.value
    assert (error.task, error.outcome) == ("fail-1", Outcome.FAILED)
    assert error.failure is not None
    assert "ValueError: broken" in error.failure.traceback
    assert isinstance(error.__cause__, ValueError)


def test_what_needs_a_failed_task_is_skipped(body: Body) -> None:
    last = add(add(fail()))
    assert outcome(last) is Outcome.SKIPPED
    with pytest.raises(TaskFailed, match="task 'add-2' ended SKIPPED"):
        result(last)
    assert body.progress.order("started") == ["fail-1"]


def test_a_task_called_after_the_failure_is_skipped_too(body: Body) -> None:
    failed = fail()
    assert outcome(failed) is Outcome.FAILED
    assert outcome(add(failed)) is Outcome.SKIPPED


def test_a_failure_stops_nothing_else(body: Body) -> None:
    failed, other = fail(), at_gate("g", 7)
    assert outcome(failed) is Outcome.FAILED
    gates["g"].set()
    assert result(other) == 7


def test_a_failure_that_is_allowed_is_a_failure_all_the_same(body: Body) -> None:
    failed = fail.options(allow_failure=True)()
    assert outcome(failed) is Outcome.FAILED
    assert outcome(add(failed)) is Outcome.SKIPPED
    assert body.submitted("fail-1")["named"][c.TASK_ALLOW_FAILURE] is True


def test_of_tasks_that_may_fail_the_body_can_go_on_with_those_that_did_not(body: Body) -> None:
    some = [add(1), fail.options(allow_failure=True)(), add(2)]
    good = [one for one in some if outcome(one).ok]

    assert result(add(*good)) == 3


def test_a_task_that_fails_twice_may_succeed_the_third_time(body: Body) -> None:
    assert result(third_time("t")) == 3
    assert [event for event in body.progress.events if event[0] == "retried"] == [
        ("retried", "third_time-1", 2, 0.001, "ConnectionError"),
        ("retried", "third_time-1", 3, 0.002, "ConnectionError"),
    ]
    assert [spec.attempt for spec in body.backend.specs] == [1, 2, 3]


def test_a_task_is_not_retried_more_often_than_it_may(body: Body) -> None:
    assert outcome(third_time.options(retries=1)("t")) is Outcome.FAILED
    assert tries["t"] == 2


@pytest.mark.parametrize(
    ("retry_on", "count"),
    [((ConnectionError,), 3), ((OSError,), 3), ((KeyError, ConnectionError), 3), ((KeyError,), 1)],
    ids=["itself", "its base", "one of many", "another"],
)
def test_only_exceptions_that_are_worth_it_are_retried(
    body: Body, retry_on: tuple[type[BaseException], ...], count: int
) -> None:
    outcome(third_time.options(retry_on=retry_on)("t"))
    assert tries["t"] == count


@pytest.mark.parametrize(
    "lost", [Outcome.WORKER_LOST, Outcome.TIMED_OUT, Outcome.OOM_KILLED, Outcome.NODE_LOST]
)
def test_a_lost_worker_is_retried_whatever_exceptions_are_worth_it(body: Body, lost: Outcome) -> None:
    body.backend.dies = AttemptEnd(lost, Failure("x.Lost", "gone"), self_reported=False)
    assert outcome(add.options(retries=2, backoff="1ms", retry_on=(KeyError,))(1)) is lost
    assert len(body.backend.specs) == 3


def test_what_an_attempt_could_not_say_is_written_down(body: Body) -> None:
    body.backend.dies = AttemptEnd(Outcome.WORKER_LOST, Failure("x.Lost", "gone"), self_reported=False)
    assert outcome(add(1)) is Outcome.WORKER_LOST
    [resolved] = [line for line in body.lines() if line.record.get("eventName") == c.EVENT_ATTEMPT_RESOLVED]
    assert resolved.record["spanId"] == attempt_span_id(UID, "add-1", 1)
    named = read_attributes(resolved.record["attributes"])
    assert (named[c.OUTCOME], named[c.EXCEPTION_MESSAGE], named[c.ATTEMPT]) == ("WORKER_LOST", "gone", 1)


def test_tasks_come_as_they_end(body: Body) -> None:
    handles = [at_gate(name, n) for n, name in enumerate("abc")]
    ended = as_completed(handles)
    found = []
    for name in "bca":
        gates[name].set()
        found.append(result(next(ended)))
    assert found == [1, 2, 0]
    assert list(ended) == []


def test_tasks_that_ended_before_and_failed_ones_come_too(body: Body) -> None:
    done, failed = add(1), fail()
    assert (outcome(done), outcome(failed)) == (Outcome.SUCCEEDED, Outcome.FAILED)
    assert sorted(outcome(each) for each in as_completed([done, failed, add(failed)])) == [
        Outcome.FAILED,
        Outcome.SKIPPED,
        Outcome.SUCCEEDED,
    ]


def test_a_running_task_is_cancelled(body: Body) -> None:
    running = at_gate("g")
    needs = add(running)
    cancel(running)
    assert (outcome(running), outcome(needs)) == (Outcome.CANCELLED, Outcome.SKIPPED)
    assert body.backend.stops == [("at_gate-1", False)]


def test_a_waiting_task_is_cancelled_and_the_one_before_goes_on(body: Body) -> None:
    first = at_gate("g", 1)
    waiting = add(first)
    cancel(waiting)
    assert outcome(waiting) is Outcome.CANCELLED
    gates["g"].set()
    assert result(first) == 1
    assert body.backend.stops == []


def test_a_task_that_does_not_hear_the_cancel_is_ended(body: Body, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping_module, "CANCEL_GRACE_SECONDS", 0.01)
    body.backend.deaf = True
    running = at_gate("g")
    cancel(running)
    assert outcome(running) is Outcome.CANCELLED
    assert body.backend.stops == [("at_gate-1", False), ("at_gate-1", True)]


def test_cancelling_all_ends_every_task_and_those_still_to_come(body: Body) -> None:
    running = at_gate("g")
    waiting = add(running)
    body.executor.cancel_all()
    late = add(1)
    assert [outcome(h) for h in (running, waiting, late)] == [Outcome.CANCELLED] * 3


def test_the_wait_for_a_value_has_an_end(body: Body) -> None:
    running = at_gate("g", 3)
    with pytest.raises(TimeoutError, match=r"task 'at_gate-1' has not ended within 0\.01 s"):
        result(running, timeout="10ms")
    gates["g"].set()
    assert result(running) == 3


def test_draining_waits_for_every_task(body: Body) -> None:
    for n in range(5):
        add(at_gate("g"), n)
    gates["g"].set()
    body.executor.drain()
    assert len(body.progress.order("ended")) == 10
    assert [call.outcome for call in body.executor.calls] == [Outcome.SUCCEEDED] * 10


def test_draining_nothing_returns(body: Body) -> None:
    body.executor.drain()
    assert body.executor.calls == []


# What is refused.


@pytest.fixture
def foreign() -> Any:
    other: Any = object()
    return Handle("other-1", other)


@pytest.mark.parametrize(
    "use",
    [
        lambda body, h: add(h),
        lambda body, h: gather([{"deep": h}]),
        lambda body, h: add.options(after=[h])(1),
        lambda body, h: body.executor.result(h, None),
        lambda body, h: body.executor.outcome(h),
        lambda body, h: body.executor.cancel(h),
        lambda body, h: list(body.executor.as_completed([h])),
    ],
    ids=["argument", "inside", "after", "result", "outcome", "cancel", "as_completed"],
)
def test_a_handle_of_another_run_is_refused(body: Body, foreign: Handle, use: Callable[..., Any]) -> None:
    with pytest.raises(HandleError, match="'other-1'> is not what a task of this run returned"):
        use(body, foreign)


def test_after_takes_only_what_tasks_returned(body: Body) -> None:
    with pytest.raises(HandleError, match="'add-1' is not what a task"):
        add.options(after=["add-1"])(1)


def test_one_handle_alone_is_no_list_to_come_after(body: Body) -> None:
    one: Any = add(1)
    with pytest.raises(OptionError, match="list of what tasks returned"):
        add.options(after=one)


def test_an_argument_that_cannot_be_sent_leaves_no_task_behind(body: Body) -> None:
    with pytest.raises(UsageError, match="an argument of task 'add' cannot be sent"):
        add(threading.Lock())  # type: ignore[arg-type]
    assert result(add(1)) == 1
    assert [call.task_id for call in body.executor.calls] == ["add-1"]


# What is written down.


def test_a_call_is_written_with_its_arguments_and_edges(body: Body) -> None:
    one, two = add(1), add(2)
    last = gather.options(after=[two, one])(one, 5, key=[one, "x"])
    assert result(last) == ((1, 5), {"key": [1, "x"]})
    record = body.submitted("gather-1")
    named = record["named"]
    assert json.loads(named[c.TASK_ARGUMENTS]) == {
        "values": [{"$task": "add-1"}, 5],
        "key": [{"$task": "add-1"}, "x"],
    }
    assert json.loads(named[c.TASK_EDGES]) == [
        {"task": "add-1", "kind": "value", "argument": "values"},
        {"task": "add-2", "kind": "order", "argument": ""},
    ]
    assert named[c.TASK_UPSTREAM] == ["add-1", "add-2"]
    assert (record["spanId"], named[c.SPAN_PARENT]) == (task_span_id(UID, "gather-1"), run_span_id(UID))


@dataclass
class Box:
    content: Any


class Plain:
    """An object of which a record says no more than its type."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and self.content == other.content


@pytest.mark.parametrize("task_id", ["add-1", ["a"], {"x": 1}, None], ids=str)
def test_a_users_mapping_that_reads_like_a_handle_is_no_edge(task_id: Any, body: Body) -> None:
    assert result(gather({"$task": task_id}, key=add(1))) == (({"$task": task_id},), {"key": 1})
    [edge] = json.loads(body.submitted("gather-1")["named"][c.TASK_EDGES])
    assert edge == {"task": "add-1", "kind": "value", "argument": "key"}


class Unreadable:
    @property
    def shape(self) -> Any:
        raise RuntimeError("not loaded yet")


def test_an_argument_that_cannot_be_described_ends_nothing(body: Body) -> None:
    [[given], _] = result(gather(Unreadable()))
    assert type(given) is Unreadable
    assert json.loads(body.submitted("gather-1")["named"][c.TASK_ARGUMENTS]) == {
        "values": [{"$type": f"{__name__}.Unreadable", "raised": "RuntimeError"}]
    }


def test_a_handle_in_a_dataclass_is_an_edge_by_its_argument(body: Body) -> None:
    result(gather(Box([add(1)])))
    [edge] = json.loads(body.submitted("gather-1")["named"][c.TASK_EDGES])
    assert edge == {"task": "add-1", "kind": "value", "argument": "values"}


def test_a_handle_deep_in_an_object_is_an_edge_without_an_argument(body: Body) -> None:
    assert result(gather(Plain(add(1)))) == ((Plain(1),), {})
    [edge] = json.loads(body.submitted("gather-1")["named"][c.TASK_EDGES])
    assert edge == {"task": "add-1", "kind": "value", "argument": ""}


def test_a_hidden_argument_reaches_the_task_and_not_the_record(body: Body) -> None:
    assert result(with_token("hunter2-the-secret", 3)) == 3
    assert json.loads(body.submitted("with_token-1")["named"][c.TASK_ARGUMENTS]) == {
        "token": "<hidden>",
        "n": 3,
    }
    assert all("hunter2" not in json.dumps(dict(line.record)) for line in body.lines())


def test_options_are_written_as_they_were_set(body: Body) -> None:
    result(add.options(cpus=2, timeout="1m")(1))
    options = json.loads(body.submitted("add-1")["named"][c.TASK_OPTIONS])
    assert options == {"cpus": 2.0, "timeout": 60.0}
    assert body.backend.specs[0].timeout == 60.0


def test_an_ended_task_is_written_with_links_to_what_it_needed(body: Body) -> None:
    result(add(add(1)))
    span = body.span("add-2")
    assert [link["spanId"] for link in span["links"]] == [task_span_id(UID, "add-1")]
    assert (span["spanId"], span["parentSpanId"]) == (task_span_id(UID, "add-2"), run_span_id(UID))
    assert span["status"] == {"code": 1}
    assert (
        span["named"].items()
        >= {c.OUTCOME: "SUCCEEDED", c.TASK_RUN_RESULT: "success", c.TASK_ATTEMPTS: 1}.items()
    )


def test_a_failed_task_is_written_with_its_exception(body: Body) -> None:
    outcome(fail("broken"))
    span = body.span("fail-1")
    assert span["status"] == {"code": 2, "message": "broken"}
    assert span["named"][c.ERROR_TYPE] == "ValueError"
    assert read_attributes(span["events"][0]["attributes"])[c.EXCEPTION_MESSAGE] == "broken"


def test_a_skipped_task_is_written_with_its_cause_and_no_attempt(body: Body) -> None:
    outcome(add(fail()))
    span = body.span("add-1")
    assert span["named"].items() >= {c.OUTCOME: "SKIPPED", c.TASK_CAUSE: "fail-1", c.TASK_ATTEMPTS: 0}.items()
    assert "events" not in span


def test_every_task_is_written_once_at_its_call_and_once_at_its_end(body: Body) -> None:
    for n in range(4):
        add(add(n)) if n % 2 else add(fail())
    body.executor.drain()
    submitted = [line for line in body.lines() if line.record.get("eventName") == c.EVENT_TASK_SUBMITTED]
    ended = [line for line in body.lines() if line.kind == "T"]
    ids = sorted(call.span_id for call in body.executor.calls)
    assert sorted(line.record["spanId"] for line in submitted) == ids
    assert sorted(line.record["spanId"] for line in ended) == ids


def test_progress_hears_the_call_as_a_person_would_write_it(body: Body) -> None:
    result(add(add(1), b=2))
    assert [event[2] for event in body.progress.events if event[0] == "submitted"] == ["add(a=1)", "add(b=2)"]


@pytest.mark.parametrize("kind", ["submitted", "started", "ended"])
def test_progress_hears_of_each_task_in_order(body: Body, kind: str) -> None:
    result(add(add(add(1))))
    assert body.progress.order(kind) == ["add-1", "add-2", "add-3"]


def test_a_backend_that_refuses_an_attempt_fails_it_without_a_retry(body: Body) -> None:
    def refuse(*args: object) -> Running:
        raise OptionError("it asks for 9 of GPU")

    body.backend.start = refuse  # type: ignore[method-assign, assignment]
    refused = add.options(retries=3)(1)
    with pytest.raises(TaskFailed, match=r"task 'add-1' ended FAILED: .*it asks for 9 of GPU"):
        result(refused)
    assert body.progress.order("started") == ["add-1"]


# What was not to happen.


class Broken(Recorder):
    """A recorder that cannot write any more from a certain record on."""

    raises: BaseException | None = None

    def log(self, *args: Any, **named: Any) -> None:
        if self.raises is not None:
            raise self.raises
        super().log(*args, **named)


@pytest.fixture
def breakable(tmp_path: Path) -> Iterator[tuple[Executor, Broken, InThreads]]:
    identity = RunIdentity(UID, "p", "n", 0)
    settings = RunSettings(identity, str(tmp_path / "other"), str(tmp_path), "runs/p/n")
    recorder, backend = Broken(settings, "runner"), InThreads()
    executor = Executor(recorder, backend, Unfailing(Watching()))
    yield executor, recorder, backend
    executor.close()
    recorder.writer.close()


def test_a_fault_ends_the_run_and_whoever_waits_is_told_its_cause(
    breakable: tuple[Executor, Broken, InThreads],
) -> None:
    executor, recorder, backend = breakable
    gates.clear()
    waiting = executor.submit(at_gate, ("never",), {})
    until(lambda: len(backend.specs) == 1)
    recorder.raises = MemoryError("no room for a record")
    executor.submit(add, (1,), {})
    with pytest.raises(InternalError, match="MemoryError: no room for a record") as caught:
        executor.result(waiting, None)
    executor.drain()

    assert isinstance(caught.value.__cause__, MemoryError)
    assert executor.fault is caught.value
    assert {call.outcome for call in executor.calls} == {Outcome.CANCELLED}
    assert ("at_gate-1", False) in backend.stops


def test_nobody_waits_for_the_next_task_of_a_run_that_a_fault_has_ended(
    breakable: tuple[Executor, Broken, InThreads],
) -> None:
    executor, _, _ = breakable
    gates.clear()
    handles = [executor.submit(at_gate, (name,), {}) for name in ("never", "ever")]
    comes = executor.as_completed(handles)
    executor.land(RuntimeError("broke"))
    with pytest.raises(InternalError, match="RuntimeError: broke"):
        list(comes)


def test_a_spool_that_cannot_be_written_ends_the_run_under_its_own_name(
    breakable: tuple[Executor, Broken, InThreads],
) -> None:
    executor, recorder, _ = breakable
    recorder.raises = SpoolError("/the/spool", "No space left on device")
    handle = executor.submit(add, (1,), {})
    with pytest.raises(SpoolError, match="the spool /the/spool cannot be written: No space left on device"):
        executor.result(handle, None)


METHODS = ["stage", "task_submitted", "attempt_started", "attempt_retried", "task_ended"]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), BrokenPipeError(), SystemExit(1)])
@pytest.mark.parametrize("method", METHODS)
def test_a_progress_that_raises_hears_no_more_and_decides_nothing(
    body: Body, method: str, error: BaseException
) -> None:
    def fails(*args: Any) -> None:
        raise error

    watching, said = Watching(), list[str]()
    setattr(watching, method, fails)
    progress = Unfailing(watching, said.append)
    executor = Executor(body.recorder, body.backend, progress)
    assert executor.result(executor.submit(third_time, (method,), {}), None) == 3
    progress.stage("sealing")
    executor.close()

    assert said == [f"progress is not shown any more: {type(error).__name__}: {error}"]


def test_an_attempt_ends_once_however_often_its_backend_says_so(body: Body) -> None:
    ends: list[Callable[[AttemptEnd], None]] = []

    def start(*args: Any) -> Running:
        ends.append(args[-1])
        return Running(args[0], None, Future())

    body.backend.start = start  # type: ignore[method-assign]
    handle = add.options(retries=1, backoff="1ms")(1)
    until(lambda: len(ends) == 1)
    ends[0](AttemptEnd(Outcome.FAILED))
    until(lambda: len(ends) == 2)
    ends[0](AttemptEnd(Outcome.FAILED))
    ends[1](AttemptEnd(Outcome.WORKER_LOST))

    assert outcome(handle) is Outcome.WORKER_LOST


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    tick, deadline = threading.Event(), time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        tick.wait(0.01)


def test_a_task_whose_attempt_can_neither_be_stopped_nor_ended_is_given_up_and_says_why(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping_module, "CANCEL_GRACE_SECONDS", 0.01)
    monkeypatch.setattr(stopping_module, "FORCED_GRACE_SECONDS", 0.01)

    def refuse(running: Running, *, force: bool) -> None:
        raise ConnectionError("the raylet is gone")

    body.backend.stop = refuse  # type: ignore[method-assign]
    stuck = at_gate("never")
    cancel(stuck)

    with pytest.raises(TaskFailed, match=r"ended CANCELLED: .*ConnectionError: the raylet is gone"):
        result(stuck)


def test_a_value_that_cannot_be_loaded_is_told_with_its_task_and_a_cure(body: Body) -> None:
    def fetch(running: Running) -> Any:
        raise ModuleNotFoundError("No module named 'plug'")

    body.backend.fetch = fetch  # type: ignore[method-assign]
    with pytest.raises(UsageError) as caught:
        result(add(1))
    assert str(caught.value).startswith(
        "the value of task 'add-1' cannot be loaded here: No module named 'plug'; hand it on to a task, or"
    )


def test_a_value_that_is_lost_is_a_failed_task(body: Body) -> None:
    def fetch(running: Running) -> Any:
        raise TaskFailed(running.spec.task_id, Outcome.VALUE_LOST, Failure("x.Lost", "its node is gone"))

    body.backend.fetch = fetch  # type: ignore[method-assign]
    with pytest.raises(TaskFailed, match=r"task 'add-1' ended VALUE_LOST: x\.Lost: its node is gone"):
        result(add(1))


def test_tasks_that_are_called_from_several_threads_have_names_of_their_own(body: Body) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    handles: list[Any] = []

    def many() -> None:
        handles.extend(body.executor.submit(add, (1,), {}) for _ in range(40))

    threads = [threading.Thread(target=many) for _ in range(4)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    body.executor.drain()

    assert sorted(handle.task_id for handle in handles) == sorted(f"add-{n}" for n in range(1, 161))
    assert len(body.executor.calls) == 160


def test_a_task_that_is_called_when_the_run_is_over_is_refused(
    breakable: tuple[Executor, Broken, InThreads],
) -> None:
    executor, _, _ = breakable
    handle = executor.submit(add, (1,), {})
    executor.close()
    with pytest.raises(HandleError, match="the run of this task is over"):
        executor.submit(add, (1,), {})
    with pytest.raises(HandleError, match="the run of this task is over"):
        executor.result(handle, None)


def test_a_task_that_has_not_ended_keeps_none_of_those_who_left(body: Body) -> None:
    slow = at_gate("slow")
    for number in range(20):
        next(as_completed([slow, add(number)]))
    passed = threading.Event()
    body.executor._inbox.put(lambda: passed.set() or [])
    assert passed.wait(PATIENCE)

    assert [len(call.watchers) for call in body.executor.calls if call.task_id == slow.task_id] == [0]
