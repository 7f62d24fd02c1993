"""Arguments and functions on their way to a worker: handles are found wherever they are."""

from __future__ import annotations

import functools
import pickle
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from vaportrail.authoring.handle import Handle
from vaportrail.authoring.task import Task, task
from vaportrail.errors import UsageError
from vaportrail.execution.payload import (
    Functions,
    check_picklable,
    dump_call,
    dump_function,
    load_call,
    load_function,
)

NO_SESSION: Any = None


@dataclass
class Box:
    content: Any


class Model(BaseModel):
    content: Any


class Typed(BaseModel, frozen=True):
    content: int


@dataclass(frozen=True, slots=True)
class Frozen:
    content: int


class Slotted:
    __slots__ = ("content",)

    def __init__(self, content: Any) -> None:
        self.content = content


def show(*args: object) -> object:
    return args


def from_closure(handle: Any) -> Callable[[], Any]:
    return lambda: handle


PLACES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "bare": (lambda h: h, lambda v: v),
    "list": (lambda h: [0, h], lambda v: v[1]),
    "tuple": (lambda h: (h,), lambda v: v[0]),
    "dict": (lambda h: {"a": {"b": [h]}}, lambda v: v["a"]["b"][0]),
    "set": (lambda h: {h}, lambda v: next(iter(v))),
    "key": (lambda h: {h: 1}, lambda v: next(iter(v))),
    "deque": (lambda h: deque([h]), lambda v: v[0]),
    "dataclass": (Box, lambda v: v.content),
    "model": (lambda h: Model(content=[h]), lambda v: v.content[0]),
    "typed model": (lambda h: Typed.model_construct(content=h), lambda v: v.content),
    "frozen dataclass": (Frozen, lambda v: v.content),
    "slots": (Slotted, lambda v: v.content),
    "partial": (lambda h: functools.partial(show, h), lambda v: v.args[0]),
    "closure": (from_closure, lambda v: v()),
    "local class": (lambda h: type("Local", (), {"content": h})(), lambda v: v.content),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_handle_is_taken_out_and_its_value_put_back(place: str) -> None:
    put, get = PLACES[place]
    handle = Handle("a-1", NO_SESSION)
    payload, handles = dump_call("t", (), {"x": put(handle)})
    assert [h.task_id for h in handles] == ["a-1"]
    _, kwargs = load_call(payload, ["the value"])
    assert get(kwargs["x"]) == "the value"


def test_handles_are_numbered_as_they_are_met_and_one_counts_once() -> None:
    a, b = Handle("a-1", NO_SESSION), Handle("b-1", NO_SESSION)
    payload, handles = dump_call("t", (b, a), {"x": [b, a]})
    assert [h.task_id for h in handles] == ["b-1", "a-1"]
    assert load_call(payload, ["B", "A"]) == (("B", "A"), {"x": ["B", "A"]})


def test_one_value_in_two_places_stays_one_object() -> None:
    handle = Handle("a-1", NO_SESSION)
    payload, _ = dump_call("t", (handle, handle), {})
    value = object()
    (first, second), _ = load_call(payload, [value])
    assert first is second is value


@given(
    st.recursive(
        st.integers(0, 5) | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
        max_leaves=10,
    )
)
def test_numbers_replaced_by_handles_come_back_as_their_values(tree: Any) -> None:
    handles = [Handle(str(number), NO_SESSION) for number in range(6)]

    def swap(value: Any) -> Any:
        if isinstance(value, int):
            return handles[value]
        if isinstance(value, list):
            return [swap(item) for item in value]
        return {k: swap(v) for k, v in value.items()} if isinstance(value, dict) else value

    payload, found = dump_call("t", (swap(tree),), {})
    assert len({h.task_id for h in found}) == len(found)
    assert load_call(payload, [int(h.task_id) for h in found]) == ((tree,), {})


def test_plain_arguments_come_back_without_handles() -> None:
    array = np.arange(1000)
    payload, handles = dump_call("t", (array,), {"f": len})
    assert handles == []
    (back,), kwargs = load_call(payload, [])
    assert np.array_equal(back, array)
    assert kwargs == {"f": len}


@pytest.mark.parametrize(
    "make",
    [threading.Lock, lambda: (i for i in range(3)), threading.Thread],
    ids=["lock", "generator", "thread"],
)
def test_an_argument_that_cannot_be_pickled_is_told_with_its_task(make: Callable[[], Any]) -> None:
    with pytest.raises(
        UsageError, match=r"an argument of task 'train' cannot be sent to a worker: .*; pass plain"
    ):
        dump_call("train", (make(),), {})


