"""A driver's connection to Ray, to one of its own or to a cluster: quiet, typed, our signals kept."""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import shutil
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vaportrail.execution.own_lock import locked
from vaportrail.execution.put_back import put_back
from vaportrail.storage.private import private_folder

__all__ = ["SessionFolder", "connect", "disconnect", "quiet", "session_folder"]

_PREFIX = "vtray-"
_LOCK = "alive.lock"
_BASE_BYTES: Final = 107 - len(
    "/vtray-12345678/r/session_2026-11-29_16-01-20_880123_4194304/sockets/plasma_store"
)
"""How long the folder for temporary files may be: a socket's path has 107 bytes."""
_SHORT: Final = "/tmp"
_C_SIGNAL: Final = ctypes.CDLL(None).signal
_C_SIGNAL.argtypes, _C_SIGNAL.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p


@dataclass(frozen=True, slots=True)
class SessionFolder:
    """Where a run's processes on this machine keep what is theirs: below a folder of mode 0700.

    Attributes:
        ray: for Ray's session. Ray opens it to everybody, but nobody else comes so far.
        scratch: for the attempts' own folders.
    """

    ray: Path
    scratch: Path


@contextmanager
def session_folder() -> Iterator[SessionFolder]:
    """Make the folders of a session; they go with it, and so do those of sessions that were killed."""
    base = _base(tempfile.gettempdir())
    for stale in base.glob(f"{_PREFIX}*/{_LOCK}"):
        _remove_if_dead(stale)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    try:
        unlocked = folder / f"{_LOCK}.new"
        with unlocked.open("w") as lock, locked(lock, fcntl.LOCK_SH):
            unlocked.rename(folder / _LOCK)  # seen by others only once it is held
            yield SessionFolder(private_folder(folder / "r"), private_folder(folder / "s"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _base(temporary: str) -> Path:
    """Return the folder for temporary files, or a shorter one where Ray's sockets would have no room."""
    return Path(temporary if len(os.fsencode(temporary)) <= _BASE_BYTES else _SHORT)


def _remove_if_dead(lock: Path) -> None:
    try:
        if lock.parent.lstat().st_uid != os.geteuid():
            return
        with lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
    except OSError:  # alive, or just gone
        return


def connect(**arguments: Any) -> None:
    """Make this process a driver, silently; `arguments` are those of `ray.init`."""
    import ray

    # It sets variables and hooks of its own.
    with put_back(), _signals_kept():
        ray.init(log_to_driver=False, configure_logging=False, **arguments)
    ray.shutdown = _left_to_the_run  # Ray would end this process, which waits for its tasks


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep signals as they were while Ray starts, which takes two of them.

    At SIGTERM it would leave at once, and nobody would hear why. SIGCHLD it ignores, and then every program
    that the pipeline's body starts seems to end with 0.
    """
    from ray._private import utils

    before = utils.set_sigterm_handler
    handlers = {number: _handler(number) for number in (signal.SIGTERM, signal.SIGCHLD)}
    utils.set_sigterm_handler = lambda _handler: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = before
        for number, handler in handlers.items():
            _set_again(number, handler)


def _handler(number: signal.Signals) -> Any:
    """Return a signal's handler: Python's in the main thread, which alone may set it; else C's address."""
    if threading.current_thread() is threading.main_thread():
        return signal.getsignal(number)
    address = _C_SIGNAL(number, None)
    _C_SIGNAL(number, address)
    return address


def _set_again(number: signal.Signals, handler: Any) -> None:
    """Set a signal's handler, which was changed below Python: Python does not know of it."""
    if threading.current_thread() is not threading.main_thread():
        _C_SIGNAL(number, handler)
    elif handler is not None:  # one of Python's
        signal.signal(number, handler)


def disconnect() -> None:
    """End what `connect` began; without effect where it did not come so far."""
    import ray

    ray.shutdown = _shutdown()
    with put_back():
        ray.shutdown()


def _shutdown() -> Any:
    from ray._private.worker import shutdown

    return shutdown


def _left_to_the_run(*_args: Any, **_kwargs: Any) -> None:
    """Stand in for `ray.shutdown` while a run goes on: programs for Ray call it at their end."""
    warnings.warn(
        "the run's tasks are on this Ray, and the run ends it itself: leave ray.shutdown() out",
        stacklevel=2,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Ray's notices of lost workers off the terminal: the record and we say them, typed.

    `log_to_driver=False` covers the workers' output only; the notices have no switch of their own.
    """
    from ray._private import worker

    before = worker.print_to_stdstream
    worker.print_to_stdstream = lambda *args, **kwargs: None
    # It says of each value that cannot be loaded what it also raises, which we tell.
    loading = logging.getLogger("ray._private.serialization")
    loading.disabled, told = True, loading.disabled
    try:
        yield
    finally:
        worker.print_to_stdstream = before
        loading.disabled = told
