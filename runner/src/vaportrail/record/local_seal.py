"""Sealing a spool that lies on this machine: find it, see that its runner is gone, seal, clean up."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vaportrail.contract import RunSettings
from vaportrail.errors import RecordError, RecordNotFound, RunActive
from vaportrail.record.clearing import clear_record
from vaportrail.record.plan import make_plan
from vaportrail.record.seal import SealResult, carry_out
from vaportrail.storage import layout
from vaportrail.storage.store import open_store

__all__ = ["find_spool", "read_settings", "seal_spool", "spools"]


_KEPT = "sealed"
"""Marks a spool that was sealed and is kept all the same."""


def seal_spool(
    folder: Path,
    *,
    clock: Callable[[], int] = time.time_ns,
    progress: Callable[[str], None] = lambda line: None,
    keep_spool: bool = False,
) -> SealResult:
    """Seal the run whose spool is `folder`, and remove the spool once the record stands.

    It can be repeated: a seal that was interrupted is finished, one that was done is found.

    Raises:
        RunActive: the run's runner is still alive.
        SealConflict: something different stands where the record belongs.
        RecordError: the spool or the store cannot be read or written.
    """
    settings = read_settings(folder)
    with _runner_gone(folder, settings):
        record = open_store(settings.record_uri, create=True)
        spool = open_store(str(folder))
        plan = make_plan(settings, spool, "", record, clock())
        result = carry_out(plan, spool, record, progress=progress)
        clear_record(record, progress)
        if keep_spool:
            (folder / _KEPT).touch()
        else:
            shutil.rmtree(folder)
            _remove_if_empty(folder.parent)
    return result


def _is_kept(folder: Path) -> bool:
    return (folder / _KEPT).exists()


def read_settings(folder: Path) -> RunSettings:
    """Return what run a spool folder belongs to.

    Raises:
        RecordNotFound: it is no spool.
        RecordError: its `run.json` is damaged.
    """
    path = folder / layout.RUN_FILE
    try:
        return RunSettings.from_json(path.read_text())
    except FileNotFoundError:
        raise RecordNotFound(f"{folder} is not the spool of a run: it has no {layout.RUN_FILE}") from None
    except ValueError as error:
        raise RecordError(f"{path} is damaged: {error}") from error


def spools(root: str) -> list[Path]:
    """Return the folders of spools below a local root that wait for a seal, oldest first."""
    folder = Path(root) / layout.SPOOL
    found = [path.parent for path in folder.glob(f"*/{layout.RUN_FILE}") if not _is_kept(path.parent)]
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))


def find_spool(root: str, uid: str) -> Path:
    """Return the spool of the run whose UUID begins with `uid`.

    Raises:
        RecordNotFound: there is none, or more than one.
    """
    folder = Path(root) / layout.SPOOL
    found = [path.parent for path in folder.glob(f"{uid}*/{layout.RUN_FILE}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise RecordNotFound(f"{uid!r} is the start of {len(found)} runs: give more of it")
    there = ", ".join(path.name for path in spools(root)) or "none"
    raise RecordNotFound(f"no unsealed run {uid!r} under {root}/{layout.SPOOL}; there are: {there}")


def is_alive(folder: Path) -> bool:
    """Return whether the runner that writes to a spool still lives."""
    try:
        with (folder / layout.LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


@contextmanager
def _runner_gone(folder: Path, settings: RunSettings) -> Iterator[None]:
    """Hold the runner's lock for the length of the seal."""
    with (folder / layout.LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip()
            raise RunActive(
                f"run {settings.identity.name} is still alive (process {pid}); it seals itself when it ends"
            ) from None
        yield


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
