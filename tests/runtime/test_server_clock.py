"""The operator counts by the API server's time, whatever its own machine's clock says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from runtime.http_world import HttpWorld, served
from runtime.small_planner import run_of
from runtime.test_operator_in_memory import ENVIRONMENT, in_time, watching
from vaportrail_operator.acting.endpoints import RUNS
from vaportrail_operator.acting.server_clock import ServerClock
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.runtime.process import Operator

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Scene:
    """A machine and an API server, with a clock each."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.local_off = self.server_off = timedelta()
        self.clock = ServerClock(lambda: self.seconds, lambda: self.true + self.local_off)

    @property
    def true(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def reply(self) -> None:
        self.clock.observe(format_datetime(self.true + self.server_off, usegmt=True))

    @property
    def off(self) -> timedelta:
        """How far the clock is off the true time."""
        return self.clock.now() - self.true


@pytest.fixture
def scene() -> Scene:
    return Scene()


def near(found: timedelta, wanted: timedelta = timedelta()) -> bool:
    return abs(found - wanted) <= timedelta(seconds=1)


def test_the_machines_time_counts_until_there_is_a_reply(scene: Scene) -> None:
    scene.local_off = HOUR
    assert scene.off == HOUR
    scene.clock.observe("")
    scene.clock.observe("yesterday")
    scene.clock.observe("Fri, 31 Dec 9999 23:59:59 -1400")
    assert scene.off == HOUR


def test_a_clock_that_agrees_is_kept_as_exact_as_it_is(scene: Scene) -> None:
    scene.local_off = timedelta(milliseconds=250)
    scene.reply()
    assert scene.off == timedelta(milliseconds=250)


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_clock_that_is_wrong_by_hours_does_not_count(
    scene: Scene, hours: int, caplog: pytest.LogCaptureFixture
) -> None:
    scene.local_off = hours * HOUR
    scene.reply()
    assert near(scene.off)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("this machine's clock is ")


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_jump_of_the_machines_clock_does_not_count(scene: Scene, jump: timedelta) -> None:
    scene.reply()
    scene.local_off = jump
    for _ in range(1000):
        scene.seconds += 1.0
        scene.reply()
    assert near(scene.off)


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_jump_of_the_api_servers_clock_counts_only_when_it_lasts(scene: Scene, jump: timedelta) -> None:
    scene.reply()
    scene.server_off = jump
    for _ in range(299):
        scene.seconds += 1.0
        scene.reply()
    assert near(scene.off)
    scene.server_off = timedelta()
    scene.reply()
    scene.server_off = jump
    for _ in range(290):
        scene.seconds += 1.0
        scene.reply()
    assert near(scene.off)
    for _ in range(20):
        scene.seconds += 1.0
        scene.reply()
    assert near(scene.off, jump)


def test_one_of_several_api_servers_that_is_wrong_is_not_followed(scene: Scene) -> None:
    scene.reply()
    for number in range(2000):
        scene.seconds += 1.0
        scene.server_off = HOUR if number % 3 else timedelta()
        scene.reply()
    assert near(scene.off)


@pytest.mark.parametrize("hours", [-2, 2])
def test_an_operator_whose_clock_is_hours_off_deletes_a_run_when_its_time_has_come(hours: int) -> None:
    def run(name: str, seconds_ago: float) -> dict[str, object]:
        ended = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()
        status = {"phase": "Succeeded", "completionTime": ended}
        return run_of(name, ttlSecondsAfterFinished=1800) | {"status": status}

    async def work() -> None:
        http = HttpWorld()
        http.world.put(RUNS, run("young", 10.0))
        http.world.put(RUNS, run("old", 1810.0))
        clock = ServerClock(time.monotonic, lambda: datetime.now(UTC) + hours * HOUR)
        async with served(http, clock.observe) as client:
            stop = asyncio.Event()
            operator = Operator(ENVIRONMENT, client, plan, watching(http.world), now=clock.now)
            task = asyncio.create_task(operator.run(stop))
            await until(lambda: "delete PipelineRun/old" in http.world.calls, task)
            stop.set()
            assert await task == 0
        assert [raw["metadata"]["name"] for raw in http.world.of(RUNS)] == ["young"]

    in_time(work)


async def until(condition: Callable[[], bool], task: asyncio.Task[int]) -> None:
    while not condition():
        assert not task.done(), await task
        await asyncio.sleep(0.005)
