"""What a run costs the API server beside lists and watches: ADR 0039 says what each call is for."""

from __future__ import annotations

import asyncio
from collections import Counter

from runtime.joined_life import Life
from runtime.small_planner import run_of
from vaportrail.contract.outcome import Outcome
from vaportrail_operator.acting.endpoints import RUNS
from vaportrail_operator.planning.kinds import WATCHED

MOST = 35
LISTED = Counter({f"list {kind}": 1 for kind in WATCHED}) + Counter({"list RayCluster": 1})
"""Once, as the operator begins, which first asks whether there are RayClusters at all."""


def calls_of(workers: int = 1, outcome: Outcome = Outcome.SUCCEEDED) -> Counter[str]:
    """Return the calls of a life, by verb and kind."""
    calls: list[str] = []
    life = Life(outcome=outcome, before_call=calls.append, before_read=calls.append)
    life.world.put(RUNS, run_of(ray={"workers": [{"name": "cpu", "replicas": workers}]}))
    asyncio.run(life.until_over())
    by_kind = Counter(call.partition("/")[0] for call in calls)
    return by_kind - LISTED + Counter({"create Event": len(life.events)})


def test_a_run_takes_few_requests_and_each_of_them_is_known() -> None:
    calls = calls_of()
    assert calls.total() <= MOST
    assert {call: count for call, count in calls.items() if "Event" not in call} == {
        "status PipelineRun": 11,
        # All that is made for it, each once, and nothing is looked at before.
        "create Secret": 1,
        "create Service": 1,
        "create Pod": 3,
        "create RayCluster": 1,
        "delete Secret": 1,
        "delete Service": 1,
        "delete Pod": 3,
        "delete RayCluster": 1,
        # Two looks: that compute is gone, and in the end that nothing is left.
        "list Pod": 2,
        "get Pod": 5,
        "get RayCluster": 2,
        "get Service": 2,
    }
    assert calls["create Event"] == 1


def test_more_workers_take_no_more_requests() -> None:
    assert calls_of(100).total() <= MOST


def test_a_run_that_fails_takes_no_more_requests() -> None:
    assert calls_of(outcome=Outcome.FAILED).total() <= MOST
