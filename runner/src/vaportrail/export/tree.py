"""A record as a folder that a person can walk: a folder a task, files under their own names."""

from __future__ import annotations

from collections.abc import Callable, Container
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pydantic_core import to_json

from vaportrail.errors import RecordError
from vaportrail.export.tree_lines import LINE_FILES, write_lines
from vaportrail.export.tree_paths import FreePaths, safe_path
from vaportrail.record.reading.log_lines import IDLE_WORKER
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.rows import RowKind
from vaportrail.storage.artifacts import Artifact
from vaportrail.telemetry.log_types import ENDINGS, VALUE_TYPES, VALUES, FileKind

__all__ = ["safe_path", "write_tree"]

_PIPELINE_FOLDER = "pipeline"
_KEEPS_ITS_NAME: Final[FileKind] = "file"
_ROWS: Final[tuple[RowKind, ...]] = (*VALUES, "artifact")


def write_tree(run: Run, target: Path, say: Callable[[str], None]) -> int:
    """Unpack a run below `target` and return how many files were written.

    `run.json` holds the run without its tasks; each task's folder holds `task.json`, `log.txt`,
    `metrics.csv` with every number that it measured, and its files.

    Args:
        run: a record.
        target: a folder; made where it is not there.
        say: is told of each file that is damaged or gone; all others are written.
    """
    target.mkdir(parents=True, exist_ok=True)
    with (target / "run.json").open("w", encoding="utf-8") as file:
        file.writelines(run.facts.json_pieces(rows=_ROWS))
        file.write("\n")
    body = target / _PIPELINE_FOLDER
    count = 1 + _write_files(run.artifacts(task=""), body, say, taken=LINE_FILES)
    places = FreePaths()
    folders: dict[str, Path] = {}
    for task in run.tasks:
        # One folder a task, whatever it is called: its files never stand where another's folder does.
        folder = places.free(safe_path(target / "tasks", task.id.replace("/", "_").replace("\\", "_")))
        folders[task.id] = folder
        content = {
            **dict(task.info),
            "attempts": task.attempts,
            **_logged(run, task.id),
        }
        folder.mkdir(parents=True, exist_ok=True)
        text = to_json(content, indent=2, inf_nan_mode="strings")
        (folder / "task.json").write_bytes(text + b"\n")
        count += 1
        if stored := task.artifacts():
            count += _write_files(stored, folder / "files", say)
    others = {"": body, IDLE_WORKER: target / "workers"}
    return count + write_lines(run.log_records(), {**others, **folders}, made=folders)


def _logged(run: Run, task: str) -> dict[str, dict[str, Any]]:
    """Return the values that a task logged, by type and name; of numbers the last of each."""
    return {
        each.many: {
            row.name: row.last if each.numbers else row.value for row in run.facts.table.of(task, each.kind)
        }
        for each in VALUE_TYPES
    }


def _with_ending(name: str, artifact: Artifact) -> str:
    """Return a logged name with the ending that its kind has, where it has none."""
    ending = "" if PurePosixPath(name).suffix else ENDINGS.get(artifact.media_type, "")
    return name if artifact.kind == _KEEPS_ITS_NAME else f"{name}{ending}"


def _write_files(artifacts: Any, folder: Path, say: Callable[[str], None], taken: Container[str] = ()) -> int:
    """Write stored files below a folder, in which names that are `taken` stay free; return how many."""
    stored: dict[str, Artifact] = dict(artifacts)
    count, places = 0, FreePaths()
    # Folders first, so that a file whose name is also a folder's is the one that steps aside.
    for name in sorted(stored, key=lambda name: (-len(safe_path(folder, name).parts), name)):
        try:
            path = safe_path(folder, _with_ending(name, stored[name]))
            first, *inner = path.relative_to(folder).parts
            path = places.free(folder.joinpath(f"_{first}" if first in taken else first, *inner))
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
