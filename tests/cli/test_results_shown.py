"""The end of `vaportrail run` shows what the pipeline returned: short, described, redacted, escaped."""

from __future__ import annotations

from typing import Any

import pytest

from vaportrail.cli.ended import result_lines
from vaportrail.contract import Outcome


class Run:
    """As much of a run as its end needs."""

    outcome = Outcome.SUCCEEDED

    def __init__(self, result: Any, outcome: Outcome = Outcome.SUCCEEDED) -> None:
        self._result = result
        self.outcome = outcome

    @property
    def result(self) -> Any:
        if isinstance(self._result, LookupError):
            raise self._result
        return self._result


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, []),
        (0.5, ["result      0.5"]),
        ({"auc": 0.99, "of": object()}, ['result      {"auc": 0.99, "of": {"$type": "builtins.object"}}']),
        ("\x1b[2Jgrüße\u202e", ['result      "\\u001b[2Jgrüße\\u202e"']),
        (LookupError("not here"), ["result      not here"]),
    ],
    ids=["nothing", "number", "mapping", "control", "missing"],
)
def test_a_result_is_one_line_without_control_characters(value: Any, shown: list[str]) -> None:
    assert result_lines(Run(value), {}) == shown


def test_a_long_result_is_cut() -> None:
    [line] = result_lines(Run(list(range(1000))), {})
    assert line.endswith("...")
    assert len(line) < 320


def test_a_result_is_shown_without_the_environments_secrets() -> None:
    [line] = result_lines(Run({"with": "hunter2-the-secret"}), {"DB_PASSWORD": "hunter2-the-secret"})
    assert line == 'result      {"with": "[redacted:DB_PASSWORD]"}'


def test_of_a_run_that_failed_a_missing_result_is_not_told_once_more() -> None:
    assert result_lines(Run(LookupError("the body raised"), Outcome.FAILED), {}) == []
