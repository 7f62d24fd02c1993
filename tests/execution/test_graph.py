"""The pure core of the executor: what may run next, whatever happens."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vaportrail.contract.outcome import Outcome
from vaportrail.execution.graph import Finish, Graph, Start, Step, Stop
from vaportrail.execution.node import RetryPolicy

ONCE = RetryPolicy()
SUCCEEDED, FAILED, SKIPPED, CANCELLED = (
    Outcome.SUCCEEDED,
    Outcome.FAILED,
    Outcome.SKIPPED,
    Outcome.CANCELLED,
)


def graph_of(**upstream: str) -> Graph:
    """Return a graph; `c="ab"` is a task `c` that needs `a` and `b`."""
    graph = Graph()
    for task_id, needs in upstream.items():
        graph.add(task_id, needs, ONCE)
    return graph


def started(steps: list[Step]) -> list[str]:
    return [step.task_id for step in steps if isinstance(step, Start)]


def finished(steps: list[Step]) -> dict[str, Outcome]:
    return {step.task_id: step.outcome for step in steps if isinstance(step, Finish)}


def test_a_task_that_needs_nothing_starts_at_once() -> None:
    assert Graph().add("a", [], ONCE) == [Start("a", 1)]


def test_a_task_waits_for_what_it_needs() -> None:
    graph = graph_of(a="")
    assert graph.add("b", ["a"], ONCE) == []
    assert graph.attempt_ended("a", SUCCEEDED, retryable=True) == [Finish("a", SUCCEEDED, 1), Start("b", 1)]


def test_a_task_whose_need_is_over_starts_at_once() -> None:
    graph = graph_of(a="")
    graph.attempt_ended("a", SUCCEEDED, retryable=True)
    assert graph.add("b", ["a"], ONCE) == [Start("b", 1)]


def test_a_need_named_twice_is_one_need() -> None:
    graph = graph_of(a="", b="aa")
    assert started(graph.attempt_ended("a", SUCCEEDED, retryable=True)) == ["b"]


def test_a_chain_goes_on_link_by_link() -> None:
    graph = graph_of(a="", b="a", c="b")
    assert started(graph.attempt_ended("a", SUCCEEDED, retryable=True)) == ["b"]
    assert started(graph.attempt_ended("b", SUCCEEDED, retryable=True)) == ["c"]


def test_what_fans_out_starts_together() -> None:
    graph = graph_of(a="", b="a", c="a", d="a")
    assert started(graph.attempt_ended("a", SUCCEEDED, retryable=True)) == ["b", "c", "d"]


def test_what_fans_in_waits_for_the_last() -> None:
    graph = graph_of(a="", b="", c="ab")
    assert started(graph.attempt_ended("b", SUCCEEDED, retryable=True)) == []
    assert started(graph.attempt_ended("a", SUCCEEDED, retryable=True)) == ["c"]


def test_what_most_others_wait_for_starts_first() -> None:
    graph = graph_of(a="", b="a", c="a", d="c", e="c", f="b")
    assert started(graph.attempt_ended("a", SUCCEEDED, retryable=True)) == ["c", "b"]


def test_a_failure_skips_all_that_needs_it_and_names_the_cause() -> None:
    graph = graph_of(a="", b="a", c="b", d="")
    assert graph.attempt_ended("a", FAILED, retryable=True) == [
        Finish("a", FAILED, 1),
        Finish("b", SKIPPED, 0, "a"),
        Finish("c", SKIPPED, 0, "b"),
    ]
    assert graph.unfinished == 1


def test_what_two_failures_reach_is_skipped_once() -> None:
    graph = graph_of(a="", b="a", c="a", d="bc")
    steps = graph.attempt_ended("a", FAILED, retryable=True)
    assert sorted(step.task_id for step in steps) == ["a", "b", "c", "d"]


def test_one_failed_need_is_enough_though_others_run() -> None:
    graph = graph_of(a="", b="", c="ab")
    assert finished(graph.attempt_ended("a", FAILED, retryable=True)) == {"a": FAILED, "c": SKIPPED}
    assert graph.attempt_ended("b", SUCCEEDED, retryable=True) == [Finish("b", SUCCEEDED, 1)]


def test_a_task_added_after_a_failed_need_is_skipped_at_once() -> None:
    graph = graph_of(a="", z="")
    graph.attempt_ended("a", FAILED, retryable=True)
    assert graph.add("b", ["z", "a"], ONCE) == [Finish("b", SKIPPED, 0, "a")]
    assert graph.attempt_ended("z", SUCCEEDED, retryable=True) == [Finish("z", SUCCEEDED, 1)]


@pytest.mark.parametrize(
    "outcome", [o for o in Outcome if o.ended and not o.ok and o is not CANCELLED], ids=lambda o: o.value
)
def test_every_bad_end_is_retried_while_the_policy_allows(outcome: Outcome) -> None:
    graph = Graph()
    graph.add("a", [], RetryPolicy(limit=1))
    assert graph.attempt_ended("a", outcome, retryable=True) == [Start("a", 2, 1.0)]
    assert graph.due("a", 2) == [Start("a", 2)]
    assert graph.attempt_ended("a", outcome, retryable=True) == [Finish("a", outcome, 2)]


def test_a_failure_that_is_not_worth_it_is_not_retried() -> None:
    graph = Graph()
    graph.add("a", [], RetryPolicy(limit=5))
    assert graph.attempt_ended("a", FAILED, retryable=False) == [Finish("a", FAILED, 1)]


def test_a_cancelled_attempt_is_not_retried() -> None:
    graph = Graph()
    graph.add("a", [], RetryPolicy(limit=5))
    assert graph.attempt_ended("a", CANCELLED, retryable=True) == [Finish("a", CANCELLED, 1)]


def test_a_success_after_a_retry_lets_the_next_one_start() -> None:
    graph = Graph()
    graph.add("a", [], RetryPolicy(limit=1))
    graph.add("b", ["a"], ONCE)
    graph.attempt_ended("a", FAILED, retryable=True)
    graph.due("a", 2)
    assert graph.attempt_ended("a", SUCCEEDED, retryable=True) == [Finish("a", SUCCEEDED, 2), Start("b", 1)]


def test_the_wait_before_a_retry_doubles_up_to_five_minutes() -> None:
    policy = RetryPolicy(limit=99, backoff=50.0)
    assert [policy.delay(n) for n in (1, 2, 3, 4, 5, 50)] == [50, 100, 200, 300, 300, 300]


def test_the_graph_gives_the_growing_waits_of_its_policy() -> None:
    graph = Graph()
    graph.add("a", [], RetryPolicy(limit=3, backoff=0.5))
    delays = []
    for attempt in (2, 3, 4):
        [step] = graph.attempt_ended("a", FAILED, retryable=True)
        assert isinstance(step, Start)
        delays.append(step.delay)
        assert graph.due("a", attempt) == [Start("a", attempt)]
    assert delays == [0.5, 1.0, 2.0]


def test_a_waiting_task_is_cancelled_at_once_and_what_needs_it_skipped() -> None:
    graph = graph_of(a="", b="a", c="b")
    assert graph.cancel("b") == [Finish("b", CANCELLED, 0), Finish("c", SKIPPED, 0, "b")]


def test_a_cancelled_task_does_not_start_when_its_need_succeeds() -> None:
    graph = graph_of(a="", b="a")
    graph.cancel("b")
    assert graph.attempt_ended("a", SUCCEEDED, retryable=True) == [Finish("a", SUCCEEDED, 1)]


def test_a_running_task_is_stopped_and_ends_cancelled() -> None:
    graph = graph_of(a="", b="a")
    assert graph.cancel("a") == [Stop("a", 1)]
    assert graph.outcome("a") is Outcome.UNFINISHED
    assert finished(graph.attempt_ended("a", FAILED, retryable=True)) == {"a": CANCELLED, "b": SKIPPED}


def test_a_cancel_that_comes_too_late_leaves_the_success() -> None:
    graph = graph_of(a="", b="a")
    graph.cancel("a")
    assert finished(graph.attempt_ended("a", SUCCEEDED, retryable=True)) == {"a": SUCCEEDED}


def test_a_second_cancel_does_nothing() -> None:
    graph = graph_of(a="")
    graph.cancel("a")
    assert graph.cancel("a") == []


def test_cancelling_what_has_ended_does_nothing() -> None:
    graph = graph_of(a="")
    graph.attempt_ended("a", FAILED, retryable=True)
    assert graph.cancel("a") == []


def test_a_task_that_waits_for_its_retry_is_cancelled_at_once() -> None:
    graph = Graph()
    graph.add("a", [], RetryPolicy(limit=1))
    graph.attempt_ended("a", FAILED, retryable=True)
    assert graph.cancel("a") == [Finish("a", CANCELLED, 2)]
    assert not graph.due("a", 2)


def test_cancelling_all_stops_what_runs_and_ends_what_waits() -> None:
    graph = graph_of(a="", b="a", c="")
    steps = graph.cancel_all()
    assert {step for step in steps if isinstance(step, Stop)} == {Stop("a", 1), Stop("c", 1)}
    assert finished(steps) == {"b": CANCELLED}


def test_cancelling_all_cancels_what_waits_for_what_waits() -> None:
    graph = graph_of(a="", b="a", c="b")
    assert finished(graph.cancel_all()) == {"b": CANCELLED, "c": CANCELLED}


def test_a_failure_ahead_of_a_long_chain_skips_all_of_it() -> None:
    graph = Graph()
    for i in range(3000):
        graph.add(f"t{i}", [f"t{i - 1}"] if i else [], ONCE)
    ended = finished(graph.attempt_ended("t0", FAILED, retryable=False))
    assert len(ended) == 3000
    assert graph.unfinished == 0


def test_the_wait_before_a_retry_stays_bounded_after_very_many() -> None:
    assert RetryPolicy(limit=5000).delay(5000) == 300.0


def test_a_task_added_after_cancelling_all_is_cancelled() -> None:
    graph = graph_of(a="")
    graph.cancel_all()
    assert graph.add("b", ["a"], ONCE) == [Finish("b", CANCELLED, 0)]


def test_a_late_report_of_a_task_that_has_ended_changes_nothing() -> None:
    graph = graph_of(a="")
    graph.attempt_ended("a", SUCCEEDED, retryable=True)
    assert graph.attempt_ended("a", FAILED, retryable=True) == []
    assert graph.outcome("a") is SUCCEEDED
    assert graph.unfinished == 0


@pytest.mark.parametrize("attempt", [1, 3])
def test_a_delayed_start_of_another_attempt_is_not_due(attempt: int) -> None:
    graph = Graph()
    graph.add("a", [], RetryPolicy(limit=1))
    graph.attempt_ended("a", FAILED, retryable=True)
    assert not graph.due("a", attempt)


@dataclass
class Seen:
    """What a test saw of one task."""

    upstream: frozenset[str]
    limit: int
    starts: list[int] = field(default_factory=list)
    ends: list[Finish] = field(default_factory=list)


class AnyOrder(RuleBasedStateMachine):
    """Calls, ends, retries and cancels in any order; the laws hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph()
        self.seen: dict[str, Seen] = {}
        self.running: dict[str, int] = {}
        self.width = 64
        self.due: dict[str, int] = {}
        self.delayed: list[Start] = []
        self.stopped: set[str] = set()
        self.all_cancelled = False

    def delay_ends(self, step: Start) -> None:
        if not self.seen[step.task_id].ends:
            self.due[step.task_id] = step.attempt
        self.take(self.graph.due(step.task_id, step.attempt))

    def take(self, steps: list[Step]) -> None:
        for step in steps:
            seen = self.seen[step.task_id]
            match step:
                case Start():
                    assert not seen.ends
                    assert step.task_id not in self.running
                    assert all(self.graph.outcome(task_id).ok for task_id in seen.upstream)
                    if not step.delay:
                        self.running[step.task_id] = step.attempt
                    if self.due.pop(step.task_id, 0) == step.attempt:
                        continue
                    seen.starts.append(step.attempt)
                    if step.delay:
                        self.delayed.append(step)
                case Stop():
                    assert self.running[step.task_id] == step.attempt
                    self.stopped.add(step.task_id)
                case Finish():
                    self.due.pop(step.task_id, None)
                    seen.ends.append(step)
                    self.running.pop(step.task_id, None)

    @rule(data=st.data(), limit=st.integers(0, 2))
    def call(self, data: st.DataObject, limit: int) -> None:
        known = sorted(self.seen)
        upstream = data.draw(st.sets(st.sampled_from(known), max_size=4)) if known else set()
        task_id = f"t{len(self.seen)}"
        self.seen[task_id] = Seen(frozenset(upstream), limit)
        self.take(self.graph.add(task_id, upstream, RetryPolicy(limit, 0.1)))

    @precondition(lambda self: self.running)
    @rule(
        data=st.data(),
        outcome=st.sampled_from([SUCCEEDED, SUCCEEDED, FAILED, Outcome.TIMED_OUT, CANCELLED]),
        retryable=st.booleans(),
    )
    def end(self, data: st.DataObject, outcome: Outcome, retryable: bool) -> None:
        task_id = data.draw(st.sampled_from(sorted(self.running)))
        del self.running[task_id]
        self.take(self.graph.attempt_ended(task_id, outcome, retryable=retryable))

    @precondition(lambda self: self.delayed)
    @rule(data=st.data())
    def delay_is_over(self, data: st.DataObject) -> None:
        step = self.delayed.pop(data.draw(st.integers(0, len(self.delayed) - 1)))
        self.delay_ends(step)

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.take(self.graph.cancel(data.draw(st.sampled_from(sorted(self.seen)))))

    @rule(really=st.integers(0, 9))
    def cancel_all(self, really: int) -> None:
        if really == 0:
            self.all_cancelled = True
            self.take(self.graph.cancel_all())

    @invariant()
    def a_task_ends_at_most_once_and_the_rest_is_counted(self) -> None:
        assert all(len(seen.ends) <= 1 for seen in self.seen.values())
        assert self.graph.unfinished == sum(1 for seen in self.seen.values() if not seen.ends)

    @invariant()
    def the_graph_says_of_each_task_what_it_said_at_its_end(self) -> None:
        for task_id, seen in self.seen.items():
            expected = seen.ends[0].outcome if seen.ends else Outcome.UNFINISHED
            assert self.graph.outcome(task_id) is expected

    @invariant()
    def attempts_are_counted_from_one_within_their_limit(self) -> None:
        for seen in self.seen.values():
            assert seen.starts == list(range(1, len(seen.starts) + 1))
            assert len(seen.starts) <= seen.limit + 1
            assert all(end.attempts == len(seen.starts) for end in seen.ends)

    @invariant()
    def only_a_task_with_a_bad_need_is_skipped_and_it_names_that(self) -> None:
        for seen in self.seen.values():
            for end in seen.ends:
                if end.outcome is SKIPPED:
                    assert end.cause in seen.upstream
                    assert not self.graph.outcome(end.cause).ok
                    assert not seen.starts
                else:
                    assert end.cause == ""

    @rule(width=st.integers(1, 4))
    def width_changes(self, width: int) -> None:
        self.width = width
        self.take(self.graph.widen(width))

    @invariant()
    def what_has_not_ended_runs_or_waits_for_something(self) -> None:
        held_back = False
        for task_id, seen in self.seen.items():
            if not seen.ends and task_id not in self.running:
                waits = any(not self.graph.outcome(other).ended for other in seen.upstream)
                if not waits and not any(step.task_id == task_id for step in self.delayed):
                    assert len(self.running) >= self.width
                    held_back = True
        assert self.graph.held_back == held_back

    @invariant()
    def after_cancelling_all_nothing_is_only_waiting(self) -> None:
        if self.all_cancelled:
            assert set(self.running) == {task_id for task_id, seen in self.seen.items() if not seen.ends}
            assert set(self.running) <= self.stopped

    def teardown(self) -> None:
        """Let everything come to its end: nothing is left over."""
        while self.delayed or self.running:
            for step in [self.delayed.pop() for _ in list(self.delayed)]:
                self.delay_ends(step)
            for task_id in list(self.running):
                if self.running.pop(task_id, None) is not None:
                    self.take(self.graph.attempt_ended(task_id, SUCCEEDED, retryable=True))
        assert self.graph.unfinished == 0
        assert all(len(seen.ends) == 1 for seen in self.seen.values())


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestWhateverHappensEachTaskEndsOnceAndStartsOnlyAfterItsNeeds = AnyOrder.TestCase


@given(st.lists(st.sets(st.integers(0, 30)), min_size=1, max_size=20), st.sets(st.integers(0, 20)))
def test_what_a_failure_reaches_is_skipped_and_nothing_else(edges: list[set[int]], bad: set[int]) -> None:
    graph = Graph()
    ready: list[str] = []
    for number, drawn in enumerate(edges):
        ready += started(graph.add(str(number), {str(n) for n in drawn if n < number}, ONCE))
    while ready:
        task_id = ready.pop()
        outcome = FAILED if int(task_id) in bad else SUCCEEDED
        ready += started(graph.attempt_ended(task_id, outcome, retryable=True))
    expected: list[Outcome] = []
    for number, drawn in enumerate(edges):
        reached = any(not expected[n].ok for n in drawn if n < number)
        expected.append(SKIPPED if reached else FAILED if number in bad else SUCCEEDED)
    assert [graph.outcome(str(number)) for number in range(len(edges))] == expected
    assert graph.unfinished == 0