def test_an_argument_that_holds_itself_comes_back() -> None:
    loop: list[Any] = []
    loop.append(loop)
    payload, _ = dump_call("t", (loop,), {})
    (back,), _ = load_call(payload, [])
    assert back[0] is back


# Functions.


@task
def decorated(x: int) -> int:
    return x + 1


class Importable:
    @staticmethod
    def method(x: int) -> int:
        return x + 10


@pytest.mark.parametrize(
    ("made", "name"),
    [(Task(len), ("builtins", "len")), (Task(functools.reduce), ("_functools", "reduce"))],
    ids=["builtin", "library"],
)
def test_a_function_that_workers_can_import_goes_by_name(made: Task[..., Any], name: tuple[str, str]) -> None:
    raw = dump_function(made)
    assert pickle.loads(raw) == name
    assert load_function(raw) is made.fn


def in_module(monkeypatch: pytest.MonkeyPatch, **names: Any) -> None:
    """Put names into a module that can be imported, as a user's pipeline file is."""
    import sys
    import types

    module = types.ModuleType("a_users_module")
    for name, value in names.items():
        fn = value.fn if isinstance(value, Task) else value
        fn.__module__, fn.__qualname__ = "a_users_module", name
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "a_users_module", module)


def plus_one(x: int) -> int:
    return x + 1


def plus_two(x: int) -> int:
    return x + 2


def test_a_decorated_function_goes_by_name_and_arrives_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    made = task(plus_one)
    in_module(monkeypatch, made=made)
    raw = dump_function(made)
    assert pickle.loads(raw) == ("a_users_module", "made")
    assert load_function(raw) is plus_one


def test_a_function_that_takes_the_place_of_one_that_is_gone_is_not_mistaken_for_it() -> None:
    functions = Functions()

    def made(number: int) -> Task[..., Any]:
        return Task(lambda: number)

    for number in range(100):
        assert load_function(functions.dump(made(number)))() == number


def test_a_function_whose_name_means_another_one_goes_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    in_module(monkeypatch, made=plus_two)
    plus_one.__module__, plus_one.__qualname__ = "a_users_module", "made"
    loaded = load_function(dump_function(Task(plus_one)))
    assert loaded(1) == 2


def test_a_function_with_its_surroundings_goes_by_value() -> None:
    offset = 40

    @task
    def inner(x: int) -> int:
        return x + offset

    loaded = load_function(dump_function(inner))
    assert loaded(2) == 42
    assert loaded is not inner.fn


def test_a_function_of_the_main_script_goes_by_value() -> None:
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec("def fn(x):\n    return x * 3", scope)
    assert load_function(dump_function(Task(scope["fn"])))(2) == 6


def test_a_partial_goes_by_value() -> None:
    assert load_function(dump_function(Task(functools.partial(max, 5))))(3) == 5


def test_a_function_that_cannot_be_sent_is_named() -> None:
    lock = threading.Lock()

    @task
    def holds() -> object:
        return lock

    with pytest.raises(UsageError, match="task 'holds' cannot be sent to a worker"):
        dump_function(holds)


# Values.


@pytest.mark.parametrize(
    "value", [None, 1, "x", [1], {"a": Box(1)}, np.arange(10), lambda: 1], ids=lambda v: type(v).__name__
)
def test_a_value_that_can_be_pickled_may_go_on(value: Any) -> None:
    check_picklable(value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(threading.Lock(), "lock"), ([threading.Lock()], "list"), ((i for i in range(3)), "generator")],
    ids=["lock", "inside", "generator"],
)
def test_a_value_that_cannot_be_pickled_is_told_by_its_type(value: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=rf"the {kind} that the task returned cannot be sent on"):
        check_picklable(value)


def test_checking_a_large_array_copies_none_of_it() -> None:
    import tracemalloc

    array = np.zeros(20_000_000, dtype=np.uint8)
    check_picklable([])  # the first call imports the pickler
    tracemalloc.start()
    check_picklable({"weights": array})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < array.nbytes / 10


def test_an_open_file_is_refused_wherever_it_is_and_not_sent_as_a_copy_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("some")
    with path.open() as file:

        @task
        def reads() -> str:
            return file.read()

        with pytest.raises(UsageError, match=r"an argument .*words\.txt.* is an open file; send its path"):
            dump_call("train", (Box([file]),), {})
        with pytest.raises(TypeError, match=r"words\.txt.* is an open file"):
            check_picklable([file])
        with pytest.raises(UsageError, match=r"task 'reads' .*words\.txt.* is an open file"):
            dump_function(reads)


def test_a_standard_stream_is_the_workers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", sys.__stdout__)

    assert load_call(dump_call("train", (sys.stdout,), {})[0], [])[0][0] is sys.stdout
