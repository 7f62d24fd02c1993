"""Which functions can be tasks, and what is refused before a worker sees it."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from vaportrail import Hidden, pipeline, task
from vaportrail.errors import OptionError, UsageError
from vaportrail.execution.call import check_fits, describe_call


async def coroutine() -> None: ...


def generator() -> Iterator[int]:
    yield 1


async def both() -> AsyncIterator[int]:
    yield 1


class Model:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    @task
    def scale(self, x: int) -> int:
        return self.factor * x


class Later:
    async def __call__(self) -> None: ...


LAZY: dict[str, tuple[Any, str]] = {
    "coroutine": (coroutine, "'coroutine' is a coroutine function"),
    "generator": (generator, "'generator' is a generator function"),
    "both": (both, "'both' is an asynchronous generator function"),
    "partial": (functools.partial(generator), "'generator' is a generator function"),
    "object": (Later(), "'Later' is a coroutine function"),
    "static": (staticmethod(generator), "'generator' is a generator function"),
}


@pytest.mark.parametrize("kind", LAZY)
def test_a_task_whose_result_cannot_leave_its_worker_is_refused(kind: str) -> None:
    fn, words = LAZY[kind]
    with pytest.raises(OptionError, match=f"task {words}, whose result cannot leave its worker"):
        task(fn)


@pytest.mark.parametrize("kind", [kind for kind in LAZY if kind != "static"])
@pytest.mark.parametrize(
    "decorate", [pipeline, pipeline(), pipeline(name="x")], ids=["bare", "called", "named"]
)
def test_a_pipeline_of_which_a_call_runs_nothing_is_refused_where_it_is_decorated(
    decorate: Any, kind: str
) -> None:
    fn, words = LAZY[kind]
    with pytest.raises(UsageError, match=f"pipeline {words}, and a call of it runs nothing"):
        decorate(fn)


def test_a_pipeline_may_be_decorated_with_brackets_and_named() -> None:
    @pipeline()
    def plain(n: int) -> int:
        return n

    @pipeline(name="greetings")
    def grüße(n: int) -> int:
        return n

    assert (plain.name, plain(3)) == ("plain", 3)
    assert (grüße.name, grüße(3)) == ("greetings", 3)


def test_a_pipeline_whose_functions_name_is_no_folder_says_how_to_name_it() -> None:
    def grüße() -> None: ...

    with pytest.raises(UsageError, match=r'\'grüße\' cannot be a folder .* @pipeline\(name="..."\)'):
        pipeline(grüße)
    with pytest.raises(UsageError, match="'a/b' cannot be a folder"):
        pipeline(name="a/b")(grüße)


@pytest.mark.parametrize("thing", [3, "name"], ids=repr)
def test_what_cannot_be_called_is_no_pipeline(thing: Any) -> None:
    with pytest.raises(UsageError, match="@pipeline decorates a function, not"):
        pipeline(thing)


def test_a_partial_is_a_pipeline_by_the_name_of_what_is_in_it() -> None:
    def total(a: int, b: int) -> int:
        return a + b

    assert pipeline(functools.partial(total, 1)).name == "total"


class Tools:
    factor = 2

    @task
    @staticmethod
    def plus(x: int) -> int:
        return x + 1

    @task
    @classmethod
    def scaled(cls, x: int) -> int:
        return cls.factor * x

    @staticmethod
    @task
    def inner(x: int) -> int:
        return x + 2


class More(Tools):
    factor = 5


@pytest.mark.parametrize("owner", [Tools, Tools()], ids=["class", "object"])
def test_static_and_class_methods_are_tasks_on_either_side_of_the_decorator(owner: Any) -> None:
    assert (owner.plus(1), owner.scaled(3), owner.inner(1)) == (2, 6, 3)
    assert owner.plus.options(retries=1)(1) == 2
    assert (More.scaled(3), More().scaled(3)) == (15, 15)


def test_options_of_a_static_method_in_its_class_leave_it_static() -> None:
    class Holder:
        plus = Tools.__dict__["plus"].options(retries=3)

    assert Holder().plus(1) == 2
    assert Holder().plus.task_options.retries == 3


@dataclass
class Unhashable:
    """A callable with a value's equality and so without a hash."""

    factor: int

    def __call__(self, x: int, key: Annotated[str, Hidden] = "") -> int:
        return self.factor * x


def test_a_callable_without_a_hash_is_a_task_and_hides_what_it_marks() -> None:
    made = task(Unhashable(3))
    assert made(2) == 6
    assert describe_call(made, (2, "s3cret"), {})[0] == {"x": 2, "key": "<hidden>"}


def test_a_method_is_bound_to_its_object() -> None:
    assert Model(3).scale(4) == 12
    assert Model.scale(Model(3), 4) == 12


def test_a_bound_method_keeps_its_name_and_options() -> None:
    bound = Model(3).scale.options(retries=2)

    assert (bound.name, bound.task_options.retries) == ("scale", 2)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "missing a required argument: 'a'"),
        ((1, 2, 3), {}, "too many positional arguments"),
        ((1,), {"c": 1}, "got an unexpected keyword argument 'c'"),
    ],
    ids=["missing", "too many", "unknown"],
)
def test_arguments_that_do_not_fit_are_refused_at_the_call(
    args: tuple[Any, ...], kwargs: dict[str, Any], message: str
) -> None:
    @task
    def add(a: int, b: int = 0) -> int:
        return a + b

    with pytest.raises(UsageError, match=f"task 'add' cannot be called like this: {message}; it takes"):
        check_fits(add, args, kwargs)


def test_an_option_of_none_is_as_if_it_had_not_been_given() -> None:
    @task(timeout="1s")
    def timed() -> None: ...

    assert timed.options(timeout=None).task_options.timeout is None
