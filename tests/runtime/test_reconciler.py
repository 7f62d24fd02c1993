"""A key's way through the reconciler: what fails comes again, what cannot be read ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.small_planner import base, child, pod, run_of, small_plan
from runtime.world import World
from vaportrail_operator.acting.apply import Applier
from vaportrail_operator.acting.client import Forbidden, Unavailable, WebhookUnanswered
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS, RUNS, SECRETS
from vaportrail_operator.observation.observe import Children
from vaportrail_operator.observation.runs import observed_run
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import (
    DeleteRun,
    Observed,
    OperatorSettings,
    Plan,
    SecretState,
    Sweep,
)
from vaportrail_operator.runtime.cache import Cache, Key
from vaportrail_operator.runtime.claims import CLAIM, Claims
from vaportrail_operator.runtime.lease import LeaseLost
from vaportrail_operator.runtime.listing import Lister
from vaportrail_operator.runtime.metrics import Metrics
from vaportrail_operator.runtime.reconciler import Reconciler
from vaportrail_operator.runtime.unreadable import plan_of_unreadable
from vaportrail_operator.runtime.workqueue import Backoff, WorkQueue

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = ("team", "mnist")


class Scene:
    """A reconciler on a world, with a clock of the test's own."""

    def __init__(self, plan: Any = small_plan) -> None:
        self.world = World()
        self.time = 0.0
        self.queue: WorkQueue[Key] = WorkQueue(
            lambda: self.time,
            Backoff(1.0, 60.0, lambda: 1.0),
            refusals=Backoff(10.0, 600.0, lambda: 1.0),
        )
        self.cache = Cache(lambda: self.time, self.queue.add)
        self.metrics = Metrics()
        applier = Applier(
            self.world,
            self.cache,
            now=lambda: NOW,
            token=lambda: "0" * 64,
            instance="test",
            send_event=lambda body: None,
        )
        self.reconciler = Reconciler(
            queue=self.queue,
            cache=self.cache,
            applier=applier,
            plan=plan,
            settings=OperatorSettings("operator", "collector"),
            kuberay=lambda: True,
            now=lambda: NOW,
            metrics=self.metrics,
            claims=Claims(self.world, "system/operator", clock=lambda: self.time, now=lambda: NOW, live=list),
            sweep_of_gone=lambda key: asyncio.sleep(0, None),
        )

    def work(self, seconds: int = 0) -> None:
        """Work on what is ready, until nothing is, and that again each second."""

        async def main() -> None:
            await Lister(self.world, self.cache).list_all()
            working = asyncio.create_task(self.reconciler.work())
            for second in range(seconds + 1):
                self.time = float(second)
                # Nothing in memory makes a step wait: one turn is enough for all that is ready.
                while self.queue.depth or self.queue.at_work:
                    await asyncio.sleep(0)
            self.queue.close()
            await working

        asyncio.run(main())

    @property
    def changes(self) -> list[str]:
        """What was changed, but for the claim on the namespace."""
        return [call for call in self.world.calls if not call.endswith(f"Lease/{CLAIM}")]

    def counted(self, result: str) -> bool:
        return f'vaportrail_reconcile_total{{result="{result}"}} 1.0'.encode() in self.metrics.text()


@pytest.mark.parametrize(
    ("error", "result", "delay"),
    [
        (Unavailable("no answer"), "unavailable", 1.0),
        (Unavailable("later", retry_after=7.0), "unavailable", 7.0),
        # Beyond the usual delay as far as the plan allows, which wants to look again after 5 s.
        (Forbidden("exceeded quota"), "refused", 5.0),
        (WebhookUnanswered("failed calling webhook", status=500), "refused", 5.0),
        (LeaseLost("another holds it"), "left", 1.0),
        (ZeroDivisionError("a bug"), "error", 10.0),
    ],
)
def test_a_step_that_fails_comes_again_later(error: Exception, result: str, delay: float) -> None:
    scene = Scene()
    scene.world.put(RUNS, run_of())

    def fail(call: str) -> None:
        if call.startswith("status"):
            raise error

    scene.world.before = fail
    scene.work()
    assert scene.counted(result)
    assert scene.queue.retries == 1
    scene.time = delay - 0.1
    assert scene.queue.depth == 0
    scene.time = delay
    assert scene.queue.depth == 1


def test_a_run_is_looked_at_again_when_its_plan_says_so() -> None:
    def plan(observed: Observed) -> Plan:
        return Plan(observed.run.status, requeue_after=30.0)

    scene = Scene(plan)
    scene.world.put(RUNS, run_of())
    scene.work()
    scene.time = 30.0
    assert scene.queue.depth == 1


