"""How many attempts run at once, and whose turn is next: any graph, any order of ends."""

from __future__ import annotations

import gc
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaportrail.contract.outcome import Outcome
from vaportrail.execution.graph import Finish, Graph, Start, Step, Stop
from vaportrail.execution.node import DEEPEST, RetryPolicy
from vaportrail.execution.window import LEAST_WIDTH, width_for

ONCE = RetryPolicy()
SUCCEEDED, FAILED = Outcome.SUCCEEDED, Outcome.FAILED


def started(steps: list[Step]) -> list[str]:
    return [step.task_id for step in steps if isinstance(step, Start)]


def narrow(width: int) -> Graph:
    graph = Graph()
    graph.widen(width)
    return graph


@pytest.mark.parametrize(("cpus", "width"), [(0, 64), (2, 64), (8, 64), (8.5, 68), (1000, 8000)])
def test_as_many_run_at_once_as_keep_the_cpus_busy(cpus: float, width: int) -> None:
    assert width_for(cpus) == width


def test_of_a_fan_out_no_more_than_the_width_start_and_each_end_lets_one_more() -> None:
    graph = Graph()
    first = [name for i in range(200) for name in started(graph.add(f"t{i}", [], ONCE))]
    assert first == [f"t{i}" for i in range(LEAST_WIDTH)]
    assert graph.held_back
    assert started(graph.attempt_ended("t5", SUCCEEDED, retryable=True)) == [f"t{LEAST_WIDTH}"]


def test_what_has_the_longest_way_below_it_goes_first() -> None:
    graph = narrow(1)
    graph.add("busy", [], ONCE)
    for name, needs in {
        "leaf": "",
        "head": "",
        "mid": "head",
        "end": "mid",
        "pair": "",
        "after": "pair",
    }.items():
        graph.add(name, [needs] if needs else [], ONCE)
    order = ["busy"]
    for _ in range(6):
        order += started(graph.attempt_ended(order[-1], SUCCEEDED, retryable=True))
    assert order == ["busy", "head", "mid", "pair", "leaf", "end", "after"]


def test_tasks_that_ask_for_what_is_not_there_hold_up_no_others() -> None:
    graph = narrow(2)
    assert started([s for i in range(5) for s in graph.add(f"moon{i}", [], ONCE, "moon")]) == [
        "moon0",
        "moon1",
    ]
    assert started([s for i in range(5) for s in graph.add(f"cpu{i}", [], ONCE, "cpu")]) == ["cpu0", "cpu1"]
    assert started(graph.attempt_ended("cpu0", SUCCEEDED, retryable=True)) == ["cpu2"]


def test_an_attempt_that_waits_for_its_retry_takes_nobodys_turn_and_comes_back_in_its_own() -> None:
    graph = narrow(1)
    graph.add("a", [], RetryPolicy(limit=1))
    graph.add("b", [], ONCE)
    assert graph.attempt_ended("a", FAILED, retryable=True) == [Start("a", 2, 1.0), Start("b", 1)]
    assert graph.due("a", 2) == []
    assert graph.due("a", 2) == []
    assert graph.attempt_ended("b", SUCCEEDED, retryable=True) == [Finish("b", SUCCEEDED, 1), Start("a", 2)]


def test_a_task_that_is_cancelled_before_its_turn_never_starts() -> None:
    graph = narrow(1)
    for name in "abc":
        graph.add(name, [], ONCE)
    assert graph.cancel("b") == [Finish("b", Outcome.CANCELLED, 0)]
    assert started(graph.attempt_ended("a", SUCCEEDED, retryable=True)) == ["c"]


def test_cancelling_all_starts_nothing_more() -> None:
    graph = narrow(1)
    for name in "abc":
        graph.add(name, [], ONCE)
    steps = graph.cancel_all()
    assert [step for step in steps if isinstance(step, Stop | Start)] == [Stop("a", 1)]
    assert graph.attempt_ended("a", Outcome.CANCELLED, retryable=False) == [Finish("a", Outcome.CANCELLED, 1)]


def test_an_attempt_that_is_abandoned_gives_its_turn_to_the_next() -> None:
    graph = narrow(1)
    graph.add("a", [], ONCE)
    graph.add("b", [], ONCE)
    graph.cancel("a")
    assert graph.abandon("a") == [Finish("a", Outcome.CANCELLED, 1), Start("b", 1)]
    assert graph.attempt_ended("a", SUCCEEDED, retryable=True) == []


