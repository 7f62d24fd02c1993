"""From a run's annotations to what its processes are told of when it was due."""

from __future__ import annotations

from typing import Any

import pytest
from tests.crd.messages import RUN

from vaportrail_operator.observation.runs import kept_run
from vaportrail_operator.planning.children.runner import run_request

DUE, BEFORE = "vaportrail.dev/scheduled-time", "vaportrail.dev/previous-scheduled-time"


def told(annotations: Any) -> tuple[str, str]:
    metadata = {
        **RUN["metadata"],
        "uid": "0f0f0f0f-1111-2222-3333-444444444444",
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "annotations": annotations,
    }
    seen = kept_run({**RUN, "metadata": metadata}).read()
    assert seen.problems == ()
    identity = run_request(seen.run).identity
    return identity.scheduled_time, identity.previous_scheduled_time


def test_the_runner_is_told_when_its_run_was_due() -> None:
    times = {DUE: "2027-03-28T04:00:00Z", BEFORE: "2027-03-27T06:00:00+01:00"}
    assert told(times) == ("2027-03-28T04:00:00Z", "2027-03-27T05:00:00Z")


@pytest.mark.parametrize(
    "annotations", [None, {}, [], {DUE: ""}, {DUE: 7}, {DUE: "2027-03-28T04:00:00"}, {DUE: "a" * 99999}]
)
def test_what_is_no_time_is_told_to_nobody(annotations: Any) -> None:
    assert told(annotations) == ("", "")


def test_no_other_annotation_is_kept() -> None:
    metadata = {**RUN["metadata"], "annotations": {"kubectl.kubernetes.io/last-applied": "x" * 100_000}}
    assert len(kept_run({**RUN, "metadata": metadata}).packed) < 1000
