#!/usr/bin/env python3
"""How many no-op tasks a second: through Vaportrail, and on bare Ray in the same cluster.

Bare Ray alone varies by a factor of two between runs on a shared machine, so the two run in turn,
in one process on one embedded Ray, and the figure is the ratio of the medians of the pairs.
Recording, typed outcomes, durable spools and the graph are what the difference buys. A hop of a chain is
from one task's end to the end of the next that needs it; its figure is what it takes longer than Ray's.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from figure_log import record_figure  # noqa: E402

from vaportrail import pipeline, result, task  # noqa: E402
from vaportrail.authoring import session  # noqa: E402
from vaportrail.execution.executor import Executor  # noqa: E402
from vaportrail.execution.local import embedded_ray  # noqa: E402
from vaportrail.execution.observers import NoProgress  # noqa: E402
from vaportrail.execution.prepare import prepare  # noqa: E402
from vaportrail.execution.ray_backend import RayBackend  # noqa: E402
from vaportrail.telemetry.active_recorder import install  # noqa: E402

TASKS = 500
HOPS = 50
PAIRS = 7


@task
def nothing(i: int) -> int:
    return i


@pipeline
def fan_out() -> None:
    for i in range(TASKS):
        nothing(i)


@pipeline
def chain() -> None:
    last = nothing(0)
    for _ in range(HOPS):
        last = nothing(last)
    result(last)


def our_hop(executor: Executor) -> float:
    """Return the milliseconds of a hop."""
    begin = time.perf_counter()
    with session.entered(executor):
        chain.fn()
    executor.drain()
    return (time.perf_counter() - begin) / HOPS * 1e3


def bare_hop(ray: Any, remote: Any) -> float:
    begin = time.perf_counter()
    last = remote.remote(0)
    for _ in range(HOPS):
        last = remote.remote(last)
    ray.get(last)
    return (time.perf_counter() - begin) / HOPS * 1e3


def ours(executor: Executor) -> float:
    begin = time.perf_counter()
    with session.entered(executor):
        fan_out.fn()
    executor.drain()
    return TASKS / (time.perf_counter() - begin)


def bare(ray: Any, remote: Any) -> float:
    begin = time.perf_counter()
    ray.get([remote.remote(i) for i in range(TASKS)])
    return TASKS / (time.perf_counter() - begin)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="vaportrail-bench-") as root:
        prepared = prepare(fan_out, {}, root=root)
        recorder = install(prepared.settings, "runner")
        with embedded_ray():
            import ray

            backend = RayBackend(prepared.settings)
            executor = Executor(recorder, backend, NoProgress())
            remote = ray.remote(nothing.fn)
            ours(executor), bare(ray, remote)  # start the workers
            pairs = [(ours(executor), bare(ray, remote)) for _ in range(PAIRS)]
            our_hop(executor), bare_hop(ray, remote)
            hops = [(our_hop(executor), bare_hop(ray, remote)) for _ in range(PAIRS)]
            executor.close()
            backend.close()
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    record_figure("fanout_noop_rate", mine, "tasks/s", baseline=other)
    record_figure("chain_hop_over_ray_ms", statistics.median(own - rays for own, rays in hops), "ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
