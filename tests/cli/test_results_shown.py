"""The end of `vaportrail run` shows what the pipeline returned: short, described, redacted, escaped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.made_facts import make_facts

from vaportrail.cli.run_summary import report, result_lines
from vaportrail.contract.outcome import Outcome
from vaportrail.record.reading.recorded_run import Run as RecordedRun


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


def test_a_number_that_is_a_secret_is_replaced_in_a_result() -> None:
    assert result_lines(Run({"pin": 12345678}), {"DB_PASSWORD": "12345678"}) == [
        'result      {"pin": "[redacted:DB_PASSWORD]"}'
    ]


def recorded_run() -> RecordedRun:
    facts = make_facts()
    return RecordedRun("root/runs/p/n", facts, manifest=facts.head)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"auc": float("nan"), "of": object()}, {"auc": "NaN", "of": {"$type": "builtins.object"}}),
        (None, None),
    ],
    ids=["mapping", "nothing"],
)
def test_the_json_of_an_end_has_the_result_as_the_record_describes_values(
    value: Any, shown: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recorded_run()
    run.tell_result(value)

    report(run, "abc", as_json=True, ran_here=True)

    told = json.loads(capsys.readouterr().out)
    assert (told["result"], told["sha256"]) == (shown, "abc")


def test_the_json_of_an_end_has_no_secret_of_the_result(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "12345678")
    run = recorded_run()
    run.tell_result({"pin": 12345678, "of": "12345678"})

    report(run, "abc", as_json=True, ran_here=True)

    assert "12345678" not in capsys.readouterr().out


def test_the_json_of_a_run_of_elsewhere_has_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    report(recorded_run(), "abc", as_json=True)

    assert "result" not in json.loads(capsys.readouterr().out)