def test_a_plan_that_never_comes_to_rest_is_slowed_down(caplog: pytest.LogCaptureFixture) -> None:
    def plan(observed: Observed) -> Plan:
        return Plan(observed.run.status, (Sweep(),))

    async def main() -> None:
        scene = Scene(plan)
        scene.world.put(RUNS, run_of())
        await Lister(scene.world, scene.cache).list_all()
        working = asyncio.create_task(replace(scene.reconciler, pause=60.0).work())
        while "going on more slowly" not in caplog.text:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert b'vaportrail_reconcile_total{result="ok"} 49.0' in scene.metrics.text()
        working.cancel()

    asyncio.run(main())


def test_a_key_whose_run_is_gone_is_forgotten() -> None:
    scene = Scene()
    scene.queue.add(KEY)
    scene.work()
    assert scene.counted("ok")
    assert scene.world.calls == []


def test_a_run_that_cannot_be_read_ends_with_the_reason_and_without_its_objects() -> None:
    scene = Scene()
    raw = run_of(ray={"workers": "many"}) | {
        "status": {"phase": "Running", "startTime": "2026-01-02T03:00:00Z"}
    }
    uid = scene.world.put(RUNS, raw)["metadata"]["uid"]
    first = base("mnist", uid)
    scene.world.put(RAY_CLUSTERS, child("ray.io/v1", "RayCluster", first, "mnist", uid))
    scene.world.put(PODS, pod(f"{first}-runner", "mnist", uid, "runner"))
    scene.work()
    status = scene.world.status("mnist")
    assert (status["phase"], status["reason"]) == ("Failed", "InvalidSpec")
    assert "spec.ray.workers" in status["message"]
    assert status["startTime"] == "2026-01-02T03:00:00Z"
    assert {each["type"]: each["status"] for each in status["conditions"]} == {
        "Succeeded": "False",
        "Finished": "True",
    }
    assert scene.world.left() == []


def test_a_run_that_ended_and_cannot_be_read_stays_as_it_is() -> None:
    scene = Scene()
    scene.world.put(RUNS, run_of(ray={"workers": "many"}) | {"status": {"phase": "Succeeded"}})
    scene.work()
    assert scene.world.status("mnist") == {"phase": "Succeeded"}


def test_the_record_of_a_run_that_cannot_be_read_is_not_open_any_more() -> None:
    scene = Scene()
    record = {"uri": "s3://runs/ml/runs/mnist/it", "state": "Open"}
    scene.world.put(
        RUNS, run_of(ray={"workers": "many"}) | {"status": {"phase": "Running", "record": record}}
    )
    scene.work()
    status = scene.world.status("mnist")
    assert status["record"] == {**record, "state": "Unsealed"}
    assert "`vaportrail seal` can seal them" in status["message"]


def test_a_run_that_cannot_be_read_leaves_no_secret() -> None:
    scene = Scene()
    raw = run_of(ray={"workers": "many"}) | {"status": {"phase": "Running"}}
    uid = scene.world.put(RUNS, raw)["metadata"]["uid"]
    scene.world.put(SECRETS, child("v1", "Secret", f"{base('mnist', uid)}-tokens", "mnist", uid))
    scene.work()
    assert scene.world.of(SECRETS) == []
    assert scene.cache.secret(uid) is SecretState.GONE


def test_a_run_that_cannot_be_read_is_deleted_when_its_time_to_live_is_over() -> None:
    scene = Scene(plan)
    ended = (NOW - timedelta(seconds=31)).isoformat()
    raw = run_of(ray="many", ttlSecondsAfterFinished=30)
    scene.world.put(RUNS, raw | {"status": {"phase": "Failed", "completionTime": ended}})
    scene.work()
    assert scene.world.of(RUNS) == []


def test_a_run_that_cannot_be_read_is_looked_at_again_when_its_time_to_live_is_over() -> None:
    scene = Scene()
    scene.world.put(RUNS, run_of(ray="many", ttlSecondsAfterFinished=30))
    scene.work()
    assert len(scene.world.of(RUNS)) == 1
    scene.time = 30.0
    assert scene.queue.depth == 1


def test_a_run_that_cannot_be_read_is_not_asked_again_and_again_to_go() -> None:
    ended = (NOW - timedelta(seconds=31)).isoformat()
    raw = run_of(ray="many", ttlSecondsAfterFinished=30)
    raw["metadata"] |= {"uid": "run-uid", "resourceVersion": "1"}
    seen = observed_run(raw | {"status": {"phase": "Failed", "completionTime": ended}})
    planned = plan_of_unreadable(seen, Children((), ()), now=NOW, secret=SecretState.GONE)
    assert (planned.actions, planned.requeue_after) == ((DeleteRun(),), None)