def test_a_wider_window_starts_more_and_a_narrower_one_stops_nothing() -> None:
    graph = narrow(1)
    for name in "abcd":
        graph.add(name, [], ONCE)
    assert started(graph.widen(3)) == ["b", "c"]
    assert graph.widen(1) == []
    assert started(graph.attempt_ended("a", SUCCEEDED, retryable=True)) == []


graphs = st.lists(
    st.tuples(st.sets(st.integers(0, 30), max_size=3), st.sampled_from(["cpu", "gpu"]), st.booleans()),
    min_size=1,
    max_size=40,
)
"""Of each task: how far back those are that it needs, what it asks for, and whether it is called late."""


def depth_below(task: int, needs: list[set[int]]) -> list[int]:
    """Return the longest way below each of the first tasks, by going over all of them."""
    depths = [0] * len(needs)
    for later in range(len(needs) - 1, -1, -1):
        for other in needs[later]:
            depths[other] = max(depths[other], depths[later] + 1)
    return depths


@settings(max_examples=150, deadline=None)
@given(graphs, st.integers(1, 4), st.data())
def test_whatever_the_graph_the_bound_holds_all_end_and_the_longest_way_goes_first(
    calls: list[tuple[set[int], str, bool]], width: int, data: st.DataObject
) -> None:
    graph = narrow(width)
    needs = [{i - 1 - back for back in backs if back < i} for i, (backs, _, _) in enumerate(calls)]
    running: dict[str, set[int]] = {"cpu": set(), "gpu": set()}
    ended: set[int] = set()
    added = 0

    def take(steps: list[Step]) -> None:
        for step in steps:
            task = int(step.task_id)
            kind = calls[task][1]
            if isinstance(step, Finish):
                running[kind].discard(task)
                ended.add(task)
        for task in map(int, started(steps)):
            assert needs[task] <= ended
            running[calls[task][1]].add(task)
        # Of those that could run none that runs has a longer way below it than one that started now.
        depths = depth_below(added, needs[:added])
        for kind, now in running.items():
            assert len(now) <= width
            waits = [
                t for t in range(added) if calls[t][1] == kind and t not in now | ended and needs[t] <= ended
            ]
            assert not waits or len(now) == width
            for task in map(int, started(steps)):
                if calls[task][1] == kind:
                    assert all(depths[task] >= depths[other] for other in waits)

    def end_one() -> None:
        task = data.draw(st.sampled_from(sorted(running["cpu"] | running["gpu"])))
        take(graph.attempt_ended(str(task), SUCCEEDED, retryable=True))

    for i, (_, kind, late) in enumerate(calls):
        if late and (running["cpu"] or running["gpu"]):
            end_one()
        added = i + 1
        take(graph.add(str(i), [str(other) for other in needs[i]], ONCE, kind))
    while len(ended) < len(calls):
        end_one()
    assert graph.unfinished == 0
    assert not graph.held_back


def seconds_for(count: int, *, chain: bool) -> float:
    """Return the CPU seconds a task that a graph takes: a chain that is called whole, or a fan-out.

    Without the collector, which walks all that other tests left here, the more often the more is made.
    """
    graph = Graph()
    gc.collect()
    gc.disable()
    begin = time.process_time()
    todo: list[str] = []
    for i in range(count):
        todo += started(graph.add(f"t{i}", [f"t{i - 1}"] if chain and i else [], ONCE))
    while todo:
        todo += started(graph.attempt_ended(todo.pop(), SUCCEEDED, retryable=True))
    seconds = time.process_time() - begin
    gc.enable()
    assert graph.unfinished == 0
    return seconds / count


@pytest.mark.parametrize("chain", [True, False], ids=["chain", "fan-out"])
def test_a_task_costs_the_same_in_a_large_run_as_in_a_small_one(chain: bool) -> None:
    small = min(seconds_for(2_000, chain=chain) for _ in range(5))
    large = min(seconds_for(40_000, chain=chain) for _ in range(3))
    assert large < 4 * small


def test_a_way_longer_than_can_be_told_is_as_long_as_the_longest() -> None:
    graph = narrow(1)
    graph.add("busy", [], ONCE)
    graph.add("first", [], ONCE)
    for i in range(2 * DEEPEST):
        graph.add(f"c{i}", [f"c{i - 1}" if i else "first"], ONCE)
    graph.add("other", [], ONCE)
    for i in range(4 * DEEPEST):
        graph.add(f"d{i}", [f"d{i - 1}" if i else "other"], ONCE)
    assert started(graph.attempt_ended("busy", SUCCEEDED, retryable=True)) == ["first"]
