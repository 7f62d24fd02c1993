"""What a body asks of its tasks: containers are walked, what is not looked into is refused."""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.authoring.handle import Handle
from vaportrail.authoring.results import as_completed, cancel, outcome, result
from vaportrail.contract.outcome import Outcome
from vaportrail.errors import HandleError, OptionError


class Ended:
    """A session in which every task has ended; the value of a task is its id in capitals."""

    def __init__(self, **outcomes: Outcome) -> None:
        self.timeouts: list[float | None] = []
        self.cancelled: list[str] = []
        self.outcomes = outcomes

    def submit(self, task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        raise AssertionError("nothing is submitted here")

    def result(self, handle: Handle, timeout: float | None) -> Any:
        self.timeouts.append(timeout)
        if handle.task_id == "late":
            raise TimeoutError("late")
        return handle.task_id.upper()

    def outcome(self, handle: Handle) -> Outcome:
        return self.outcomes.get(handle.task_id, Outcome.SUCCEEDED)

    def as_completed(self, handles: list[Handle]) -> Iterator[Handle]:
        yield from reversed(handles)

    def cancel(self, handle: Handle) -> None:
        self.cancelled.append(handle.task_id)


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclass
class Box:
    content: Any


@dataclass(frozen=True, slots=True)
class Slotted:
    content: Any


@pytest.fixture
def ended() -> Ended:
    return Ended(failed=Outcome.FAILED, skipped=Outcome.SKIPPED, cancelled=Outcome.CANCELLED)


Make = Callable[[str], Any]


@pytest.fixture
def make(ended: Ended) -> Make:
    return lambda task_id: Handle(task_id, ended)


# result


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (lambda h: h("a"), "A"),
        (lambda h: [h("a"), h("b"), 3], ["A", "B", 3]),
        (lambda h: (h("a"), [h("b")]), ("A", ["B"])),
        (lambda h: {"x": h("a"), "y": {"z": (h("b"),)}}, {"x": "A", "y": {"z": ("B",)}}),
        (lambda h: Pair(h("a"), 1), Pair("A", 1)),
        (lambda h: OrderedDict(x=h("a")), OrderedDict(x="A")),
        (lambda h: defaultdict(list, x=h("a")), defaultdict(list, x="A")),
        (lambda h: [h("a")] * 2, ["A", "A"]),
    ],
    ids=["bare", "list", "tuple", "dict", "named tuple", "ordered", "default", "twice"],
)
def test_result_gives_the_values_in_the_shape_that_was_given(
    make: Make, shape: Callable[[Make], Any], value: Any
) -> None:
    found = result(shape(make))
    assert found == value
    assert type(found) is type(value)


def test_result_leaves_what_it_was_given_alone(make: Make) -> None:
    handle = make("a")
    given = [handle, {"x": handle}]
    result(given)
    assert given[0] is handle
    assert given[1]["x"] is handle


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value", [None, 0, "text", [1], {"a": {2}}, object, Box(1), Slotted(1), LOOP, iter, b""], ids=str
)
def test_a_plain_value_is_itself_and_has_succeeded(value: object) -> None:
    assert result(value) is value
    assert outcome(value) is Outcome.SUCCEEDED
    cancel(value)