@pytest.mark.parametrize("phase", ["Failed", "Running"])
def test_a_run_that_cannot_be_read_and_is_being_deleted_is_left_alone(phase: str) -> None:
    scene = Scene()
    ended = (NOW - timedelta(seconds=31)).isoformat()
    raw = run_of(ray="many", ttlSecondsAfterFinished=30)
    raw["metadata"] |= {"deletionTimestamp": ended, "finalizers": ["example.invalid/theirs"]}
    scene.world.put(RUNS, raw | {"status": {"phase": phase, "completionTime": ended}})
    scene.world.calls.clear()
    scene.work()
    assert scene.changes == []


def test_a_run_whose_status_cannot_be_read_is_left_alone() -> None:
    scene = Scene()
    status = {"phase": "Hibernating", "conditions": [{"type": "Odd"}]}
    uid = scene.world.put(RUNS, run_of() | {"status": status})["metadata"]["uid"]
    scene.world.put(PODS, pod("runner", "mnist", uid, "runner"))
    scene.world.calls.clear()
    scene.work()
    assert scene.changes == []
    assert scene.world.status("mnist") == status


class Refusing(Scene):
    """A scene in which runners are refused, and the plan says in the status that they are."""

    def __init__(self) -> None:
        def plan(observed: Observed) -> Plan:
            planned = replace(small_plan(observed), requeue_after=self.again)
            return replace(
                planned,
                status=planned.status.model_copy(
                    update={"message": observed.refused.text if observed.refused else ""}
                ),
            )

        super().__init__(plan)
        self.quota = True
        self.again: float | None = None
        self.words = "exceeded quota: compute"
        self.refused = 0
        self.world.before = self._refuse
        self.world.put(RUNS, run_of())

    def _refuse(self, call: str) -> None:
        # A storm has an end here, so that its test fails and does not hang.
        if self.quota and self.refused < 100 and call.startswith("create Pod/"):
            name = call.removeprefix("create Pod/")
            self.refused += 1
            said = self.words.format(self.refused)
            raise Forbidden(f'pods "{name}" is forbidden: {said}', status=403)

    def bring_on(self) -> int:
        """Take as many steps as a small run ever needs; returns how many were refused."""

        async def main() -> int:
            await Lister(self.world, self.cache).list_all()
            refused = 0
            for _ in range(12):
                try:
                    await self.reconciler.step(KEY)
                except Forbidden:
                    refused += 1
            return refused

        return asyncio.run(main())

    @property
    def runner(self) -> str:
        return f"{base('mnist', self.world.of(RUNS)[0]['metadata']['uid'])}-runner"


def test_a_refused_step_is_tried_again_and_the_next_one_says_why_in_the_status() -> None:
    scene = Refusing()
    assert scene.bring_on() > 1
    said = "runner pod cannot be made: exceeded quota: compute"
    assert scene.world.status("mnist")["message"] == said


def test_a_step_that_is_refused_for_the_same_reason_again_writes_nothing() -> None:
    scene = Refusing()
    scene.bring_on()
    scene.world.calls.clear()
    scene.bring_on()
    assert scene.world.calls == []


def test_a_status_says_nothing_of_a_refusal_once_the_object_is_made() -> None:
    scene = Refusing()
    scene.bring_on()
    scene.quota = False
    assert scene.bring_on() == 0
    assert [raw["metadata"]["name"] for raw in scene.world.of(PODS)] == [scene.runner]
    assert "message" not in scene.world.status("mnist")


def test_a_status_says_nothing_of_a_refusal_once_the_object_is_not_wanted() -> None:
    scene = Refusing()
    scene.bring_on()
    run = scene.world.of(RUNS)[0]
    run["spec"]["cancel"] = True
    scene.world.put(RUNS, run)
    scene.bring_on()
    status = scene.world.status("mnist")
    assert (status["phase"], status.get("message", "")) == ("Succeeded", "")


def test_a_refusal_in_other_words_each_time_is_tried_ever_more_slowly() -> None:
    scene = Refusing()
    scene.words = "denied the request: [request {}]"
    scene.work(seconds=1300)
    # At 0, 10, 30, 70, 150, 310, 630 and 1230 s, and each time with the words of before.
    assert scene.refused == 8
    assert scene.world.status("mnist")["message"].endswith("[request 7]")


def test_a_refused_run_does_not_wait_beyond_the_deadline_that_its_plan_names() -> None:
    scene = Refusing()
    scene.again = 20.0
    scene.work(seconds=100)
    # At 0, 10, 30, 50, 70 and 90 s.
    assert scene.refused == 6
