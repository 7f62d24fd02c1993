#!/usr/bin/env python3
"""What a task costs the runner in a run of 100,000 beside one of 1,000: its verdict, CPU and memory.

The executor is the real one, over a backend that answers at once. Each figure is the cost per task at
100,000; its baseline is the same at 1,000, so the ratio is what is to stay near 1. `--real N` runs N tasks
on a real Ray once instead.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from figure_log import record_figure  # noqa: E402

from vaportrail import pipeline, task  # noqa: E402
from vaportrail.authoring import session  # noqa: E402
from vaportrail.authoring.options import TaskOptions  # noqa: E402
from vaportrail.contract.outcome import Outcome  # noqa: E402
from vaportrail.execution.attempt import AttemptSpec  # noqa: E402
from vaportrail.execution.backend import AttemptEnd, Backend, Running  # noqa: E402
from vaportrail.execution.call import TaskCall  # noqa: E402
from vaportrail.execution.executor import Executor  # noqa: E402
from vaportrail.execution.judge import judge  # noqa: E402
from vaportrail.execution.local import embedded_ray  # noqa: E402
from vaportrail.execution.observers import NoProgress, Unfailing  # noqa: E402
from vaportrail.execution.prepare import prepare  # noqa: E402
from vaportrail.execution.ray_backend import RayBackend  # noqa: E402
from vaportrail.telemetry.active_recorder import install, uninstall  # noqa: E402

SMALL, LARGE = 1_000, 100_000
PAIRS = 7
_PAGE = os.sysconf("SC_PAGE_SIZE")


@task
def nothing(i: int) -> int:
    return i


@pipeline
def many(count: int) -> None:
    for i in range(count):
        nothing(i)


class AtOnce:
    """A backend whose attempts have succeeded as they begin."""

    def start(
        self,
        spec: AttemptSpec,
        options: TaskOptions,
        payload: bytes,
        inputs: list[Any],
        on_end: Callable[[AttemptEnd], None],
    ) -> Running:
        on_end(AttemptEnd(Outcome.SUCCEEDED))
        return Running(spec, None, None)

    def cpus(self) -> float:
        return 1.0

    def hand_over(self) -> None:
        return None

    def hindrance(self, options: TaskOptions) -> str:
        return ""

    def stop(self, running: Running, *, force: bool) -> None:
        return None

    def fetch(self, running: Running) -> Any:
        return None

    def close(self) -> None:
        return None


def ended(count: int) -> list[TaskCall]:
    """Return the calls of a run whose first task failed; the others were skipped, one after the other."""
    calls = [
        TaskCall(
            f"t-{i}", "t", "python", TaskOptions(), b"", b"", [], [f"t-{i - 1}"] if i else [], "t", "", 0
        )
        for i in range(count)
    ]
    for i, call in enumerate(calls):
        call.outcome = Outcome.SKIPPED if i else Outcome.FAILED
    return calls


def verdict_ms(calls: list[TaskCall], times: int) -> float:
    """Return the CPU milliseconds per task of a verdict."""
    begin = time.process_time()
    for _ in range(times):
        judge(calls, None)
    return (time.process_time() - begin) / times / len(calls) * 1e3


def run_tasks(executor: Executor, count: int) -> tuple[float, float]:
    """Run so many tasks; return the CPU milliseconds and the resident bytes per task."""
    gc.collect()
    memory, begin = resident(), time.process_time()
    with session.entered(executor):
        many.fn(count)
    executor.drain()
    cpu = (time.process_time() - begin) / count * 1e3
    gc.collect()
    return cpu, (resident() - memory) / count


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def measure(backend: Callable[[Any], Backend], runs: list[int]) -> tuple[float, float]:
    """Run the tasks of each run on one executor after a small one; return the costs per task of all runs."""
    with tempfile.TemporaryDirectory(prefix="vaportrail-bench-") as root:
        prepared = prepare(many, {"count": 1}, root=root)
        executor = Executor(
            install(prepared.settings, "runner"), backend(prepared.settings), Unfailing(NoProgress())
        )
        run_tasks(executor, SMALL)
        costs = [run_tasks(executor, count) for count in runs]
        executor.close()
        uninstall()
    tasks = sum(runs)
    cpu, memory = (
        sum(cost * count for cost, count in zip(column, runs, strict=True)) / tasks
        for column in zip(*costs, strict=True)
    )
    return cpu, memory


def in_a_process(runs: str) -> tuple[float, float]:
    """Measure in a process of its own, whose memory holds nothing of other runs."""
    asked = subprocess.run(
        [sys.executable, __file__, "--measure", runs], check=True, capture_output=True, text=True
    )
    cpu, memory = asked.stdout.split()
    return float(cpu), float(memory)


def scale() -> None:
    small, large = ended(SMALL), ended(LARGE)
    verdict_ms(small, 10)
    pairs = [(verdict_ms(large, 1), verdict_ms(small, 100)) for _ in range(PAIRS)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    record_figure("scale_verdict", mine, "ms CPU/task", baseline=other)
    costs = [(in_a_process(f"{LARGE}"), in_a_process(",".join([f"{SMALL}"] * 10))) for _ in range(3)]
    for index, (name, unit) in enumerate(
        [("scale_driver_cpu", "ms CPU/task"), ("scale_driver_rss", "bytes/task")]
    ):
        mine, other = (statistics.median(side[index] for side in sides) for sides in zip(*costs, strict=True))
        record_figure(name, mine, unit, baseline=other)


def real(count: int) -> None:
    """Run so many tasks on an embedded Ray, once."""
    with embedded_ray():
        begin = time.perf_counter()
        cpu, memory = measure(RayBackend, [count])
        record_figure("real_tasks_rate", (count + SMALL) / (time.perf_counter() - begin), "tasks/s")
    record_figure("real_tasks_cpu", cpu, "ms CPU/task")
    record_figure("real_tasks_rss", memory, "bytes/task")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=int, metavar="N", help="run N tasks on a real Ray instead")
    parser.add_argument("--measure", metavar="COUNTS", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(*measure(lambda _settings: AtOnce(), [int(count) for count in asked.measure.split(",")]))
    elif asked.real:
        real(asked.real)
    else:
        scale()
    return 0


if __name__ == "__main__":
    sys.exit(main())
