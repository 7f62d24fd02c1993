"""Which functions can be tasks, and what is refused before a worker sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from vaportrail import task
from vaportrail.errors import OptionError, UsageError
from vaportrail.execution.call import check_fits


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


@pytest.mark.parametrize("fn", [coroutine, generator, both], ids=lambda fn: fn.__name__)
def test_a_function_whose_result_cannot_leave_its_worker_is_refused(fn: Any) -> None:
    with pytest.raises(OptionError, match=f"task '{fn.__name__}' is a coroutine or generator function"):
        task(fn)


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
