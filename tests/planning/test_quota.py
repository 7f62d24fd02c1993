"""Two runs that each fit a quota do not starve each other: the later gives way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.planning.phases import COLLECTOR, HEAD, RUNNER, WORKER, at, up
from tests.planning.runs import CREATED, a_cluster, a_run, a_service, observed, planned

from vaportrail.crd.status import Phase, Reason
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.quota import claimant_of
from vaportrail_operator.planning.types import Claimant, Observed, Rivals, SecretState

WORDS = "worker pod cannot be made: exceeded quota: team, requested: memory=2Gi, used: memory=3Gi"
EARLIER = Claimant(CREATED - timedelta(seconds=5), "a", "first", "team", holds=True)
LATER = Claimant(CREATED + timedelta(seconds=5), "b", "third", "team", holds=True)


def stuck(seconds: float = 100, *, words: str = WORDS, pods: Any = None, **rivals: Any) -> Observed:
    """Return a run that has all pods but its worker, which a quota has refused since its tenth second."""
    there = tuple(up(each) for each in (HEAD, RUNNER, COLLECTOR)) if pods is None else pods
    cluster = a_cluster(provisioned=True, problem=words, problem_since=at(10))
    first = observed(a_run(), 2)
    second = planned(
        first,
        plan(first),
        now=at(9),
        pods=there,
        ray_cluster=cluster,
        services=(a_service(),),
        secret=SecretState.MADE,
    )
    seen = planned(second, plan(second), now=at(seconds))
    own = claimant_of(seen)
    known = {"quota": "team", "first": EARLIER, "last_holding": own, "others_hold": False, **rivals}
    return replace(seen, rivals=Rivals(**known))


def ended(seen: Observed) -> bool:
    made = plan(seen)
    if made.status.phase is Phase.RELEASING:
        assert made.status.reason is Reason.PROVISIONING_FAILED
        assert made.status.message.startswith("quota team has no room for both: it gives way to first")
        return True
    assert made.status.phase in (Phase.PROVISIONING, Phase.RUNNING)
    return False


def test_the_later_of_two_that_wait_for_each_other_gives_way() -> None:
    assert ended(stuck())


@pytest.mark.parametrize(("seconds", "over"), [(69, False), (70, True)])
def test_it_is_no_mere_moment(seconds: float, over: bool) -> None:
    assert ended(stuck(seconds)) is over
    if not over:
        assert plan(stuck(seconds)).requeue_after == pytest.approx(1)


def test_the_earlier_one_goes_on_and_looks_again() -> None:
    seen = stuck(first=claimant_of(stuck()))
    assert not ended(seen)
    assert plan(seen).requeue_after == pytest.approx(60)


def test_of_three_only_the_last_gives_way() -> None:
    assert not ended(stuck(last_holding=LATER))


def test_nobody_gives_way_while_a_run_that_goes_on_will_give_its_room_back() -> None:
    assert not ended(stuck(others_hold=True))


def test_only_runs_that_the_same_quota_refuses_give_way_to_each_other() -> None:
    assert not ended(stuck(quota="another"))


@pytest.mark.parametrize(
    "words",
    [
        "worker pod cannot be made: no room",
        'worker pod cannot be made: admission webhook "a" denied the request: exceeded quota: team',
    ],
)
def test_what_is_no_quota_is_no_claim(words: str) -> None:
    seen = stuck(words=words, last_holding=None)
    assert not ended(seen)
    own = claimant_of(seen)
    assert own is not None
    assert own.quota == ""


def test_a_run_that_has_a_worker_waits_for_no_room() -> None:
    pods = tuple(up(each) for each in (HEAD, RUNNER, COLLECTOR, WORKER))
    seen = stuck(pods=pods)
    assert not ended(seen)
    own = claimant_of(seen)
    assert own is not None
    assert (own.quota, own.holds) == ("", True)


def test_a_run_of_which_nothing_was_made_holds_nothing_and_waits_for_its_turn() -> None:
    seen = stuck(pods=())
    own = claimant_of(seen)
    assert own is None or not own.holds


def test_a_run_that_is_being_released_still_holds_what_it_has() -> None:
    seen = stuck()
    own = claimant_of(planned(seen, plan(seen)))
    assert own is not None
    assert (own.quota, own.holds) == ("", True)
    assert claimant_of(planned(seen, plan(seen), pods=())) is None
