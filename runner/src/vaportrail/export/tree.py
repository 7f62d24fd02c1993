"""A record as a folder that a person can walk: a folder a task, files under their own names."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, Final

from vaportrail.errors import RecordError
from vaportrail.export.plain_text import UNSAFE, plain, text_lines
from vaportrail.record.reading.recorded_run import IDLE_WORKER, Run
from vaportrail.storage.artifacts import Artifact

__all__ = ["safe_path", "write_tree"]

_PIPELINE_FOLDER = "pipeline"
_LONGEST_NAME = 200
"""Bytes; file systems take 255, and a number may be added."""
_MOST_PARTS: Final = 40
_LONGEST_PATH: Final = 2_000
"""Bytes of a logged name; systems take 4,096 for a whole path."""
_ENDINGS: Final = {
    "application/json": ".json",
    "application/vnd.plotly.v1+json": ".json",
    "image/png": ".png",
    "text/csv": ".csv",
    "text/plain": ".txt",
}
"""Of what the record knows the form of."""


def safe_path(folder: Path, name: str) -> Path:
    """Return where a logged name may be written below `folder`, whatever the name is.

    Records may come from anywhere: parts that could lead outside are written as plain text.
    """
    parts = []
    for part in PurePosixPath(name.replace("\\", "/")).parts:
        cleaned = re.sub("[/:]", "_", UNSAFE.sub("_", part))
        short = cleaned.encode()[:_LONGEST_NAME].decode(errors="ignore")
        parts.append("_" if short in ("", ".", "..", "_") else short)
    whole = "/".join(parts)
    if len(parts) > _MOST_PARTS or len(whole.encode()) > _LONGEST_PATH:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        parts = [f"{whole[:40].replace('/', '_')}-{digest[:16]}"]
    return folder.joinpath(*(parts or ["_"]))


class _Paths:
    """Gives each name a path of its own, with a number where one is taken: two names may be written alike."""

    def __init__(self) -> None:
        self._numbers: dict[Path, int] = {}

    def free(self, path: Path) -> Path:
        """Return `path`, or its like with the next number: many that are alike take no longer each."""
        number = self._numbers.get(path, 0) + 1
        while (free := path.with_name(f"{path.stem}-{number}{path.suffix}") if number > 1 else path).exists():
            number += 1
        self._numbers[path] = number
        return free


def write_tree(run: Run, target: Path, say: Callable[[str], None]) -> int:
    """Unpack a run below `target` and return how many files were written.

    `run.json` holds the run without its tasks; each task's folder holds `task.json`, `log.txt` and
    its files.

    Args:
        run: a record.
        target: a folder; made where it is not there.
        say: is told of each file that is damaged or gone; all others are written.
    """
    facts = run.facts.model_dump(mode="json", by_alias=True, exclude={"tasks", "attempts"})
    count = _write_json(target / "run.json", facts)
    count += _write_log(run, "", target / _PIPELINE_FOLDER)
    count += _write_log(run, IDLE_WORKER, target / "workers")
    count += _write_files(run.artifacts(task=""), target / _PIPELINE_FOLDER, say)
    places = _Paths()
    for task in run.tasks:
        # One folder a task, whatever it is called: its files never stand where another's folder does.
        folder = places.free(safe_path(target / "tasks", task.id.replace("/", "_").replace("\\", "_")))
        content = {
            **task.info.model_dump(mode="json"),
            "attempts": [attempt.model_dump(mode="json") for attempt in task.attempts],
            "params": task.params,
            "metrics": task.metrics,
        }
        count += _write_json(folder / "task.json", content)
        count += _write_log(run, task.id, folder)
        count += _write_files(task.artifacts(), folder / "files", say)
    return count


def _write_json(path: Path, content: Any) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 1


def _write_log(run: Run, task: str, folder: Path) -> int:
    said = (f"{line.time} {line.source} {line.text}" for line in run.logs(task=task))
    lines = [f"{plain(line)}\n" for text in said for line in text_lines(text)]
    if not lines:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.txt").write_text("".join(lines), encoding="utf-8")
    return 1


def _with_ending(name: str, artifact: Artifact) -> str:
    """Return a logged name with the ending that its kind has, where it has none."""
    ending = "" if PurePosixPath(name).suffix else _ENDINGS.get(artifact.media_type, "")
    return name if artifact.kind == "file" else f"{name}{ending}"


def _write_files(artifacts: Any, folder: Path, say: Callable[[str], None]) -> int:
    stored: dict[str, Artifact] = dict(artifacts)
    count, places = 0, _Paths()
    # Folders first, so that a file whose name is also a folder's is the one that steps aside.
    for name in sorted(stored, key=lambda name: (-len(safe_path(folder, name).parts), name)):
        try:
            path = places.free(safe_path(folder, _with_ending(name, stored[name])))
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            say(f"left out: {name[:200]!r} cannot be written: {error.strerror}")
            continue
        try:
            stored[name].download(path)
        except (OSError, RecordError) as error:
            path.unlink(missing_ok=True)
            say(f"left out: {error}")
        else:
            count += 1
    return count
