"""A run's status has the same size whatever it ran."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.planning.explorer import live
from tests.planning.runs import a_run, seal_report
from tests.planning.world import Script, World

from vaportrail.contract.outcome import Outcome
from vaportrail_operator.acting.status_writer import status_body
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import Component, Observed, Plan

LONG = "word " * 2000
NAME = "a-name-of-the-forty-characters-there-are"


def with_long_words(observed: Observed) -> Plan:
    """Plan for a run whose pods have much to say, and of which there were ten thousand tasks."""
    pods = []
    for pod in observed.pods:
        message = pod.terminated.message if pod.terminated else ""
        if message and pod.component is Component.RUNNER:
            message = json.dumps({**json.loads(message), "message": LONG, "source_revision": "f" * 40})
        if message and pod.component is Component.SEALER:
            outcomes = {each.value: 10000 for each in Outcome}
            message = seal_report(Outcome.FAILED, message=LONG, tasks=outcomes, lost_spans=10**9)
        terminated = replace(pod.terminated, message=message) if pod.terminated else None
        pods.append(replace(pod, terminated=terminated, waiting=("Unschedulable", LONG)))
    return plan(replace(observed, pods=tuple(pods)))


def test_a_status_is_small_after_ten_thousand_tasks_with_much_to_say() -> None:
    run = a_run({"pipeline": "p" * 63, "record": {"uri": "s3://bucket/" + "x" * 100}}, name=NAME)
    world = live(World(Script(Outcome.FAILED, sealers_lost=1), run=run), planner=with_long_words)
    assert world.run is not None
    printed = json.dumps({"status": status_body(world.run.status)}, indent=4)
    assert len(world.run.status.timeline) == 18
    # The longest names there can be; with the managed fields of the status it stays below 8 KiB.
    assert len(printed) < 7000, printed


def test_the_status_of_a_usual_run_takes_less_than_six_kilobytes() -> None:
    world = live(World())
    assert world.run is not None
    assert len(json.dumps(status_body(world.run.status), indent=4)) < 6000
