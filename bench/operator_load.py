#!/usr/bin/env python3
"""The operator's process under load, on a real API server: memory, event loop, requests, bytes of a run.

The API server and its etcd are those of `make e2e`, which are built where they are not yet; no container
runs, nor is root needed. Pods live by their statuses alone. What is finished, and what is live, is put there
before the operator starts. The loop's figure is the processor's time of its longest step: on a machine that
does other things, too, the clock says more of those.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT), str(ROOT / "tests")]

from figure_log import record_figure  # noqa: E402

from api_server import CRD, ApiServer, api_server  # noqa: E402
from runtime.nodes import client_of, nodes  # noqa: E402
from runtime.operator_process import SYSTEM, Operator, Team, chart_rules, create, grant, until  # noqa: E402
from runtime.small_planner import run_of  # noqa: E402
from runtime.test_real_api_server import LEASE_RULES, installed, ray_crd, webhook  # noqa: E402
from runtime.test_real_disturbances import at_its_limits, cr_bytes  # noqa: E402
from vaportrail_operator.acting.endpoints import RUNS  # noqa: E402

MEASURED = ROOT / "bench" / "measured_operator.py"
AT_ONCE = 32
RELIST_SECONDS = 320
"""Within which each kind is listed again."""


class Measured(Operator):
    """An operator that tells how long steps held its loop."""

    def start(self) -> None:
        self.stalls = self.log.with_suffix(".stalls")
        self.command = [sys.executable, str(MEASURED), str(self.stalls)]
        super().start()

    def longest(self) -> dict[str, Any]:
        """Return what its longest step took since this was last asked."""
        assert self.process is not None
        self.stalls.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        until(self.stalls.exists, self.tail, 60)
        told: dict[str, Any] = json.loads(self.stalls.read_text())
        print(f"  longest step: {told}", flush=True)
        return told


async def put(server: ApiServer, namespace: str, names: list[str], status: dict[str, Any] | None) -> None:
    """Make runs, and write their statuses."""
    client = await client_of(server.kubeconfig)
    waiting = iter(names)

    async def some() -> None:
        for name in waiting:
            raw = run_of(name, parameters={"sizes": [600, 800], "text": "x" * 500})
            raw["metadata"]["namespace"] = namespace
            made = await client.create(RUNS, namespace, raw)
            if status is not None:
                version = made["metadata"]["resourceVersion"]
                await client.replace_status(RUNS, namespace, name, version, status)

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(some())
    finally:
        await client.close()


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--finished", type=int, default=10_000)
    parser.add_argument("--live", type=int, default=1_000)
    parser.add_argument("--stuck", type=int, default=400)
    parser.add_argument("--no-relist", action="store_true", help="do not wait for the next lists")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, api_server(Path(folder)) as server:
        server.apply([CRD, ray_crd()])
        server.namespace(SYSTEM)
        grant(server, SYSTEM, "lease", [LEASE_RULES])
        lived = measure_a_run(server, Path(folder))
        measure_bytes(server, Path(folder))
        measure_stuck(server, Path(folder), asked.stuck)
        measure_load(server, Path(folder), lived, asked)


def operator_of(server: ApiServer, folder: Path, *teams: Team) -> Measured:
    """Return an operator of some namespaces, started."""
    operator = Measured(server, folder / f"{teams[0].name}.log", **installed(*teams))
    operator.start()
    return operator


def new_team(server: ApiServer, name: str) -> Team:
    """Return a namespace in which the operator has the rights that the chart gives it."""
    team = Team(server, name)
    grant(server, name, "operator", chart_rules())
    return team


def measure_a_run(server: ApiServer, folder: Path) -> dict[str, Any]:
    """Count what a run asks of the API server; returns its last status."""
    team = new_team(server, "requests")
    operator = operator_of(server, folder, team)
    try:
        with nodes(server.kubeconfig):
            # The first also costs what the operator does once.
            for name in ("first", "second"):
                before = len(calls(server, team))
                team.submit(name)
                team.until_over(operator)
        time.sleep(2)  # for the audit log
        made = calls(server, team)[before:]
        for call, count in sorted(Counter(made).items()):
            print(f"  {count} {call}")
        for line in operator.log.read_text().splitlines():
            told = json.loads(line)
            if told.get("run") == "second" and told.get("message") == "status written":
                print(f"  {told.get('phase')} {told.get('reason')}")
        record_figure("requests_per_run", len(made), "requests")
        return team.status("second")
    finally:
        operator.kill_if_running()


def calls(server: ApiServer, team: Team) -> list[str]:
    """Return what the operator asked of the API server for a namespace, but for lists, watches and Leases."""
    found = []
    for each in server.requests():
        about = each.get("objectRef") or {}
        mine = each["user"]["username"] == "operator" and about.get("namespace") == team.name
        labelled = "labelSelector=ray.io" in each["requestURI"]
        repeated = each["verb"] == "watch" or (each["verb"] == "list" and not labelled)
        if (
            mine
            and not repeated
            and about.get("resource") != "leases"
            and each["stage"] == "ResponseComplete"
        ):
            found.append(f"{each['verb']} {about['resource']} {about.get('subresource', '')}")
    return found


def measure_bytes(server: ApiServer, folder: Path) -> None:
    """Measure what kubectl prints of a run with everything at its limits, beside its spec."""
    team, name = new_team(server, "bytes"), "n" * 40
    operator = operator_of(server, folder, team)
    worst = 0
    try:
        with nodes(server.kubeconfig, run_seconds=3.0):
            team.submit(name, **at_its_limits())
            until(lambda: bool(team.phases()), operator.tail)
            while not set(team.phases()) <= {"Succeeded", "Failed"}:
                worst = max(worst, cr_bytes(server, team, name))
        record_figure("cr_bytes_worst", max(worst, cr_bytes(server, team, name)), "bytes")
    finally:
        operator.kill_if_running()


def measure_stuck(server: ApiServer, folder: Path, stuck: int) -> None:
    """Measure how long another tenant's first pod takes beside runs whose webhook does not answer."""
    blocked, team = new_team(server, "stuck"), new_team(server, "beside")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        create(server, webhook(server, blocked.name, silent.getsockname()[1]))
        asyncio.run(put(server, blocked.name, [f"run-{number}" for number in range(stuck)], None))
        operator = operator_of(server, folder, blocked, team)
        try:
            until(lambda: "failed calling webhook" in operator.log.read_text(), operator.tail)
            begun = time.monotonic()
            team.submit("mnist")
            until(lambda: any(name.startswith("pod/") for name in team.left()), operator.tail)
            record_figure("first_pod_behind_400_stuck_s", time.monotonic() - begun, "s")
        finally:
            operator.kill_if_running()
            server.kubectl("delete", "validatingwebhookconfiguration", blocked.name)