@given(
    st.recursive(
        st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_handles_in_any_nest_of_containers_become_their_values(tree: Any) -> None:
    session = Ended()

    def swap(value: Any) -> Any:
        if isinstance(value, str):
            return Handle(value, session)
        if isinstance(value, dict):
            return {key: swap(item) for key, item in value.items()}
        return type(value)(map(swap, value)) if isinstance(value, list | tuple) else value

    def upper(value: Any) -> Any:
        if isinstance(value, str):
            return value.upper() if value != "late" else value
        if isinstance(value, dict):
            return {key: upper(item) for key, item in value.items()}
        return type(value)(map(upper, value)) if isinstance(value, list | tuple) else value

    assert result(swap(tree)) == upper(tree)


def test_a_deep_nest_is_looked_through(make: Make) -> None:
    deep: Any = make("failed")
    for _ in range(5000):
        deep = [deep]
    assert outcome(deep) is Outcome.FAILED


@pytest.mark.parametrize(("timeout", "seconds"), [(None, None), ("5m", 300.0), (1.5, 1.5)])
def test_result_waits_no_longer_than_its_timeout(
    make: Make, ended: Ended, timeout: str | float | None, seconds: float | None
) -> None:
    result([make("a"), make("b")], timeout=timeout)
    assert len(ended.timeouts) == 2
    for asked in ended.timeouts:
        assert asked == seconds if seconds is None else asked is not None and 0 <= asked <= seconds


def test_a_wait_that_is_over_names_the_task_and_the_whole_wait(make: Make) -> None:
    with pytest.raises(TimeoutError, match="task 'late' has not ended within 300 s"):
        result([make("a"), make("late")], timeout="5m")


@pytest.mark.parametrize("timeout", ["soon", 0, -1], ids=repr)
def test_a_timeout_that_is_no_duration_is_refused_for_plain_values_too(timeout: Any) -> None:
    with pytest.raises(OptionError, match=f"timeout={timeout!r}"):
        result(3, timeout=timeout)


# outcome


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        (["a", "b"], Outcome.SUCCEEDED),
        (["a", "failed"], Outcome.FAILED),
        (["skipped", "failed"], Outcome.FAILED),
        (["skipped", "a"], Outcome.SKIPPED),
        (["cancelled", "failed"], Outcome.CANCELLED),
        ([], Outcome.SUCCEEDED),
    ],
)
def test_the_outcome_of_several_is_the_first_that_tells_why_they_are_not_all_good(
    make: Make, tasks: list[str], expected: Outcome
) -> None:
    handles = [make(name) for name in tasks]
    assert outcome(handles) is outcome(tuple(handles)) is outcome(dict(enumerate(handles))) is expected


# cancel


def test_cancel_cancels_each_task_in_a_container(make: Make, ended: Ended) -> None:
    cancel([make("a"), {"x": (make("b"), 3)}])
    assert ended.cancelled == ["a", "b"]


# as_completed


def test_as_completed_gives_plain_values_first_and_handles_in_the_order_of_their_ends(make: Make) -> None:
    a, b = make("a"), make("b")
    given = list(as_completed([1, a, None, b, [2]]))
    assert given[:3] == [1, None, [2]]
    assert given[3] is b
    assert given[4] is a


def test_as_completed_takes_a_generator_and_tasks_that_are_keys(make: Make) -> None:
    assert [h.task_id for h in as_completed(make(n) for n in "ab")] == ["b", "a"]
    assert [h.task_id for h in as_completed({make("a"): "first"})] == ["a"]
    assert list(as_completed([])) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (lambda h: {"x": h("a")}, r"its handles are the values: give it as_completed\(tasks.values\(\)\)"),
        (lambda h: [[h("a")], [h("b")]], r"is inside a list: give it one flat list"),
        (lambda h: {"x": h("a")}.items(), "is inside a tuple: give it one flat list"),
        (lambda h: h("a"), "iterated over"),
        (lambda h: [Box(h("a"))], "inside a Box"),
    ],
    ids=["dict", "lists", "items", "bare", "object"],
)
def test_as_completed_refuses_handles_that_it_would_not_wait_for(
    make: Make, values: Callable[[Make], Any], words: str
) -> None:
    with pytest.raises(HandleError, match=words):
        as_completed(values(make))


# What is not looked into.

INSIDE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "set": (lambda h: {h}, "is inside a set"),
    "frozenset": (lambda h: frozenset([h]), "is inside a frozenset"),
    "deque": (lambda h: deque([h]), "is inside a deque"),
    "view": (lambda h: {"x": h}.values(), "is inside a dict_values"),
    "dataclass": (Box, "is inside a Box"),
    "slots": (Slotted, "is inside a Slotted"),
    "object": (lambda h: SimpleNamespace(h=h), "is inside a SimpleNamespace"),
    "partial": (lambda h: functools.partial(print, h), "is inside a partial"),
    "deeper": (lambda h: [Box({"x": [h]})], "is inside a Box"),
    "key": (lambda h: {h: 1}, "does not look at the keys of a dict"),
    "generator": (lambda h: (x for x in [h]), "cannot look into a generator"),
    "map": (lambda h: map(str, [h]), "cannot look into a map"),
}


@pytest.mark.parametrize("place", INSIDE)
@pytest.mark.parametrize("ask", [result, outcome, cancel], ids=lambda f: f.__name__)
def test_a_handle_where_none_is_looked_for_is_refused(
    make: Make, ended: Ended, ask: Callable[[Any], Any], place: str
) -> None:
    put, words = INSIDE[place]
    with pytest.raises(HandleError, match=words) as caught:
        ask(put(make("a")))
    assert str(caught.value).startswith(f"{ask.__name__}()")
    assert (ended.cancelled, ended.timeouts) == ([], [])
