"""Schedules on a real API server, by the operator's process, with a clock of the test's own."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api_server import CRD, SCHEDULES_CRD, ApiServer, api_server
from runtime import clocked_operator
from runtime.operator_process import SYSTEM, Operator, Team, chart_rules, create, grant, until
from runtime.small_planner import run_of
from runtime.test_real_api_server import LEASE_RULES, installed, ray_crd

pytestmark = pytest.mark.api_server
RESOURCE = "pipelineschedules.vaportrail.dev"


class Minutes:
    """A schedule for each minute, the operator that brings it on, and the operator's clock."""

    def __init__(self, server: ApiServer, folder: Path, **spec: Any) -> None:
        self.server = server
        self.team = Team(server, f"team-{random.randrange(10**9)}")
        grant(server, self.team.name, "operator", chart_rules())
        self._clock = folder / "ahead"
        self._ahead = 0.0
        self.pass_minutes(0)
        settings = {**installed(self.team), clocked_operator.AHEAD: str(self._clock)}
        self.operator = Operator(server, folder / "operator.log", **settings)
        self.operator.command = [sys.executable, str(Path(clocked_operator.__file__))]
        self.births = self.team.births("apis/vaportrail.dev/v1alpha1/pipelineruns")
        metadata = {"name": "minutely", "namespace": self.team.name}
        create(
            server,
            {
                "apiVersion": "vaportrail.dev/v1alpha1",
                "kind": "PipelineSchedule",
                "metadata": metadata,
                "spec": {"schedule": "* * * * *", "template": {"spec": run_of("any")["spec"]}, **spec},
            },
        )

    def pass_minutes(self, minutes: float) -> None:
        self._ahead += minutes * 60
        new = self._clock.with_suffix(".new")
        new.write_text(str(self._ahead))
        new.replace(self._clock)

    @property
    def status(self) -> dict[str, Any]:
        found = self.server.json("-n", self.team.name, "get", RESOURCE, "minutely")
        status: dict[str, Any] = found.get("status", {})
        return status

    def told(self) -> int:
        """Return of how many ticks the status tells what they became."""
        return sum(self.status.get("counts", {}).values())

    def until_told(self, ticks: int) -> None:
        until(lambda: self.told() >= ticks, lambda: (self.status, self.operator.tail()))

    def check(self) -> None:
        """Check that each tick has one decision, and each run was made once and is one that ran."""
        self.operator.kill()
        births, status = self.births(), self.status
        first = min(int(name.rpartition("-")[2]) for name in births)
        assert set(births.values()) == {1}
        assert sum(status["counts"].values()) >= status["lastTick"] - first + 1
        # It may have been killed between a creation and its status.
        assert len(births) - status["counts"]["Ran"] in (0, 1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("api")) as server:
        server.apply([CRD, SCHEDULES_CRD, ray_crd()])
        server.namespace(SYSTEM)
        grant(server, SYSTEM, "lease", [LEASE_RULES])
        yield server


@pytest.fixture
def operators() -> Iterator[list[Operator]]:
    started: list[Operator] = []
    yield started
    for each in started:
        each.kill_if_running()


def test_a_killed_operator_repeats_no_tick_and_is_missed_for_none(
    server: ApiServer, tmp_path: Path, operators: list[Operator]
) -> None:
    minutes = Minutes(server, tmp_path, catchUp={"policy": "All", "max": 10})
    operators.append(minutes.operator)
    minutes.operator.start()
    until(lambda: bool(minutes.status.get("timetable")), minutes.operator.tail)
    for _ in range(3):
        before = minutes.told()
        minutes.operator.kill()
        minutes.pass_minutes(3)
        minutes.operator.start()
        minutes.until_told(before + 3)
    minutes.check()
    assert set(minutes.status["counts"]) == {"Ran"}


def test_an_absence_of_5000_ticks_gives_one_run_and_each_tick_its_decision(
    server: ApiServer, tmp_path: Path, operators: list[Operator]
) -> None:
    minutes = Minutes(server, tmp_path)
    operators.append(minutes.operator)
    minutes.operator.start()
    until(lambda: bool(minutes.status.get("timetable")), minutes.operator.tail)
    minutes.operator.kill()
    minutes.pass_minutes(5000)
    minutes.operator.start()
    minutes.until_told(5000)
    minutes.check()
    counts = minutes.status["counts"]
    assert set(counts) == {"Ran", "Superseded"}
    assert counts["Superseded"] >= 4998


def test_a_deleted_schedule_takes_its_runs_with_it(
    server: ApiServer, tmp_path: Path, operators: list[Operator]
) -> None:
    minutes = Minutes(server, tmp_path)
    owners = []
    operators.append(minutes.operator)
    minutes.operator.start()
    until(lambda: bool(minutes.status.get("timetable")), minutes.operator.tail)
    minutes.pass_minutes(1)
    minutes.operator.kill()
    minutes.operator.start()
    minutes.until_told(1)
    uid = server.json("-n", minutes.team.name, "get", RESOURCE, "minutely")["metadata"]["uid"]
    for run in server.json("-n", minutes.team.name, "get", "pipelineruns.vaportrail.dev")["items"]:
        owners += run["metadata"]["ownerReferences"]
    # A garbage collector takes what it controls; none is here.
    assert {(owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) for owner in owners} == {
        (uid, True, True)
    }
