"""What is given to Ray itself is counted where it is given, the run's own tasks are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.actor import ActorClass
from ray.remote_function import RemoteFunction

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.execution import nested_ray
from vaportrail.execution.attempt import run_attempt
from vaportrail.execution.nested_ray import NestedWork, count_nested_work, counted_nested_work
from vaportrail.record.spooled import spooled_records
from vaportrail.storage.store import open_store
from vaportrail.telemetry import active_recorder as recorders
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope
from vaportrail.telemetry.recorder import Recorder

ONE, OTHER = (AttemptScope(f"t-{number}", "t", 1, "0123456789abcdef", None, "") for number in (1, 2))


def job() -> None:
    return None


class Actor:
    pass


@pytest.fixture(autouse=True)
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """A process's recorder; Ray takes what it is given and does nothing."""
    settings = RunSettings(RunIdentity("uid", "p", "p", 1), str(tmp_path), str(tmp_path), "x")
    made = Recorder(settings, "worker", writer_id="w")
    monkeypatch.setattr(recorders, "_active", made)
    monkeypatch.setattr(nested_ray, "_work", NestedWork())
    for kind in (RemoteFunction, ActorClass):
        monkeypatch.setattr(kind, "_remote", lambda *_args, **_kwargs: None)
    yield made
    set_attempt_scope(None)


def told(recorder: Recorder) -> list[tuple[str, int]]:
    """Return whose work was told of, and how much, in the order of the telling."""
    return [
        (record.attributes.get(c.TASK_RUN_ID, ""), record.attributes[c.NOT_CAPTURED_COUNT])
        for record in spooled_records(open_store(recorder.settings.spool), "w.spool")
    ]


def give(what: Any, times: int = 1) -> None:
    for _ in range(times):
        ray.remote(what).remote()


def test_tasks_and_actors_are_counted(recorder: Recorder) -> None:
    with counted_nested_work():
        give(job)
        give(Actor)
        ray.remote(job).options(num_cpus=0).remote()

    assert sum(count for _, count in told(recorder)) == 3


def test_the_first_is_told_at_once_and_the_others_together(recorder: Recorder) -> None:
    with counted_nested_work():
        give(job)
        assert told(recorder) == [("", 1)]
        give(job, 1000)

    assert told(recorder) == [("", 1), ("", 1000)]


def test_each_attempts_work_is_its_own(recorder: Recorder) -> None:
    with counted_nested_work():
        for scope, times in ((ONE, 2), (OTHER, 3), (None, 4)):
            set_attempt_scope(scope)
            give(job, times)

    counted: Counter[str] = Counter()
    for task, count in told(recorder):
        counted[task] += count
    assert counted == {"t-1": 2, "t-2": 3, "": 4}


def test_the_runs_own_tasks_are_not_counted(recorder: Recorder) -> None:
    with counted_nested_work():
        give(run_attempt, 3)

    assert told(recorder) == []


def test_afterwards_ray_is_as_before(recorder: Recorder) -> None:
    before = (RemoteFunction._remote, ActorClass._remote)
    with counted_nested_work():
        assert RemoteFunction._remote is not before[0]

    assert (RemoteFunction._remote, ActorClass._remote) == before
    give(job)
    assert told(recorder) == []


def test_counting_twice_counts_once(recorder: Recorder) -> None:
    with counted_nested_work():
        count_nested_work()
        give(job)

    assert told(recorder) == [("", 1)]
