"""What a run and its tasks say of themselves without a look into their facts."""

from __future__ import annotations

from tests.made_facts import make_facts

from vaportrail.contract.outcome import Outcome
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.rows import TaskInfo


def read_run() -> Run:
    task = TaskInfo(
        id="train-1", name="train", kind="python", outcome=Outcome.FAILED, arguments={"n": 600}, options={},
        upstream=[], attempts=1, submitted="", ended="", cause="", allow_failure=False, span_id="0" * 16,
    )  # fmt: skip
    return Run("root/runs/p/n", make_facts([task]))


def test_a_run_says_its_tags_when_it_was_asked_for_and_how_long_it_took() -> None:
    run = read_run()

    assert (run.tags, run.created, run.duration) == ({"team": "vision"}, "2026-11-23T01:37:43.5Z", 4.5)


def test_a_list_of_tasks_is_short_to_look_at() -> None:
    assert repr(read_run().tasks) == "[<TaskRun train-1 (n=600) FAILED>]"
