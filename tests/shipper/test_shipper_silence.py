"""A run that says nothing for long still shows that it lives: its runner's shipper posts a count."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shipper.spooling_pod import Killed, Pod, nothing

from vaportrail.contract.pod_environment import REPLY_SECONDS
from vaportrail.record.seal.unsealed_runs import QUIET_SECONDS
from vaportrail.shipper.shipper import LONGEST_SILENCE, Reply


@pytest.fixture
def pod() -> Pod:
    """A runner that has said one thing."""
    made = Pod()
    made.begin("w", "runner")
    made.append("w", made.line("w"))
    return made


def longest_gap(pod: Pod) -> float:
    return max(late - early for early, late in pairwise(pod.stored_at))


def ship_for(pod: Pod, seconds: float) -> None:
    """Ship for so long, and be killed then."""

    def wait() -> bool:
        if pod.now >= seconds:
            raise Killed
        return False

    with pytest.raises(Killed):
        pod.shipper(waits=[wait] * 100_000).run()


def test_a_runner_that_is_silent_is_counted_again_in_time(pod: Pod) -> None:
    ship_for(pod, 10 * LONGEST_SILENCE)

    assert len(pod.stored_at) == pytest.approx(10, abs=1)
    assert longest_gap(pod) < LONGEST_SILENCE + 3


def test_a_sign_of_life_is_one_count_that_is_not_final(pod: Pod) -> None:
    ship_for(pod, LONGEST_SILENCE - 5)
    pod.stored.clear()
    ship_for(pod, LONGEST_SILENCE + 5)

    assert (len(pod.records()), pod.ledgers("unknown"), pod.ledgers("exact")) == (1, {"w": 1}, {})


def test_a_runner_that_speaks_gives_no_other_sign(pod: Pod) -> None:
    def speak_now_and_then() -> bool:
        if int(pod.now) % 60 == 0:
            pod.append("w", pod.line("w"))
        return False

    pod.shipper(waits=[speak_now_and_then] * 1000).run()

    # The last is the exact count.
    assert pod.posts == len(pod.made()["w"]) + 1


def test_a_worker_that_is_silent_posts_nothing(pod: Pod) -> None:
    pod.files.clear()
    pod.begin("v")
    ship_for(pod, 10 * LONGEST_SILENCE)

    assert pod.stored == []


def test_a_shipper_that_starts_again_gives_a_sign_at_once(pod: Pod) -> None:
    ship_for(pod, 5)
    pod.stored.clear()
    ship_for(pod, 8)

    assert (pod.made(), pod.ledgers("unknown")) == ({}, {"w": 1})


def test_signs_of_life_take_no_space_on_the_pods_disk(pod: Pod) -> None:
    ship_for(pod, LONGEST_SILENCE - 5)
    before = {path: bytes(raw) for path, raw in pod.files.items()}
    ship_for(pod, 5 * LONGEST_SILENCE)

    assert pod.files == before


def test_signs_of_life_end_with_the_exact_count(pod: Pod) -> None:
    pod.shipper(waits=[nothing] * 500).run()

    assert pod.ledgers("exact") == {"w": 1}
    assert pod.said[-1] == "all is stored: 1 processes, 0 records left out"


@given(st.lists(st.tuples(st.integers(0, REPLY_SECONDS), st.booleans()), max_size=20))
def test_with_a_slow_collector_a_silent_run_is_not_taken_for_over(answers: list[tuple[int, bool]]) -> None:
    """Whatever time a reply takes, and though of two that follow each other one may fail."""
    pod = Pod()
    pod.begin("w", "runner")
    pod.append("w", pod.line("w"))
    coming = iter(answers)
    failed = False

    def before_it_is_stored(body: bytes) -> bool:
        nonlocal failed
        seconds, fails = next(coming, (REPLY_SECONDS, True))
        failed = fails and not failed
        pod.now += seconds
        pod.faults = [Reply.REFUSED if failed else Reply.STORED]
        return False

    pod.refuses = before_it_is_stored
    ship_for(pod, 5000)

    assert longest_gap(pod) < QUIET_SECONDS / 1.5
