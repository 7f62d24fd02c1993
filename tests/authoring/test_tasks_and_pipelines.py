"""Tasks and pipelines: plain functions everywhere, task calls only inside a run."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import vaportrail
from vaportrail import Pipeline, Task, pipeline, task
from vaportrail.authoring import session
from vaportrail.authoring.handle import Handle
from vaportrail.contract.outcome import Outcome
from vaportrail.errors import OptionError, UsageError


class Recording:
    """A session that takes every call and runs nothing."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []

    def submit(self, task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        self.calls.append((task, args, kwargs))
        return Handle(f"{task.name}-{len(self.calls)}", self)

    def result(self, handle: Handle, timeout: float | None) -> Any:
        return None

    def outcome(self, handle: Handle) -> Outcome:
        return Outcome.SUCCEEDED

    def as_completed(self, handles: list[Handle]) -> Iterator[Handle]:
        yield from handles

    def cancel(self, handle: Handle) -> None:
        return None


@task
def add(a: int, b: int, c: int = 0) -> int:
    """Add numbers."""
    return a + b + c


def test_a_task_called_outside_a_run_is_the_plain_function() -> None:
    assert add(1, 2, c=3) == 6


def test_a_task_keeps_its_functions_name_and_documentation() -> None:
    assert (add.name, vars(add)["__name__"], add.__doc__) == ("add", "add", "Add numbers.")


def test_a_task_keeps_its_functions_signature() -> None:
    assert list(inspect.signature(add).parameters) == ["a", "b", "c"]


def test_an_exception_of_the_plain_function_reaches_its_caller_unchanged() -> None:
    @task
    def fail() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()


def test_a_task_called_inside_a_run_is_submitted_and_gives_a_handle() -> None:
    run = Recording()
    with session.entered(run):
        handle: object = add(1, b=2)
    assert isinstance(handle, Handle)
    assert run.calls == [(add, (1,), {"b": 2})]


def test_after_a_run_a_task_is_plain_again() -> None:
    with session.entered(Recording()):
        pass
    assert session.current() is None
    assert add(1, 1) == 2


def test_a_pipelines_error_ends_its_run() -> None:
    with pytest.raises(ValueError, match="body"), session.entered(Recording()):
        raise ValueError("the body failed")
    assert session.current() is None


def test_a_run_inside_a_run_is_refused() -> None:
    with (
        session.entered(Recording()),
        pytest.raises(RuntimeError, match="call it instead"),
        session.entered(Recording()),
    ):
        raise AssertionError("never entered")


def test_map_calls_once_a_row_with_the_fixed_arguments() -> None:
    assert add.map([1, 2, 3], [10, 20, 30], c=100) == [111, 122, 133]


def test_map_takes_any_iterable() -> None:
    assert add.map(range(2), (i * i for i in (3, 4))) == [9, 17]


def test_map_refuses_columns_of_different_lengths() -> None:
    with pytest.raises(ValueError, match="shorter"):
        add.map([1, 2], [1])


def test_map_of_empty_columns_calls_nothing() -> None:
    assert add.map([], []) == []


def test_map_inside_a_run_submits_each_row_in_order() -> None:
    run = Recording()
    with session.entered(run):
        add.map([1, 2], [3, 4])
    assert [args for _, args, _ in run.calls] == [(1, 3), (2, 4)]


def test_options_return_another_task_and_leave_the_first_alone() -> None:
    other = add.options(name="plus", retries=3)
    assert (other.name, other.task_options.retries) == ("plus", 3)
    assert (add.name, add.task_options.retries) == ("add", 0)
    assert other.fn is add.fn


def test_options_add_up() -> None:
    twice = add.options(retries=3).options(timeout="1s")
    assert (twice.task_options.retries, twice.task_options.timeout) == (3, 1.0)


def test_bad_options_of_a_task_say_which_task() -> None:
    with pytest.raises(OptionError, match="options of task 'add': retries=-1"):
        add.options(retries=-1)


def test_bad_options_of_the_decorator_say_which_function() -> None:
    with pytest.raises(OptionError, match="task 'broken': timeout='x'"):

        @task(timeout="x")
        def broken() -> None: ...


@pytest.mark.parametrize("thing", [3, "name"], ids=repr)
def test_what_cannot_be_called_is_no_task(thing: Any) -> None:
    with pytest.raises(OptionError, match="decorates a function"):
        task(thing)


def test_a_task_says_what_it_is() -> None:
    assert repr(add) == "<Task 'add'>"
    assert isinstance(add, Task)


def test_a_pipeline_called_is_the_plain_function() -> None:
    @pipeline
    def total(n: int = 3) -> int:
        return sum(add(i, 1) for i in range(n))

    assert total(4) == 10
    assert total() == 6


def test_a_pipeline_may_wait_pass_on_and_cancel_as_a_plain_function() -> None:
    @pipeline
    def waits() -> list[int]:
        first = vaportrail.result(add(1, 1), timeout="1s")
        vaportrail.cancel(first)
        assert vaportrail.outcome(first) is Outcome.SUCCEEDED
        return list(vaportrail.as_completed(add.map([first, 5], [1, 1])))

    assert waits() == [3, 6]


def test_a_pipeline_has_its_functions_name() -> None:
    @pipeline
    def nightly() -> None:
        """Every night."""

    assert isinstance(nightly, Pipeline)
    assert (nightly.name, nightly.__doc__, repr(nightly)) == (
        "nightly",
        "Every night.",
        "<Pipeline 'nightly'>",
    )


def test_a_pipeline_whose_name_cannot_be_a_folder_is_refused_at_once() -> None:
    def _private() -> None: ...

    with pytest.raises(UsageError, match="pipeline name '_private' cannot be a folder"):
        pipeline(_private)
