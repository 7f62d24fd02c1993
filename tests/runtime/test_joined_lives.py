"""Real planner, applier, cache and queue joined: whatever befalls the operator, a run ends the same.

A slice of what `make explore` lives: of each scenario the same lives each time. New ones are drawn there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.joined_explorer import EXCUSES, differences, sample, unsound
from runtime.joined_scenarios import SCENARIOS

_LIVES = 42
_SCRIPT = Path(__file__).parents[2] / "scripts" / "explore.py"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_run_ends_the_same_whatever_befalls_its_operator(scenario: str) -> None:
    cases = sample(scenario, _LIVES, 0)
    different = {str(case): found for case in cases if (found := differences(case))}
    assert not different, different


def test_the_slice_is_of_two_thousand_lives() -> None:
    assert len(SCENARIOS) * _LIVES >= 2000


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_undisturbed_life_ends_as_it_must(scenario: str) -> None:
    assert unsound(scenario) == []


def test_every_excuse_has_its_reason_and_a_scenario_or_fault_that_there_is() -> None:
    assert len(EXCUSES) <= 5
    for excuse in EXCUSES:
        assert len(excuse.why) > 40
        assert excuse.scenarios <= set(SCENARIOS)


def test_a_scenario_that_there_is_not_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, str(_SCRIPT), "--scenario", "sucess"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "invalid choice: 'sucess'" in done.stderr
