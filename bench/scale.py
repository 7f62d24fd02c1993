#!/usr/bin/env python3
"""What a task costs readers and the seal, in a run of 1,000 tasks and in one of 100,000.

Each measurement is a process of its own; cost is its CPU time, which other programs on the machine
disturb less than a clock on the wall. The ratio is what tells: where it is 1, cost is linear.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "bench")]

from figure_log import record_figure  # noqa: E402
from synthetic_spool import make_spool  # noqa: E402

FEW, MANY = 1_000, 100_000
OPENED = 3
"""How often the large record is opened; the median counts."""


def seal(root: Path) -> None:
    from vaportrail.record.seal.local_seal import seal_spool, spools

    [spool] = spools(str(root))
    seal_spool(spool)


def record_below(root: Path) -> str:
    [manifest] = root.glob("runs/*/*/manifest.json")
    return str(manifest.parent)


def show(root: Path) -> None:
    from vaportrail.cli.show_command import describe
    from vaportrail.record.reading.read import open_run

    for _line in describe(open_run(record_below(root))):
        pass


def ls(root: Path) -> None:
    from vaportrail.cli.ls_command import line, summary
    from vaportrail.record.reading.read import list_runs

    for run in list_runs(str(root)):
        line(run), summary(run)


def tree(root: Path) -> None:
    from vaportrail.export.tree import write_tree
    from vaportrail.record.reading.read import open_run

    write_tree(open_run(record_below(root)), root / "tree", print)


def read_every_task(root: Path) -> None:
    import vaportrail

    run = vaportrail.open(record_below(root))
    count = 0
    for task in run.tasks:
        assert task.outcome.ended
        assert task.arguments
        count += len(task.attempts)
    assert count >= len(run.tasks)


MEASURED: dict[str, Callable[[Path], None]] = {
    "seal": seal, "show": show, "ls": ls, "tree": tree, "open": read_every_task
}  # fmt: skip


def measure(what: str, root: Path) -> dict[str, float]:
    """Return CPU seconds, seconds and peak MB of one measurement, in a process of its own."""
    command = [sys.executable, __file__, what, str(root)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def warm(what: str) -> None:
    """Do the same with a few tasks: what a process loads once is no cost of a task."""
    with tempfile.TemporaryDirectory(prefix="vaportrail-scale-") as folder:
        make_spool(Path(folder), 10)
        if what != "seal":
            seal(Path(folder))
        MEASURED[what](Path(folder))


def child(what: str, root: Path) -> None:
    if what != "open":
        warm(what)
    wall, cpu = time.perf_counter(), time.process_time()
    MEASURED[what](root)
    figures = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


def main() -> int:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    costs: dict[str, list[float]] = {}
    opened: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="vaportrail-scale-") as folder:
        for tasks in (FEW, many):
            root = Path(folder) / str(tasks)
            make_spool(root, tasks)
            for what in ("seal", "show", "ls", "tree"):
                found = measure(what, root)
                costs.setdefault(what, []).append(found["cpu"] / tasks * 1000)
                print(f"{what} of {tasks}: {found}", flush=True)
            shutil.rmtree(root / "tree")
        opened = [measure("open", root) for _ in range(OPENED)]
        size = Path(record_below(root), "manifest.json").stat().st_size
    for what, (few, much) in costs.items():
        record_figure(f"scale_{what}", much / few, "times")
        record_figure(f"scale_{what}_cpu_ms_per_task", much, "ms", baseline=few)
    opened.sort(key=lambda found: found["wall"])
    record_figure("record_100k_open_s", opened[OPENED // 2]["wall"], "s")
    record_figure("record_100k_open_cpu_s", opened[OPENED // 2]["cpu"], "s")
    record_figure("record_100k_rss_mb", max(found["mb"] for found in opened), "MB")
    record_figure("manifest_100k_bytes", size, "bytes")
    return 0


if __name__ == "__main__":
    if len(sys.argv) == 3:
        child(sys.argv[1], Path(sys.argv[2]))
        sys.exit(0)
    sys.exit(main())
