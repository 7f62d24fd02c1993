"""A record whose every text sends a terminal what it should not: found by its model, not by a list."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from vaportrail.record.manifest import Manifest, hash_line
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.rows import OWNED, ROWS, RowKind
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import attributes

HOSTILE = (
    "\x1b]0;title\x07\x1b]52;c;Y2xpcA==\x07\x1b]8;;http://x\x1b\\link\x1b[2J\x1b[35mpink\x9b35m\x85\r"
    "overwritten\n00:00:00 SUCCEEDED\x00\x08\x7f\u202eretsoh\u2066\u200f\u061c"
)
"""A title, the clipboard, a link, a cleared screen, a colour we have not, a line of its own, bidi."""
Path_ = tuple[str | int, ...]


def texts(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield where a text stands in JSON, keys of mappings included as paths that end in their name."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from texts(item, (*path, at))


def put(value: Any, path: Path_, text: Any) -> Any:
    """Put something at a place in JSON; return what was there."""
    for step in path[:-1]:
        value = value[step]
    before = value[path[-1]]
    value[path[-1]] = text
    return before


def hostile_manifest(manifest: Manifest) -> tuple[Manifest, list[Path_]]:
    """Return a manifest with `HOSTILE` in every text that may be any, and where that is."""
    content = json.loads(manifest.to_bytes())
    for values in ("parameters", "tags"):
        content["run"][values] = {HOSTILE: HOSTILE}
    content["environment"]["git"] = {"revision": HOSTILE, "branch": HOSTILE, "dirty": True}
    content["counts"] |= {"loss": "Unknown", "loss_reasons": [HOSTILE]}
    failure = {"type": HOSTILE, "message": HOSTILE, "traceback": HOSTILE}
    content["verdict"] |= {"failure": failure, "outcome": "FAILED"}
    changed = spoiled(content, Manifest, skipped=("files",))
    return Manifest.model_validate(content), changed


def spoiled(content: Any, model: type[BaseModel], skipped: tuple[str, ...] = ()) -> list[Path_]:
    """Put `HOSTILE` into every text that a model takes it in; return where that is."""
    changed = []
    for path in list(texts(content)):
        if path[0] in skipped:
            continue
        before = put(content, path, HOSTILE)
        try:
            model.model_validate(content)
        except ValueError:
            put(content, path, before)
        else:
            changed.append(path)
    return changed


def hostile_rows(run: Run) -> tuple[bytes, list[Path_]]:
    """Return the rows of a run with `HOSTILE` in every text that may be any, and where that is."""
    failure = {"type": HOSTILE, "message": HOSTILE, "traceback": HOSTILE}
    lines = [json.dumps({"line": HOSTILE}).encode() + b"\n"]
    changed: list[Path_] = []
    for number, line in enumerate(run.facts.table.lines()):
        row = json.loads(line)
        kind: RowKind = row.pop("line")
        if kind == "attempt":
            row |= {"failure": dict(failure), "outcome": "FAILED"}
        if kind == "task":
            row |= {"arguments": {HOSTILE: "x\x1b[35m"}, "upstream": []}
        changed += [(OWNED[kind], *path) for path in spoiled(row, ROWS[kind])]
        # Whose a row is stands in it, and no two tasks are one.
        row["id" if kind == "task" else "task"] = f"{number}{HOSTILE}"
        lines.append(json.dumps({"line": kind, **row}).encode() + b"\n")
    return b"".join(lines), changed


def hostile_logs() -> bytes:
    """Return a log file with `HOSTILE` in every text of its records."""
    record = {
        "timeUnixNano": "1900000000000000000",
        "severityText": HOSTILE,
        "body": {"stringValue": HOSTILE},
        "attributes": attributes(
            {c.TASK_RUN_ID: HOSTILE, c.ATTEMPT: 2, c.EXCEPTION_STACKTRACE: HOSTILE, c.SEQ: 1}
        ),
    }
    group = {
        "resource": {"attributes": attributes({c.WRITER_ID: HOSTILE})},
        "scopeLogs": [{"scope": {"name": HOSTILE}, "logRecords": [record, {HOSTILE: HOSTILE}]}],
    }
    return gzip.compress(json.dumps({"resourceLogs": [group]}).encode() + b"\n", mtime=0)


def write_hostile(folder: Path, run: Run) -> tuple[Manifest, list[Path_]]:
    """Write a hostile record, whole but for what it names, into an empty folder."""
    folder.mkdir(parents=True)
    assert run.manifest is not None
    made, changed = hostile_manifest(run.manifest)
    rows, of_rows = hostile_rows(run)
    lines = json.dumps({"line": "damaged", "path": HOSTILE}).encode()
    contents = {
        "files-0001.jsonl.gz": gzip.compress(lines, mtime=0),
        "logs-0001.jsonl.gz": hostile_logs(),
        "tasks-0001.jsonl.gz": gzip.compress(rows, mtime=0),
    }
    files = []
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        files.append({"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    made = Manifest.model_validate({**made.model_dump(), "files": files})
    raw = made.to_bytes()
    (folder / "manifest.json").write_bytes(raw)
    (folder / "manifest.sha256").write_bytes(hash_line(raw))
    return made, [*changed, *of_rows]
