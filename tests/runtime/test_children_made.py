"""Every row of the table of children is lived: made, seen, told in the receipt, removed, looked for."""

from __future__ import annotations

import asyncio

import pytest

from runtime.joined_life import Life
from runtime.small_planner import run_of
from vaportrail_operator.acting.endpoints import RUNS
from vaportrail_operator.observation.runs import observed_run
from vaportrail_operator.planning.children.table import CHILDREN, Child, Made
from vaportrail_operator.planning.kinds import ENDPOINTS, WATCHED

OWN = [child for child in CHILDREN if child.made is not Made.BY_KUBERAY]


def named(child: Child) -> str:
    return f"{child.kind}-{child.component or child.made.name.lower()}"


@pytest.fixture(scope="module")
def life() -> Life:
    life = Life()
    life.world.put(RUNS, run_of())
    asyncio.run(life.until_over())
    return life


def place(life: Life, child: Child) -> str:
    assert child.name is not None
    return f"{child.kind}/{child.name(observed_run(life.world.of(RUNS)[0]).run)}"


@pytest.mark.parametrize("child", OWN, ids=named)
def test_each_is_made_once_and_removed(life: Life, child: Child) -> None:
    calls = [call for call in life.world.calls if call.endswith(f" {place(life, child)}")]
    assert (calls.count(f"create {place(life, child)}"), f"delete {place(life, child)}" in calls) == (1, True)
    assert not life.world.of(ENDPOINTS[child.kind])


@pytest.mark.parametrize("child", OWN, ids=named)
def test_each_is_in_the_receipt_with_its_end(life: Life, child: Child) -> None:
    (entry,) = [each for each in life.status["receipt"] if each["object"] == place(life, child)]
    assert not entry["lifetime"].endswith("/..")
    # A Secret is never read: nobody knows its uid.
    assert bool(entry.get("uid")) == (child.kind in WATCHED)


@pytest.mark.parametrize("child", OWN, ids=named)
def test_each_says_by_its_row_how_it_is_made(child: Child) -> None:
    assert (child.make is None) == (child.made is Made.TO_SEAL)
