"""An attempt that goes to Ray with others ends as if it were alone, whatever becomes of them."""

from __future__ import annotations

from collections import Counter

import pytest

from conftest import PIPELINES, Sealed, make_run
from vaportrail.contract.outcome import Outcome
from vaportrail.record.reading.recorded_run import Run, TaskRun
from vaportrail.record.verify import sealed_records
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import read_attributes

MANY, ODD = 48, 9


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    root = tmp_path_factory.mktemp("bundles")
    return make_run(root, f"{PIPELINES / 'bundles.py'}:bundles", "-p", f"folder={root}")


@pytest.fixture(scope="module")
def run(sealed: Sealed) -> Run:
    return sealed.run


@pytest.fixture(scope="module")
def ran(sealed: Sealed) -> Counter[str]:
    """How often each call's function was called."""
    return Counter((sealed.root / "ran").read_text().splitlines())


def called(run: Run, name: str) -> list[TaskRun]:
    """Return the tasks of a group, in the order of their calls."""
    found = [task for task in run.tasks if task.name == name and task.arguments["key"] != "warm"]
    assert len(found) >= MANY
    return found


def outcomes(run: Run, name: str) -> list[Outcome]:
    return [task.outcome for task in called(run, name)]


def all_but(odd: dict[int, Outcome]) -> list[Outcome]:
    return [odd.get(place, Outcome.SUCCEEDED) for place in range(MANY)]


def test_several_go_as_one_and_each_is_recorded_with_its_own_begin_and_end(run: Run, sealed: Sealed) -> None:
    assert run.manifest is not None
    begins = Counter(
        (values[c.TASK_RUN_ID], values[c.ATTEMPT])
        for record in sealed_records(open_store(run.uri), run.manifest, "logs")
        if record.body.get("eventName") == c.EVENT_ATTEMPT_STARTED
        for values in [read_attributes(record.body["attributes"])]
    )

    assert set(begins.values()) == {1}
    # One is killed from another thread, maybe between a record's count and its line, and that one is lost.
    assert run.facts.counts.loss in ("None", "Counted")
    assert run.facts.counts.lost <= 1
    rays_tasks = Counter(task.params["ray"] for task in called(run, "fails") if "ray" in task.params)
    assert rays_tasks.most_common(1)[0][1] > 1


def test_no_call_runs_twice(ran: Counter[str]) -> None:
    assert {key: times for key, times in ran.items() if times > 1 and key != "warm"} == {
        f"dies_once {ODD}": 2
    }


def test_a_lost_worker_takes_with_it_only_the_attempt_that_ran(run: Run) -> None:
    assert outcomes(run, "dies") == all_but({ODD: Outcome.WORKER_LOST})
    assert [len(task.attempts) for task in called(run, "dies")] == [1] * MANY


def test_one_that_dies_between_two_attempts_takes_one_at_most(run: Run) -> None:
    lost = Counter(outcomes(run, "dies_soon"))
    assert lost[Outcome.SUCCEEDED] >= MANY - 1
    assert set(lost) <= {Outcome.SUCCEEDED, Outcome.WORKER_LOST}


def test_only_the_attempt_that_was_lost_costs_a_retry(run: Run) -> None:
    assert outcomes(run, "dies_once") == all_but({})
    attempts = [[attempt.outcome for attempt in task.attempts] for task in called(run, "dies_once")]
    assert attempts[ODD] == [Outcome.WORKER_LOST, Outcome.SUCCEEDED]
    assert [len(each) for each in attempts] == [2 if place == ODD else 1 for place in range(MANY)]


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("fails", Outcome.FAILED),
        ("oversleeps", Outcome.TIMED_OUT),
        ("returns_locks", Outcome.FAILED),
        ("is_deaf", Outcome.CANCELLED),
    ],
)
def test_one_that_fails_or_has_to_be_ended_is_the_only_one(run: Run, name: str, outcome: Outcome) -> None:
    assert outcomes(run, name) == all_but({ODD: outcome})


@pytest.mark.parametrize("name", ["is_long", "returns_objects", "changes_the_process", "takes"])
def test_those_behind_a_long_one_a_large_value_or_a_changed_process_are_as_ever(run: Run, name: str) -> None:
    assert set(outcomes(run, name)) == {Outcome.SUCCEEDED}


def test_what_one_changes_in_its_process_reaches_no_other(run: Run, ran: Counter[str]) -> None:
    assert ran["saw what another left"] == 0


def test_what_is_cancelled_before_its_turn_never_runs_and_one_that_runs_is_interrupted(
    run: Run, ran: Counter[str]
) -> None:
    ends = dict.fromkeys((0, 3, MANY - 1), Outcome.CANCELLED)
    assert outcomes(run, "is_cancelled") == all_but(ends)
    assert [ran[f"is_cancelled {place}"] for place in range(MANY)] == [
        int(place not in (3, MANY - 1)) for place in range(MANY)
    ]
