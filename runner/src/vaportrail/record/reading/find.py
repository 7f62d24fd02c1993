"""Which run a user means: a path, a URI, a run's name or the start of its id, or the latest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from vaportrail.contract.run_identity import RunIdentity
from vaportrail.errors import RecordError, RecordNotFound
from vaportrail.record.manifest import RunInfo
from vaportrail.record.reading.read import open_run, scan_runs
from vaportrail.record.reading.recorded_run import Run
from vaportrail.storage import layout

__all__ = ["default_root", "find_run", "means"]

_ID_LENGTH: Final = 8
"""Of a UUID that a record's folder is called by."""


def default_root() -> str:
    """Return the record root that is used where none is given."""
    return os.environ.get("VAPORTRAIL_RECORD") or layout.DEFAULT_ROOT


def find_run(text: str, root: str, unreadable: Callable[[RecordError], None]) -> Run:
    """Return the run that `text` means.

    Args:
        text: a record's folder or URI, a run's name or folder name, the start of its UUID, or
            ``latest``.
        root: where to look by name.
        unreadable: is told of each record there that cannot be read.

    Raises:
        RecordNotFound: there is none, or more than one.
    """
    if "://" in text or _is_place(text):
        return open_run(text)
    runs = _readable(root, unreadable)
    if text == "latest":
        for run in runs:
            return run
        raise RecordNotFound(
            f"there is no run below {root} yet; start one with: vaportrail run FILE.py:PIPELINE"
        )
    matches = _by_folder(text, root) or [run for run in runs if means(text, run.facts.run, run.uri)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(run.uri.rpartition("/")[2] for run in matches[:5])
        raise RecordNotFound(f"{text!r} means {len(matches)} runs below {root}: {names}; give more of it")
    other = "" if root == default_root() else f" --record {root}"
    raise RecordNotFound(f"no run {text!r} below {root}; see what there is with: vaportrail ls{other}")


def _by_folder(text: str, root: str) -> list[Run]:
    """Return the runs that a text means by what their folders are called, without a look into any other."""
    wanted = text.rpartition("/")[2]

    def named(folder: str) -> bool:
        # Eight characters of the UUID: with fewer the text may as well be a name.
        return folder == wanted or (
            len(wanted) >= _ID_LENGTH and folder.rpartition("-")[2] == wanted[:_ID_LENGTH]
        )

    found = (run for run in scan_runs(root, named=named) if isinstance(run, Run))
    return [run for run in found if means(text, run.facts.run, run.uri)]


def _readable(root: str, unreadable: Callable[[RecordError], None]) -> Iterator[Run]:
    """Yield the runs below a root, newest first."""
    for run in scan_runs(root):
        if isinstance(run, Run):
            yield run
        else:
            unreadable(run)


def _is_place(text: str) -> bool:
    """Return whether a text is a record's folder, which need not be there before the record is."""
    root, *place = text.rstrip(os.sep).rsplit(os.sep, 3)
    if len(place) == 3 and place[0] == layout.RUNS and Path(root).is_dir():
        return True
    return (os.sep in text and Path(text).exists()) or (Path(text) / layout.MANIFEST).exists()


def means(text: str, run: RunIdentity | RunInfo, place: str) -> bool:
    """Return whether a text means a run: by its name, its folder's, or the start of its UUID.

    Args:
        text: may begin with the pipeline's name and a slash.
        run: who the run is.
        place: its record's path or URI.
    """
    text = text.removeprefix(f"{run.pipeline}/")
    return text in (run.name, place.rpartition("/")[2]) or (bool(text) and run.uid.startswith(text))
