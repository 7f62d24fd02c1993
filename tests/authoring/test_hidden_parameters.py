"""What is marked as hidden stays hidden, however it is written and called."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import SecretStr

from vaportrail.authoring.hidden_parameters import hidden_names
from vaportrail.authoring.parameters import Parameters
from vaportrail.authoring.task import Task
from vaportrail.errors import ParameterError
from vaportrail.execution.call import describe_call
from vaportrail.telemetry.hidden import Hidden

if TYPE_CHECKING:
    from somewhere import Unknown


def plain(token: Annotated[str, Hidden], n: int) -> None: ...
def optional(token: Annotated[str, Hidden] | None, n: int) -> None: ...
def typed(token: SecretStr, n: int) -> None: ...
def unresolvable(token: Annotated[str, Hidden], n: Unknown) -> None: ...
def unresolvable_itself(token: Annotated[Unknown, Hidden], n: int) -> None: ...


class Callable:
    def __call__(self, token: Annotated[str, Hidden], n: int) -> None: ...


@pytest.mark.parametrize(
    "fn",
    [plain, optional, typed, unresolvable, unresolvable_itself, partial(plain, n=1), Callable()],
    ids=["plain", "optional", "secret type", "unresolvable", "unresolvable itself", "partial", "object"],
)
def test_a_hidden_argument_is_known_as_such(fn: Any) -> None:
    assert hidden_names(fn) == {"token"}


def test_an_argument_that_fits_nothing_is_hidden_where_anything_is() -> None:
    assert describe_call(Task(plain), ("hush",), {"unknown": 1})[0] == {
        "0": "<hidden>",
        "unknown": "<hidden>",
    }


def test_hidden_further_arguments_are_hidden_one_by_one() -> None:
    def further(n: int, **tokens: Annotated[str, Hidden]) -> None: ...

    assert describe_call(Task(further), (1,), {"a": "hush"})[0] == {"n": 1, "a": "<hidden>"}


def test_an_ill_typed_hidden_value_leaves_no_trace_in_the_message() -> None:
    def nightly(creds: Annotated[dict[str, int], Hidden]) -> None: ...

    with pytest.raises(ParameterError) as caught:
        Parameters("nightly", nightly).validate({"creds": {"hunter2": "hunter3"}})

    assert "hunter" not in str(caught.value)


def test_an_annotation_that_cannot_be_resolved_is_told() -> None:
    with pytest.raises(ParameterError, match=r"parameter '.*': its annotation cannot be resolved"):
        Parameters("p", unresolvable)


def test_a_list_that_holds_itself_is_described() -> None:
    endless: list[Any] = []
    endless.append(endless)

    described, _ = describe_call(Task(lambda x: None), (endless,), {})

    assert str(described).count("[") < 20
