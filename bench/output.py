#!/usr/bin/env python3
"""What a task prints and logs: lines a second until its end is known, spool bytes a byte, time a metric.

A real run on an embedded Ray. The time is from the first print until the runner hears that the task has
ended, so that what is recorded at its end counts; the lines are read back from the sealed record. A
metric's time is CPU time of the thread that logs it; Ray has threads of its own beside it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))


from figure_log import record_figure  # noqa: E402

from vaportrail import log, pipeline, result, task  # noqa: E402
from vaportrail.telemetry.active_recorder import active  # noqa: E402

LINES = 200_000
POINTS = 10_000
ROUNDS = 3
LINE = "{:030d}"
"""31 bytes with its end."""


@task
def prints(begin: int) -> float:
    """Print lines from number `begin` on; return when that began, seconds since the epoch."""
    now = time.time()
    for number in range(begin, begin + LINES):
        print(LINE.format(number))
    return now


@task
def logs() -> float:
    """Log the points of a metric; return the CPU microseconds that one took."""
    begin = time.thread_time()
    for step in range(POINTS):
        log.metric("loss", 1.0 / (step + 1), step=step)
    return (time.thread_time() - begin) / POINTS * 1e6


rates: list[float] = []
metrics: list[float] = []
spools: list[float] = []


@pipeline
def output() -> None:
    result(prints(0))  # start a worker
    for number in range(ROUNDS):
        before = spooled()
        began = result(prints((number + 1) * LINES))
        rates.append(LINES / (time.time() - began))
        spools.append((spooled() - before) / (LINES * 31))
        metrics.append(result(logs()))


def spooled() -> int:
    """Return how many bytes the run's spool has."""
    recorder = active()
    assert recorder is not None
    return sum(path.stat().st_size for path in Path(recorder.settings.spool).iterdir())


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="vaportrail-bench-") as root:
        run = output.run(record=root)
        assert run.outcome.ok, run.facts.verdict.message
        assert run.facts.counts.loss == "None", run.facts.counts.loss_reasons
        printed = [LINE.format(number) for number in range((ROUNDS + 1) * LINES)]
        assert [line.text for line in run.logs() if line.source == "stdout"] == printed, "lines are lost"
    print(f"rounds: {[round(rate) for rate in rates]} lines/s")
    record_figure("stdout_lines_per_s", statistics.median(rates), "lines/s")
    record_figure("spool_bytes_per_output_byte", statistics.median(spools), "bytes")
    record_figure("metric_us", statistics.median(metrics), "us CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
