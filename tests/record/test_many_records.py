"""What reading a spool holds in memory does not grow with the points that were logged."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.record.spooled import spooled_records
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.log_types import VALUES as LOGGED
from vaportrail.telemetry.recorder import Recorder

METRIC = LOGGED["metric"].event

POINTS = 60_000


def test_reading_a_spool_holds_a_few_bits_a_point_and_leaves_out_what_comes_twice(tmp_path: Path) -> None:
    recorder = Recorder(
        RunSettings(RunIdentity("uid", "p", "p", 1), str(tmp_path), str(tmp_path), "x"),
        "worker",
        writer_id="w",
    )
    for step in range(POINTS):
        recorder.log(1.5, event=METRIC, values={c.VALUE_NAME: "loss", c.METRIC_STEP: step})
    recorder.writer.close()
    spool = tmp_path / "w.spool"
    lines = spool.read_bytes().splitlines(keepends=True)
    with spool.open("ab") as file:
        file.writelines(lines[1:1000])
    store = open_store(str(tmp_path))
    records = spooled_records(store, "w.spool")
    next(records)
    tracemalloc.start()
    try:
        left = sum(1 for _ in records)
        kept, _ = tracemalloc.get_traced_memory()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert left == POINTS - 1
    assert kept < POINTS
    assert most < 16 * 2**20
