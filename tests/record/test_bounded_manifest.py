"""A manifest stays below its limit whatever the run, and says what it has no room for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.made_facts import make_head

from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.record.bounded_manifest import MANIFEST_BYTES, METRICS, bounded
from vaportrail.record.manifest import Manifest, ReceiptEntry, TimelineEntry, VerdictInfo
from vaportrail.record.rows import MetricInfo
from vaportrail.record.run_facts import Facts

MANY = 20_000
LONG = "w" * 1_000


def verdict(**changed: Any) -> VerdictInfo:
    return make_head().verdict.model_copy(update=changed)


def metric(number: int, name: str = "loss") -> MetricInfo:
    return MetricInfo(
        task=f"train-{number}", name=f"{name}-{number}", count=1, last=0.5, last_step=None, min=0.5, max=0.5
    )


def receipt(number: int) -> ReceiptEntry:
    return ReceiptEntry(object=f"Pod/{number}", uid=LONG, count=1, created="", removed="")


RUN = make_head().run
LARGE: dict[str, dict[str, Any]] = {
    "parameters": {"run": RUN.model_copy(update={"parameters": {f"p{n}": LONG for n in range(MANY)}})},
    "tags": {"run": RUN.model_copy(update={"tags": {f"t{n}": LONG for n in range(MANY)}})},
    "name": {"run": RUN.model_copy(update={"name": "é" * 2**20})},
    "message": {"verdict": verdict(message="m" * 2**20)},
    "failure.traceback": {"verdict": verdict(failure=Failure("E", "m", "t" * 2**20))},
    "outcomes": {"verdict": verdict(tasks={f"WORD_{n}": n for n in range(MANY)})},
    "environment": {"environment": {f"e{n}": {"packages": LONG} for n in range(MANY)}},
    "timeline": {"timeline": [TimelineEntry(name=f"m{n}", time="") for n in range(MANY)]},
    "receipt": {"receipt": [receipt(n) for n in range(MANY)]},
    "metrics": {"metrics": [metric(n, LONG) for n in range(METRICS)], "totals": {"metrics": MANY}},
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_is_cut_and_counted(name: str) -> None:
    made, _ = bounded(make_head(**LARGE[name]))

    assert len(made.to_bytes()) <= MANIFEST_BYTES
    assert made.left_out[name] > 0
    assert Manifest.model_validate_json(made.to_bytes()) == made


def test_all_of_it_at_once_is_below_the_limit() -> None:
    whole = make_head(
        run=RUN.model_copy(
            update={
                "parameters": {f"p{n}": LONG for n in range(MANY)},
                "tags": {"t": LONG * 10},
                "name": LONG,
            }
        ),
        verdict=verdict(failure=Failure("E", "\x00" * 2**20, "\x00" * 2**20), message="\x00" * 2**20),
        environment={f"e{n}": LONG for n in range(MANY)},
        timeline=[TimelineEntry(name=LONG, time="") for n in range(MANY)],
        receipt=[receipt(n) for n in range(MANY)],
        metrics=[metric(n, LONG) for n in range(METRICS)],
    )

    assert len(bounded(whole)[0].to_bytes()) <= MANIFEST_BYTES


def test_a_small_manifest_is_left_as_it_is() -> None:
    whole = make_head(metrics=[metric(1)], totals={"metrics": 1})

    assert bounded(whole) == (whole, [])


def test_what_is_cut_is_whole_in_the_rows() -> None:
    whole = make_head(**LARGE["parameters"], **LARGE["timeline"], **LARGE["environment"])
    made, sections = bounded(whole)
    facts = Facts(made, lambda: sections)

    assert facts.parameters == whole.run.parameters
    assert facts.environment == whole.environment
    assert facts.timeline == whole.timeline
    assert json.loads(facts.to_json())["run"]["parameters"] == whole.run.parameters


def test_a_later_versions_outcome_is_kept_as_its_word() -> None:
    content = json.loads(make_head().to_bytes())
    content["verdict"]["outcome"] = "PREEMPTED"
    outcome = Manifest.model_validate(content).verdict.outcome

    assert (outcome.value, outcome.ok, outcome.ended) == ("PREEMPTED", False, True)
    assert isinstance(outcome, Outcome)


@pytest.mark.parametrize("word", ["", "preempted", "A B", "X" * 41, 7, None])
def test_what_no_version_writes_is_no_outcome(word: Any) -> None:
    content = json.loads(make_head().to_bytes())
    content["verdict"]["outcome"] = word

    with pytest.raises(ValueError, match="outcome"):
        Manifest.model_validate(content)
