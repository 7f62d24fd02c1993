"""What is counted of runs: each end once, from zero, by no run's name; and of calls of the API."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from vaportrail.contract.outcome import Outcome
from vaportrail.crd.status import Loss, Phase, PipelineRunStatus, RecordStatus
from vaportrail_operator.runtime.metrics import STEP_RESULTS, Metrics

KEY = ("team-a", "mnist")


class Scene:
    """Metrics, and a clock that the test moves."""

    def __init__(self) -> None:
        self.time = 0.0
        self.metrics = Metrics(lambda: self.time)

    def saw(self, phase: str, key: tuple[str, str] = KEY, *, after: float = 0.0, **status: Any) -> None:
        self.time += after
        self.metrics.runs.saw(key, phase, lambda: PipelineRunStatus(phase=phase, **status))

    def samples(self) -> dict[tuple[str, ...], float]:
        """Return all samples of our own by name and labels' values, in the order of the labels' names."""
        families = text_string_to_metric_families(self.metrics.text().decode())
        return {
            (each.name, *each.labels.values()): each.value
            for family in families
            for each in family.samples
            if each.name.startswith("vaportrail_") and not each.name.endswith("_created")
        }

    def changed(self, name: str) -> dict[tuple[str, ...], float]:
        """Return the series of this name that are not 0 any more, by their labels."""
        return {key[1:]: value for key, value in self.samples().items() if key[0] == name and value}


def record(state: str = "Sealed", loss: str | None = "None") -> RecordStatus:
    return RecordStatus(uri="s3://b/r", state=state, loss=Loss(state=loss) if loss else None)  # type: ignore[arg-type]


def test_every_series_is_there_from_the_beginning_at_zero() -> None:
    samples = Scene().samples()
    for end in ("Succeeded", "Failed", "Cancelled"):
        for outcome in (*Outcome, "UNKNOWN"):
            assert samples["vaportrail_runs_finished_total", outcome, end] == 0
    for loss in ("None", "Counted", "Unknown", "Unsealed"):
        assert samples["vaportrail_records_total", loss] == 0
    for phase in ("Pending", "Provisioning", "Running", "Releasing", "Sealing"):
        assert samples["vaportrail_run_phase_seconds_count", phase] == 0
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        for result in ("ok", "not_found", "conflict", "refused", "unavailable"):
            assert samples["vaportrail_api_calls_total", method, result] == 0
    for step in STEP_RESULTS:
        assert samples["vaportrail_reconcile_total", step] == 0


def test_a_run_that_ends_is_counted_once_with_what_its_code_did_and_its_record() -> None:
    scene = Scene()
    scene.saw("Running")
    for _ in range(3):
        scene.saw("Failed", outcome="OOM_KILLED", record=record(loss="Counted"))
    assert scene.changed("vaportrail_runs_finished_total") == {("OOM_KILLED", "Failed"): 1}
    assert scene.changed("vaportrail_records_total") == {("Counted",): 1}


@pytest.mark.parametrize(
    ("given", "counted"),
    [
        (record("Unsealed", None), {("Unsealed",): 1}),
        (record("Sealed", "Unknown"), {("Unknown",): 1}),
        (record("Sealed", None), {("None",): 1}),
        (None, {}),
    ],
)
def test_a_record_counts_by_what_is_missing_in_it(
    given: RecordStatus | None, counted: dict[tuple[str, ...], float]
) -> None:
    scene = Scene()
    scene.saw("Sealing")
    scene.saw("Failed", outcome="FAILED", record=given)
    assert scene.changed("vaportrail_records_total") == counted


def test_a_run_that_never_ran_has_an_unknown_outcome_and_no_word_becomes_a_series() -> None:
    scene = Scene()
    for outcome in ("", "of a later operator"):
        scene.saw("Pending")
        scene.saw("Failed", outcome=outcome)
    assert scene.changed("vaportrail_runs_finished_total") == {("UNKNOWN", "Failed"): 2}


def test_what_had_ended_before_this_operator_came_counts_for_nothing() -> None:
    scene = Scene()
    scene.saw("Succeeded", outcome="SUCCEEDED", record=record())
    assert not scene.changed("vaportrail_runs_finished_total")
    assert scene.metrics.runs.followed == 0


def test_phases_are_measured_as_they_are_left() -> None:
    scene = Scene()
    scene.saw("")
    scene.saw("Provisioning", after=2.0)
    scene.saw("Provisioning", after=1.0)
    scene.saw("Running", after=19.0)
    scene.saw("Cancelled", after=100.0, outcome="CANCELLED")
    assert scene.changed("vaportrail_run_phase_seconds_sum") == {
        ("Pending",): 2.0, ("Provisioning",): 20.0, ("Running",): 100.0
    }  # fmt: skip


def test_series_do_not_grow_with_runs_or_namespaces_and_nothing_is_kept_of_what_ended() -> None:
    scene = Scene()
    before = scene.samples().keys()
    for number in range(300):
        key = (f"team-{number}", f"run-{number}")
        for phase in Phase:
            scene.saw(phase, key, outcome="FAILED")
            if phase.terminal:
                break
    scene.saw("Running", ("team", "deleted"))
    scene.metrics.runs.gone(("team", "deleted"))
    assert scene.samples().keys() == before
    assert scene.metrics.runs.followed == 0


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, "ok"), (201, "ok"), (404, "not_found"), (410, "not_found"), (409, "conflict"),
        (403, "refused"), (422, "refused"),
        (429, "unavailable"), (500, "unavailable"), (503, "unavailable"), (0, "unavailable"),
    ],
)  # fmt: skip
def test_calls_count_by_how_they_went(status: int, result: str) -> None:
    scene = Scene()
    scene.metrics.call("PATCH", status)
    assert scene.changed("vaportrail_api_calls_total") == {("PATCH", result): 1}
