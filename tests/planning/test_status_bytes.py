"""A run's status has the same size whatever it ran, is called and has to say: in bytes as printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.planning.explorer import Planner, live
from tests.planning.observations import observations
from tests.planning.runs import a_run, seal_report
from tests.planning.world import Script, World

from vaportrail.contract.outcome import Outcome
from vaportrail.crd.status import (
    PipelineRunStatus,
    printed_bytes,
    shortened,
)
from vaportrail.crd.validation.spec_rules import ROOT_BYTES
from vaportrail_operator.acting.status_writer import status_body
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.status_size import STATUS_BYTES, fitted
from vaportrail_operator.planning.types import Component, Observed, Plan, Refusal

NAME = "a-name-of-the-forty-characters-there-are"
WORDS = {
    "words": "word ",
    "multibyte": "\N{CJK UNIFIED IDEOGRAPH-4E00}",
    "beyond the first plane": "\N{GRINNING FACE}",
    "what JSON escapes": '\\"\n\0',
    "what HTML has": "<&>",
    "line separators": "\u2028",
}


def printed(status: PipelineRunStatus) -> int:
    """Return how many bytes `kubectl get -o json` prints of a status: as Go writes JSON."""
    text = json.dumps({"status": status_body(status)}, indent=4, ensure_ascii=False)
    for each in "<>&\u2028\u2029":
        text = text.replace(each, "\\u0000")
    return len(text.encode())


def root(word: str) -> str:
    """Return the longest root of such characters as it can have."""
    text, fits = "s3://bucket/", "".join(each for each in word if not each.isspace()) or "x"
    while printed_bytes(text + fits) <= ROOT_BYTES:
        text += fits
    return text


def with_long_words(long: str) -> Planner:
    """Return a planner for a run whose pods have much to say, and of which there were ten thousand tasks."""

    def planned(observed: Observed) -> Plan:
        pods = []
        for pod in observed.pods:
            message = pod.terminated.message if pod.terminated else ""
            if message and pod.component is Component.RUNNER:
                told = {"message": long, "source_revision": long[:200]}
                message = json.dumps({**json.loads(message), **told})
            if message and pod.component is Component.SEALER:
                outcomes = {each.value: 10000 for each in Outcome}
                message = seal_report(Outcome.FAILED, message=long, tasks=outcomes, lost_spans=10**9)
            terminated = replace(pod.terminated, message=message) if pod.terminated else None
            waiting = ("Unschedulable", long)
            pods.append(replace(pod, terminated=terminated, waiting=waiting, image_id=f"x@{long}"))
        return plan(replace(observed, pods=tuple(pods), refused=Refusal(long, 403, observed.now)))

    return planned


def hold(world: World) -> None:
    """Keep every pod there is, as a finalizer of somebody's does: there is much to be left behind."""
    world.held |= world.pods.keys()


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("disturb", [lambda world: None, hold], ids=["usual", "everything left behind"])
def test_a_status_is_small_after_ten_thousand_tasks_with_much_to_say(
    disturb: Callable[[World], None], word: str
) -> None:
    largest: list[PipelineRunStatus] = []

    def look(world: World) -> None:
        disturb(world)
        if world.run is not None:
            largest[:] = sorted([*largest, world.run.status], key=printed)[-1:]

    spec = {"pipeline": "p" * 63, "record": {"uri": root(word)}, "deadlines": {"releaseSeconds": 210}}
    workers = [{"name": "w" * 32, "replicas": 12}]
    world = World(
        Script(Outcome.FAILED, sealers_lost=1), run=a_run({**spec, "ray": {"workers": workers}}, name=NAME)
    )
    live(world, planner=with_long_words(word * 2000), on_look=look)
    assert world.run is not None
    assert world.run.status.phase == "Failed"
    assert len(world.run.status.timeline) >= 18
    assert printed(largest[0]) <= STATUS_BYTES
    assert fitted(world.run.status) == world.run.status


def test_the_status_of_a_usual_run_takes_less_than_six_kilobytes_and_has_all_its_words() -> None:
    world = live(World())
    assert world.run is not None
    assert printed(world.run.status) < 6000
    (proof,) = [each.message for each in world.run.status.conditions if each.type == "NothingLeftBehind"]
    assert proof.endswith("found nothing")


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(observations())
def test_no_plan_writes_a_status_that_is_larger(observed: Observed) -> None:
    status = plan(observed).status
    if status != observed.run.status and status.completion_time != observed.run.status.completion_time:
        assert printed(status) <= STATUS_BYTES


# What comes before the newline and after the tabulator differs between versions of Go.
odd = st.characters(codec="utf-8", exclude_characters="\b\f")


@given(st.text(odd, max_size=60).map(lambda text: text * 9), st.integers(3, 300))
def test_a_text_is_bounded_by_what_is_printed_of_it(text: str, limit: int) -> None:
    short = shortened(text, limit)
    printed_text = json.dumps(short, ensure_ascii=False)[1:-1]
    for each in "<>&\u2028\u2029":
        printed_text = printed_text.replace(each, "\\u0000")
    assert len(printed_text.encode()) == printed_bytes(short) <= limit
    assert short == text or (short[-1] == "…" and text.startswith(short[:-1]))