def measure_load(server: ApiServer, folder: Path, lived: dict[str, Any], asked: argparse.Namespace) -> None:
    """Measure memory, start and loop beside many finished runs, then live ones, then a list of all."""
    team, live = new_team(server, "finished"), new_team(server, "live")
    ended = {**lived, "observedGeneration": 1}
    asyncio.run(put(server, team.name, [f"run-{number}" for number in range(asked.finished)], ended))
    begun = time.monotonic()
    operator = operator_of(server, folder, team, live)
    try:
        operator.until_ready(300)
        until(operator.leads, operator.tail, 60)
        record_figure("start_10k_s", time.monotonic() - begun, "s")
        # It leads, and looks at each once.
        time.sleep(5)
        told = operator.longest()
        record_figure("loop_stall_ms_10k", told["cpu_ms"], "ms", baseline=told["wall_ms"])
        record_figure("operator_rss_10k_finished_mb", settled_memory(operator), "MB")
        asyncio.run(put(server, live.name, [f"run-{number}" for number in range(asked.live)], None))
        until(lambda: started(operator) >= asked.live, operator.tail, 600)
        told = operator.longest()
        record_figure("loop_stall_ms_1k_live", told["cpu_ms"], "ms", baseline=told["wall_ms"])
        record_figure("operator_rss_1k_live_mb", settled_memory(operator), "MB")
        if not asked.no_relist:
            time.sleep(RELIST_SECONDS)
            told = operator.longest()
            record_figure("loop_stall_ms_relist", told["cpu_ms"], "ms", baseline=told["wall_ms"])
            record_figure("operator_rss_relist_mb", settled_memory(operator), "MB")
    finally:
        operator.kill_if_running()


def started(operator: Operator) -> int:
    """Return how many runs it has in Provisioning, as its metrics say."""
    _, text = operator.get("metrics")
    name = 'vaportrail_runs{phase="Provisioning"} '
    return sum(int(float(line.removeprefix(name))) for line in text.splitlines() if line.startswith(name))


def settled_memory(operator: Operator) -> float:
    """Return what it has resident in the median of some seconds."""
    seen = []
    for _ in range(10):
        seen.append(operator.memory())
        time.sleep(0.5)
    return statistics.median(seen)


if __name__ == "__main__":
    main()
