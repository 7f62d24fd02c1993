"""Sealing a spool that lies on this machine: find it, see that its runner is gone, seal, clean up."""

from __future__ import annotations

import fcntl
import logging
import os
import shlex
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import RecordError, RecordNotFound, RunActive, UsageError
from vaportrail.record.seal.cleanup import clear_record
from vaportrail.record.seal.execute_plan import SealResult, carry_out
from vaportrail.record.seal.spool_plan import make_plan
from vaportrail.record.settings import open_record, spool_settings
from vaportrail.storage import layout
from vaportrail.storage.private import open_folder
from vaportrail.storage.regular import hold, open_lock, open_regular
from vaportrail.storage.store import is_remote, normalise_root, open_store

__all__ = ["check_root", "find_spool", "is_alive", "seal_spool", "spools"]

_LOGGER: Final = logging.getLogger(__name__)
_PID_BYTES = 32
_KEPT = "sealed"
"""Marks a spool that was sealed and is kept all the same."""


def seal_spool(
    folder: Path,
    *,
    root: str | None = None,
    clock: Callable[[], int] = time.time_ns,
    progress: Callable[[str], None] = lambda line: None,
    warn: Callable[[str], None] = _LOGGER.warning,
    keep_spool: bool = False,
) -> SealResult:
    """Seal the run whose spool is `folder`, and remove the spool once the record stands.

    It can be repeated: a seal that was interrupted is finished, one that was done is found.

    Args:
        folder: the spool.
        root: the record root that the record goes to. The spool says one, too, which anybody may have
            written: the two have to be the same. None: the one that the spool lies in.
        clock: nanoseconds since the epoch.
        progress: is told what is being written.
        warn: is told what could not be cleared up. The record is sealed all the same.
        keep_spool: leave the spool where it is.

    Raises:
        UsageError: the spool says another root.
        RunActive: the run's runner is still alive.
        SealConflict: something different stands where the record belongs.
        RecordError: the spool or the store cannot be read or written.
    """
    settings = spool_settings(folder)
    check_root(folder, settings, root)
    owner = folder.lstat().st_uid
    if owner != os.geteuid():
        raise RecordError(f"{folder} belongs to user {owner}: seal it as that user")
    with _runner_gone(folder, settings):
        record = open_record(settings)
        spool = open_store(str(folder))
        plan = make_plan(settings, spool, "", record, clock())
        result = carry_out(plan, spool, record, progress=progress)
        clear_record(record, warn)
        try:
            _clear_up(folder, settings, keep_spool=keep_spool)
        except OSError as error:
            warn(f"the record is sealed, but not all is cleared up after it: {error}; {folder} may go")
    return result


def _clear_up(folder: Path, settings: RunSettings, *, keep_spool: bool) -> None:
    # Only the first seal: later its user may have closed it by hand.
    if not is_remote(settings.record_uri) and not _is_kept(folder):
        open_folder(Path(settings.record_uri))
    if keep_spool:
        _mark_kept(folder)
    else:
        shutil.rmtree(folder)
        _remove_if_empty(folder.parent)


def _is_kept(folder: Path) -> bool:
    return _is_file(folder / _KEPT)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _mark_kept(folder: Path) -> None:
    if not _is_kept(folder):
        (folder / _KEPT).unlink(missing_ok=True)
        os.close(os.open(folder / _KEPT, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def check_root(folder: Path, settings: RunSettings, root: str | None) -> None:
    """See that a spool's record goes to the root that was asked for; None: the one that it lies in.

    Raises:
        UsageError: the spool says another.
    """
    asked = normalise_root(root if root is not None else folder.absolute().parents[1])
    if settings.root != asked:
        raise UsageError(
            f"the spool {folder} says that its record goes to {settings.root!r}, not to {asked!r}; "
            f"if that is right, say so: vaportrail seal {folder.name} --record {folder.parents[1]} "
            f"--into {shlex.quote(settings.root)}"
        )


def spools(root: str) -> list[Path]:
    """Return the folders of spools below a local root that wait for a seal, oldest first."""
    folder = Path(root) / layout.SPOOL
    found = [path.parent for path in folder.glob(f"*/{layout.RUN_FILE}") if not _is_kept(path.parent)]
    return sorted(found, key=lambda path: (_changed(path), path.name))


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:  # somebody has just sealed it
        return 0


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
    """Return whether the runner that writes to a spool still lives.

    It takes the lock for a moment, which `hold` waits for.
    """
    try:
        with open_regular(folder / layout.LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def _runner_gone(folder: Path, settings: RunSettings) -> Iterator[None]:
    """Hold the runner's lock for the length of the seal."""
    path = folder / layout.LOCK
    try:
        opened = open_lock(path)
    except OSError as error:
        raise RecordError(f"{path} cannot be locked: {error.strerror or error}; remove it") from error
    with opened as lock:
        try:
            hold(lock)
        except BlockingIOError:
            pid = lock.read(_PID_BYTES).decode(errors="replace").strip()
            raise RunActive(
                f"run {settings.identity.name} is still alive (process {pid}); it seals itself when it ends"
            ) from None
        yield


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
