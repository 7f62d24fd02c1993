"""What the probes and the metrics say."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from runtime.test_runtime_cache import service
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.health import Health
from vaportrail_operator.runtime.metrics import Metrics, Readings
from vaportrail_operator.runtime.server import serving
from vaportrail_operator.runtime.workqueue import Backoff, WorkQueue


class Scene:
    def __init__(self) -> None:
        self.time = 0.0
        self.down = 0.0
        self.renewed = True
        self.cache = Cache(lambda: self.time, lambda key: None)
        self.health = Health(
            self.cache, lambda: self.down, lambda: self.renewed, listed=True, hearing_limit=180.0
        )


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_operator_that_works_is_alive_and_ready(scene: Scene) -> None:
    assert scene.health.problems() == []
    assert scene.health.unready() == []


def test_an_operator_that_has_not_listed_yet_is_alive_but_not_ready(scene: Scene) -> None:
    scene.health.listed, scene.renewed, scene.down = False, False, 10_000.0
    assert scene.health.problems() == []
    assert scene.health.unready() == ["it has not listed yet what there is"]


def test_an_operator_whose_lease_lapsed_and_that_goes_on_is_a_problem(scene: Scene) -> None:
    scene.renewed = False
    assert scene.health.problems() == ["its Lease is over, and it has not ended"]
    assert scene.health.unready() == scene.health.problems()


def test_a_watch_that_does_not_say_what_a_list_said_is_dead(scene: Scene) -> None:
    scene.cache.put(service(5))
    scene.time = 181.0
    assert scene.health.problems() == ["the watch of Service has owed something for 181 s"]
    scene.cache.put(service(5), from_watch=True)
    assert scene.health.problems() == []


def test_watches_that_do_not_come_back_are_a_problem_after_a_while(scene: Scene) -> None:
    scene.down = 1.0
    assert (scene.health.problems(), scene.health.unready()) == ([], ["nothing is watched"])
    scene.down = 181.0
    assert scene.health.problems() == ["nothing has been watched for 181 s"]


def test_the_metrics_have_prometheus_form_and_no_runs_name(scene: Scene) -> None:
    metrics = Metrics()
    metrics.reconciles.labels("ok").inc()
    queue: WorkQueue[str] = WorkQueue(lambda: scene.time, Backoff(1.0, 1.0, lambda: 1.0))
    for key in ("one", "two", "three"):
        queue.add(key)
    assert asyncio.run(queue.get()) == "one"
    queue.retry("four")
    scene.time = 1.5
    metrics.read_from(
        Readings(
            queue=queue,
            leads=lambda: True,
            lease_left=lambda: 10.0,
            others=lambda: 2,
            unserved=lambda: {"team-a": 4},
            phases=lambda: ["Running", "", "Failed"],
            watch_lag=lambda: {"Pod": 2.0},
        )
    )
    lines = metrics.text().decode().splitlines()
    for line in (
        'vaportrail_reconcile_total{result="ok"} 1.0',
        "vaportrail_workqueue_depth 3.0",
        "vaportrail_workqueue_oldest_seconds 1.5",
        "vaportrail_workqueue_longest_step_seconds 1.5",
        "vaportrail_workqueue_retries_total 1.0",
        "vaportrail_leader 1.0",
        "vaportrail_lease_left_seconds 10.0",
        "vaportrail_namespaces_of_others 2.0",
        'vaportrail_unserved_live_runs{namespace="team-a"} 4.0',
        "vaportrail_events_dropped_total 0.0",
        'vaportrail_runs{phase="Running"} 1.0',
        'vaportrail_runs{phase="Pending"} 1.0',
        'vaportrail_runs{phase="Succeeded"} 0.0',
        'vaportrail_watch_lag_seconds{kind="Pod"} 2.0',
    ):
        assert line in lines


def test_the_port_answers_probes_with_the_reason() -> None:
    async def main() -> None:
        said: list[str] = []
        async with (
            serving(0, metrics=lambda: b"metric 1\n", problems=list, unready=lambda: said) as port,
            aiohttp.ClientSession() as session,
        ):
            for path, status, text in (
                ("healthz", 200, "ok"),
                ("readyz", 200, "ok"),
                ("metrics", 200, "metric 1\n"),
            ):
                async with session.get(f"http://127.0.0.1:{port}/{path}") as reply:
                    assert (reply.status, await reply.text()) == (status, text)
            said.append("nothing is watched")
            async with session.get(f"http://127.0.0.1:{port}/readyz") as reply:
                assert (reply.status, await reply.text()) == (503, "nothing is watched")

    asyncio.run(main())
