"""A spool as a run of any number of tasks leaves it, without running them.

Records of one task are made as the recorder makes them; every task has copies of them under its own name.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.storage.layout import run_path
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.identity import attempt_span_id, run_span_id, task_span_id, trace_id
from vaportrail.telemetry.log_types import VALUES as LOGGED
from vaportrail.telemetry.otlp_json import log_record
from vaportrail.telemetry.recorder import run_values
from vaportrail.telemetry.spool import Header, compact, header_line
from vaportrail.telemetry.values import attributes

__all__ = ["make_spool"]

UID = "0190a0b0-0000-7000-8000-000000000000"
BEGAN = 1_900_000_000_000_000_000
POINTS = 3
METRIC = LOGGED["metric"].event
PARAM = LOGGED["param"].event
_SEQ = 987654321
_TASK = "train-123456789"
_TIMES = ("1900000000000000001", "1900000000000000002")


def make_spool(root: Path, tasks: int) -> Path:
    """Write the spool of a run of so many tasks below a record root; return its folder."""
    identity = RunIdentity(UID, "scale", "scale", BEGAN, {"tasks": tasks}, {}, "scale.py:scale")
    spool = root / "spool" / UID
    spool.mkdir(parents=True)
    settings = RunSettings(identity, str(spool), str(root), run_path(identity))
    (spool / "run.json").write_text(settings.to_json())
    (spool / "runner.lock").touch()
    _write(spool, "runner", tasks, _of_the_run(settings, tasks), _of_the_runner(settings))
    _write(spool, "worker", tasks, iter(()), _of_the_worker())
    return spool


def _write(
    spool: Path,
    role: str,
    tasks: int,
    once: Iterator[tuple[str, str, dict[str, Any]]],
    each: list[tuple[str, str, dict[str, Any]]],
) -> None:
    writer = f"{role}-1"
    resource = {
        "attributes": attributes(
            {
                c.SERVICE_NAME: "vaportrail", c.SERVICE_VERSION: "0", c.PIPELINE_NAME: "scale",
                c.PIPELINE_RUN_ID: UID, c.WRITER_ID: writer, c.WRITER_ROLE: role, c.HOST_NAME: "host",
            }
        )
    }  # fmt: skip
    made = {"L": 0, "T": 0}
    with (spool / f"{writer}.spool").open("wb") as file:
        file.write(header_line(Header(writer, role, BEGAN, resource)))
        seq = 0
        for kind, scope, body in once:
            seq += 1
            made[kind] += 1
            file.write(_line(seq, kind, scope, compact(body).replace(str(_SEQ), str(seq))))
        templates = [(kind, scope, _template(compact(body))) for kind, scope, body in each]
        for number in range(1, tasks + 1):
            task = f"train-{number}"
            values = {
                "task": task, "span": task_span_id(UID, task), "attempt": attempt_span_id(UID, task, 1),
                "start": str(BEGAN + number * 1000), "end": str(BEGAN + number * 1000 + 500),
            }  # fmt: skip
            for kind, scope, template in templates:
                seq += 1
                made[kind] += 1
                file.write(_line(seq, kind, scope, template % {**values, "seq": seq}))
    (spool / f"{writer}.ledger").write_bytes(struct.pack("<8sQQQ", b"VTLEDG1\n", made["L"], made["T"], 0))


def _line(seq: int, kind: str, scope: str, body: str) -> bytes:
    raw = f"{seq} {kind} {scope} {body}".encode()
    return b"%08x %b\n" % (zlib.crc32(raw), raw)


def _template(body: str) -> str:
    names = {
        _TASK: "task", task_span_id(UID, _TASK): "span", attempt_span_id(UID, _TASK, 1): "attempt",
        str(_SEQ): "seq", _TIMES[0]: "start", _TIMES[1]: "end",
    }  # fmt: skip
    text = body.replace("%", "%%")
    return re.sub("|".join(names), lambda found: f"%({names[found[0]]})s", text)


def _log(event: str, values: dict[str, Any], span: str, body: Any = None, time: str = _TIMES[0]) -> Any:
    return log_record(
        body, {**values, c.SEQ: _SEQ}, unix_nano=int(time), observed_unix_nano=int(time),
        trace_id=trace_id(UID), span_id=span, event=event,
    )  # fmt: skip


def _span(name: str, span: str, parent: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "traceId": trace_id(UID), "spanId": span, "parentSpanId": parent, "name": name, "kind": 1,
        "startTimeUnixNano": _TIMES[0], "endTimeUnixNano": _TIMES[1],
        "attributes": attributes({**values, c.OUTCOME: "SUCCEEDED", c.SEQ: _SEQ}), "status": {"code": 1},
    }  # fmt: skip


def _of_the_run(settings: RunSettings, tasks: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    opens = {c.SPAN_NAME: "RUN scale", c.SPAN_PARENT: "", c.SPAN_KIND: 2}
    span = run_span_id(UID)
    yield "L", c.SCOPE, _log(c.EVENT_RUN_STARTED, {**opens, **run_values(settings.identity, 1)}, span)
    ended = {c.OUTCOME: "SUCCEEDED", c.RUN_MESSAGE: f"{tasks} of {tasks} tasks succeeded"}
    yield "L", c.SCOPE, _log(c.EVENT_RUN_ENDED, ended, span, time=_TIMES[1])
    yield "T", c.SCOPE, _span("RUN scale", span, "", {})


def _of_the_runner(settings: RunSettings) -> list[tuple[str, str, dict[str, Any]]]:
    span = task_span_id(UID, _TASK)
    called = {
        c.SPAN_NAME: "train", c.SPAN_PARENT: run_span_id(UID), c.SPAN_KIND: 1, c.TASK_RUN_ID: _TASK,
        c.TASK_NAME: "train", c.TASK_KIND: "python", c.TASK_UPSTREAM: ["split-1"],
        c.TASK_EDGES: json.dumps([{"task": "split-1", "kind": "value", "argument": "split"}]),
        c.TASK_ARGUMENTS: json.dumps({"n": 800, "rate": 0.001, "split": {"$task": "split-1"}}),
        c.TASK_OPTIONS: json.dumps({"timeout": 60.0}), c.TASK_ALLOW_FAILURE: False,
    }  # fmt: skip
    ended = {
        c.TASK_NAME: "train", c.TASK_RUN_ID: _TASK, c.TASK_RUN_RESULT: "success", c.TASK_ATTEMPTS: 1,
        c.TASK_RUN_URL: f"{settings.record_uri}#{_TASK}",
    }  # fmt: skip
    return [
        ("L", c.SCOPE, _log(c.EVENT_TASK_SUBMITTED, called, span)),
        ("T", c.SCOPE, _span("train", span, run_span_id(UID), ended)),
    ]


def _of_the_worker() -> list[tuple[str, str, dict[str, Any]]]:
    span = attempt_span_id(UID, _TASK, 1)
    mine = {c.TASK_RUN_ID: _TASK, c.TASK_NAME: "train", c.ATTEMPT: 1}
    started = {
        **mine, c.SPAN_NAME: "train", c.SPAN_PARENT: task_span_id(UID, _TASK), c.SPAN_KIND: 1,
        c.PROCESS_PID: 4242, c.NODE_ID: "n" * 56, c.STDOUT_OFFSET: 0, c.STDERR_OFFSET: 0,
    }  # fmt: skip
    logged = [
        ("L", c.SCOPE, _log(METRIC, {**mine, c.VALUE_NAME: "loss", c.METRIC_STEP: step}, span, 0.25))
        for step in range(POINTS)
    ]
    return [
        ("L", c.SCOPE, _log(c.EVENT_ATTEMPT_STARTED, started, span)),
        ("L", c.SCOPE, _log(PARAM, {**mine, c.VALUE_NAME: "depth"}, span, 3)),
        *logged,
        ("L", "stdout", _log("", {**mine, c.LOG_IOSTREAM: "stdout"}, span, "epoch 1 of 3: loss 0.25")),
        (
            "T",
            c.SCOPE,
            _span("train", span, task_span_id(UID, _TASK), {**mine, c.TASK_RUN_RESULT: "success"}),
        ),
    ]
