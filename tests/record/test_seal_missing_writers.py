"""Where nothing is known the loss is `Unknown`: a process that ran and was never heard of is not `None`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.record.clusters import Cluster, cluster_of, plain, ship

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.record.seal.missing_writers import MissingWriters
from vaportrail.record.seal.operator_report import OperatorReport
from vaportrail.record.seal.spool_plan import LedgerEntry, SealPlan
from vaportrail.record.verify import verify
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c

if TYPE_CHECKING:
    from tests.conftest import Sealed
    from tests.record.conftest import Unseal, Unsealed


@pytest.fixture
def never_announced(unshipped: Cluster) -> Cluster:
    """A run whose runner had not got as far as to leave its `run.json`."""
    unshipped.store.delete(f"{unshipped.prefix}run.json")
    return unshipped


def test_a_runner_that_never_started_lost_nothing(never_announced: Cluster) -> None:
    answer = never_announced.seal(outcome=Outcome.CANCELLED, runner_started=False)

    assert answer.loss == "None"


@pytest.mark.parametrize("outcome", [Outcome.RUNNER_LOST, Outcome.SUCCEEDED])
def test_a_runner_that_started_and_was_never_heard_of_lost_an_unknown_amount(
    never_announced: Cluster, outcome: Outcome
) -> None:
    answer = never_announced.seal(outcome=outcome, runner_started=True)

    assert (answer.outcome, answer.loss) == (outcome, "Unknown")
    assert verify(open_store(answer.uri), "record").ok


def test_where_nobody_says_whether_the_runner_started_the_loss_is_unknown(never_announced: Cluster) -> None:
    assert never_announced.seal().loss == "Unknown"


def test_a_runner_that_announced_its_run_had_started_whatever_is_said(unshipped: Cluster) -> None:
    assert unshipped.seal(runner_started=False).loss == "Unknown"


def test_a_runner_that_was_heard_of_is_counted_by_its_ledger(cluster: Cluster) -> None:
    assert cluster.seal(runner_started=True).loss == "None"


def test_a_task_whose_worker_was_never_heard_of_makes_the_loss_unknown(
    unsealed: Unsealed, unshipped: Cluster
) -> None:
    """Its node went away with the spool; the runner had its value already."""
    for path in unsealed.spool.glob("worker-*"):
        path.unlink()
    ship(unsealed, unshipped)
    answer = unshipped.seal()

    assert (answer.loss, answer.tasks["SUCCEEDED"]) == ("Unknown", 3)


def test_failures_that_are_all_on_record_lose_nothing(
    failures: Sealed, unseal: Unseal, tmp_path: Path
) -> None:
    unsealed = unseal(failures)
    cluster = cluster_of(unsealed, str(tmp_path / "root"))
    ship(unsealed, cluster)
    cluster.seal()

    assert plain(cluster.run, "sealed", "files") == plain(failures.run, "sealed", "files")


# Which attempts must have run, one by one.

KEY = {c.TASK_RUN_ID: "train-1", c.ATTEMPT: 1}
STARTED = ("L", c.EVENT_ATTEMPT_STARTED, KEY)
SPAN = ("T", "", {**KEY, c.OUTCOME: "FAILED"})


def resolved(outcome: str) -> tuple[str, str, dict[str, object]]:
    return "L", c.EVENT_ATTEMPT_RESOLVED, {**KEY, c.OUTCOME: outcome}


def task(outcome: str, attempts: int = 1) -> tuple[str, str, dict[str, object]]:
    return "T", "", {c.TASK_RUN_ID: "train-1", c.TASK_ATTEMPTS: attempts, c.OUTCOME: outcome}


def plan(*, report: bool = True, runner_started: bool = False, **more: object) -> SealPlan:
    said = OperatorReport(
        outcome=Outcome.FAILED, message="", timeline=[], receipt=[], environment={},
        runner_started=runner_started,
    )  # fmt: skip
    settings = RunSettings(RunIdentity("uid", "p", "p", 1), "spool", "root", "runs/p/x")
    return SealPlan.model_validate(
        {
            "settings": settings, "sealed_at_unix_nano": 9, "writers": [], "lost": [], "artifacts": [],
            "report": said if report else None, **more,
        }
    )  # fmt: skip


def unheard(*seen: tuple[str, str, dict[str, object]]) -> list[str]:
    watch = MissingWriters()
    for kind, event, named in seen:
        watch.see(kind, event, named)
    return [entry.writer for entry in watch.entries(plan())]


@pytest.mark.parametrize("outcome", ["NODE_LOST", "WORKER_LOST", "OOM_KILLED", "TIMED_OUT"])
def test_an_attempt_that_was_lost_without_a_start_is_unheard(outcome: str) -> None:
    assert unheard(resolved(outcome)) == ["worker of train-1, attempt 1"]


@pytest.mark.parametrize("outcome", ["FAILED", "CANCELLED", "VALUE_LOST"])
def test_an_attempt_that_may_never_have_run_is_not_missed(outcome: str) -> None:
    assert unheard(resolved(outcome), task(outcome)) == []


@pytest.mark.parametrize("heard", [STARTED, SPAN], ids=["start", "span"])
def test_an_attempt_with_a_start_or_a_span_is_heard(heard: tuple[str, str, dict[str, object]]) -> None:
    assert unheard(task("FAILED"), heard, resolved("NODE_LOST")) == []


@pytest.mark.parametrize(
    ("outcome", "missed"), [("SUCCEEDED", [1, 2]), ("FAILED", [1, 2]), ("CANCELLED", [1]), ("SKIPPED", [1])]
)
def test_attempts_that_ended_in_their_own_words_are_missed(outcome: str, missed: list[int]) -> None:
    assert unheard(task(outcome, 2)) == [f"worker of train-1, attempt {number}" for number in missed]


def test_a_runner_whose_count_is_known_was_heard_of() -> None:
    counted = LedgerEntry(writer="runner-1", state="exact", made={"L": 3})

    assert list(MissingWriters().entries(plan(runner_started=True, lost=[counted]))) == []
    assert len(list(MissingWriters().entries(plan(runner_started=True)))) == 1


def test_on_a_laptop_a_process_without_a_record_had_made_none() -> None:
    watch = MissingWriters()
    watch.see(*resolved("WORKER_LOST"))

    assert list(watch.entries(plan(report=False))) == []
