"""A run that another operator began, and that this one does not keep whole, comes to an orderly end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.joined_life import Life
from runtime.small_planner import run_of
from vaportrail.contract.outcome import Outcome
from vaportrail_operator.acting.endpoints import RUNS, SECRETS

ENVIRONMENT = [{"name": f"V{number}", "value": "x" * 8000} for number in range(40)]
TOO_MUCH = {
    "a large spec": (
        {"podDefaults": {"env": ENVIRONMENT}},
        "spec.podDefaults: 321039 bytes: make it smaller",
    ),
    "large parameters": ({"parameters": {"text": "x" * 70_000}}, "spec.parameters: 70011 bytes: use at most"),
    "deep parameters": (
        {"parameters": {"p": [[[[[[[[[[[]]]]]]]]]]]}},
        "spec.parameters: is nested too deeply; use at most 100 levels",
    ),
}


def deeper(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


TOO_MUCH["deep parameters"][0]["parameters"]["p"] = deeper(300)


def a_life_that_is_upgraded_in(phase: str, spec: dict[str, Any]) -> Life:
    """Return a life whose run is beyond the bounds from when it has come to a phase."""

    def upgrade(life: Life) -> None:
        raw = life.world.of(RUNS)[0]
        if life.status.get("phase", "Pending") == phase and not raw["spec"].keys() & spec.keys():
            raw["spec"] |= spec
            life.world.put(RUNS, raw)

    life = Life(disturb=upgrade, outcome=Outcome.SUCCEEDED if phase in ("Releasing", "Sealing") else None)
    life.world.put(RUNS, run_of())
    life.world.calls.clear()
    asyncio.run(life.until_over())
    return life


@pytest.mark.parametrize(("spec", "words"), TOO_MUCH.values(), ids=TOO_MUCH)
@pytest.mark.parametrize("phase", ["Provisioning", "Running"])
def test_it_is_released_sealed_and_says_what_is_too_much(
    phase: str, spec: dict[str, Any], words: str
) -> None:
    life = a_life_that_is_upgraded_in(phase, spec)
    status = life.status
    assert (status["phase"], status["reason"]) == ("Failed", "InvalidSpec")
    assert words in status["message"]
    assert status["record"]["state"] == "Sealed"
    assert life.world.left() == []
    assert life.world.of(SECRETS) == []


@pytest.mark.parametrize(("spec", "words"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_before_anything_was_made_for_it_nothing_is(spec: dict[str, Any], words: str) -> None:
    life = a_life_that_is_upgraded_in("Pending", spec)
    assert (life.status["phase"], life.status["reason"]) == ("Failed", "InvalidSpec")
    assert words in life.status["message"]
    assert not [call for call in life.world.calls if call.startswith("create") and "Lease" not in call]


@pytest.mark.parametrize(("spec", "words"), TOO_MUCH.values(), ids=TOO_MUCH)
@pytest.mark.parametrize("phase", ["Releasing", "Sealing"])
def test_one_that_is_ending_anyway_ends_as_it_would(phase: str, spec: dict[str, Any], words: str) -> None:
    life = a_life_that_is_upgraded_in(phase, spec)
    assert (life.status["phase"], life.status["reason"]) == ("Succeeded", "Completed")
    assert words not in life.status.get("message", "")
    assert life.world.left() == []
