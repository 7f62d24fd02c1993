"""What a process has only one of, taken and put back: what runs in between changes it for itself alone.

Each part of that state is a row of `PARTS`. Import hooks and modules are none: what was imported
stays imported, and may need its hooks. Nor are generators of random numbers: put back, they would
give each task the same numbers. Other threads may change any of it meanwhile.
"""

from __future__ import annotations

import _locale
import decimal
import faulthandler
import gc
import locale
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from operator import attrgetter, is_
from typing import Any, Final, NamedTuple

from opentelemetry import trace

from vaportrail.execution.loggers_state import put_back_loggers, take_loggers

__all__ = ["PARTS", "Part", "put_back"]


class Part(NamedTuple):
    """One part of a process's state: how it is taken, and how it is put back."""

    name: str
    take: Callable[[], Any]
    restore: Callable[[Any], object]
    compared: bool = False
    """Whether what is taken says by itself if it changed: then it is put back only where it did."""


def _plain(name: str, take: Callable[[], Any], restore: Callable[[Any], object]) -> Part:
    """Return a part that is put back where it is not equal to what it was: best where `take` is all C."""
    return Part(name, take, restore, compared=True)


def _attributes(name: str, owner: Any, *attributes: str) -> Part:
    """Return attributes of a module as a part; with none, the one of that name."""
    return _plain(name, partial(attrgetter(*attributes), owner), partial(_set_attributes, owner, attributes))


def _set_attributes(owner: Any, attributes: tuple[str, ...], values: Any) -> None:
    for name, value in zip(attributes, values if len(attributes) > 1 else (values,), strict=True):
        setattr(owner, name, value)


def _list(owner: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """Return how a list is taken and put back: itself, and what is in it."""

    def take() -> tuple[list[Any], list[Any]]:
        found = getattr(owner, name)
        return found, list(found)

    def restore(taken: tuple[list[Any], list[Any]]) -> None:
        found, content = taken
        if getattr(owner, name) is not found:
            setattr(owner, name, found)
        if found != content:
            found[:] = content

    return take, restore


def _folder() -> int:
    return os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _enter_folder(fd: int) -> None:
    # By descriptor: its path may lead elsewhere by now. Open still, should this be interrupted.
    os.fchdir(fd)
    os.close(fd)


def _environ() -> dict[bytes, bytes]:
    # One step in C: another thread may take a variable away. Undecoded: there are many, and few change.
    return dict(os.environ._data)  # type: ignore[attr-defined]


def _set_environ(before: dict[bytes, bytes]) -> None:
    for name in _environ().keys() - before.keys():
        os.environb.pop(name, None)
    os.environb.update(before)


def _umask() -> int:
    umask = os.umask(0o077)  # the only way to ask; strict meanwhile
    os.umask(umask)
    return umask


def _set_streams(before: tuple[Any, ...]) -> None:
    for name, file in zip(_STREAMS, before, strict=True):
        if getattr(sys, name) is not file:
            with suppress(Exception):
                getattr(sys, name).flush()  # a Tee may still hold some of it
            setattr(sys, name, file)


def _filters() -> list[Any]:
    return list(warnings.filters)


def _set_filters(before: list[Any]) -> None:
    if warnings.filters != before:
        warnings.filters[:] = before  # type: ignore[index]
        warnings._filters_mutated()  # type: ignore[attr-defined]


def _set_provider(before: tuple[Any, bool]) -> None:
    trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE._done = before


def _thread_functions() -> tuple[Any, Any]:
    return threading.gettrace(), threading.getprofile()


def _set_thread_functions(before: tuple[Any, Any]) -> None:
    traces, profiles = before
    threading.settrace(traces)
    threading.setprofile(profiles)


def _collector() -> tuple[bool, tuple[int, int, int], int]:
    return gc.isenabled(), gc.get_threshold(), gc.get_debug()


def _set_collector(before: tuple[bool, tuple[int, int, int], int]) -> None:
    enabled, threshold, debug = before
    (gc.enable if enabled else gc.disable)()
    gc.set_threshold(*threshold)
    gc.set_debug(debug)


def _event_loop() -> tuple[Any, dict[str, Any]]:
    """Return asyncio's policy, and what it knows of this thread: its loop, and whether it was set."""
    policy = getattr(sys.modules.get("asyncio.events"), "_event_loop_policy", None)
    return policy, dict(getattr(getattr(policy, "_local", None), "__dict__", {}))


def _set_event_loop(before: tuple[Any, dict[str, Any]]) -> None:
    policy, own = before
    events: Any = sys.modules.get("asyncio.events")
    if events is None:
        return
    now = events._event_loop_policy
    # One that was made when it was first asked for stays: other threads may have their loops by it.
    if policy is not None or type(now) is not sys.modules["asyncio"].DefaultEventLoopPolicy:
        events._event_loop_policy = now = policy
    local = getattr(now, "_local", None)
    if local is not None:
        vars(local).clear()
        vars(local).update(own)


def _handlers() -> list[Any]:
    return list(map(_getsignal, _HANDLED))


def _set_handlers(before: list[Any]) -> None:
    found = _handlers()
    if all(map(is_, found, before)):
        return
    for number, handler, now in zip(_HANDLED, before, found, strict=True):
        # None: a handler that Python did not set, and cannot set again.
        if handler is not None and now is not handler:
            signal.signal(number, handler)


def _timers() -> list[tuple[float, float]]:
    return list(map(signal.getitimer, _TIMERS))


def _stop_timers(before: list[tuple[float, float]]) -> None:
    for timer, (left, _), (still_left, _) in zip(_TIMERS, before, _timers(), strict=True):
        if still_left and not left:
            signal.setitimer(timer, 0)


def _disable_faulthandler(before: bool) -> None:
    if not before:  # where it writes to is not known
        faulthandler.disable()


_OF_MAIN_THREAD: Final = ("signal handlers", "timers")
_HANDLED: Final = tuple(sorted(map(int, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})))
# Below the names of `signal`, which makes members of enumerations of all that it returns.
_low: Any = signal._signal  # type: ignore[attr-defined]
_getsignal, _sigmask = _low.getsignal, _low.pthread_sigmask
_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)

_STREAMS: Final = ("stdin", "stdout", "stderr", "__stdout__", "__stderr__")
_HOOKS: Final = ("excepthook", "unraisablehook", "displayhook", "breakpointhook")

PARTS: Final[Sequence[Part]] = (
    Part("working directory", _folder, _enter_folder),
    _plain("environment", _environ, _set_environ),
    # After the environment, which names it.
    _plain(
        "time zone", partial(attrgetter("tzname", "timezone", "altzone"), time), lambda _before: time.tzset()
    ),
    Part("umask", _umask, os.umask),
    _attributes("temporary folder", tempfile, "tempdir"),
    Part("sys.path", *_list(sys, "path")),
    Part("sys.argv", *_list(sys, "argv")),
    _plain("streams", partial(attrgetter(*_STREAMS), sys), _set_streams),
    _attributes("hooks", sys, *_HOOKS),
    _attributes("threads' hook", threading, "excepthook"),
    _plain("recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    _plain("trace function", sys.gettrace, sys.settrace),
    _plain("profile function", sys.getprofile, sys.setprofile),
    _plain("threads' functions", _thread_functions, _set_thread_functions),
    _plain("threads' stack", threading.stack_size, threading.stack_size),
    _plain("switch interval", sys.getswitchinterval, sys.setswitchinterval),
    _plain("digits of integers", sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    _plain("hooks of generators", sys.get_asyncgen_hooks, lambda before: sys.set_asyncgen_hooks(*before)),
    _plain("event loop", _event_loop, _set_event_loop),
    _plain("garbage collector", _collector, _set_collector),
    _plain("sockets' timeout", socket.getdefaulttimeout, socket.setdefaulttimeout),
    _plain("processors", partial(os.sched_getaffinity, 0), partial(os.sched_setaffinity, 0)),
    Part("signal handlers", _handlers, _set_handlers),
    _plain("signal mask", partial(_sigmask, signal.SIG_BLOCK, ()), partial(_sigmask, signal.SIG_SETMASK)),
    Part("timers", _timers, _stop_timers),
    _attributes("logging", logging, "raiseExceptions", "lastResort"),
    _plain("logging.disable", partial(attrgetter("root.manager.disable"), logging), logging.disable),
    _plain(
        "logging.captureWarnings",
        partial(attrgetter("_warnings_showwarning"), logging),
        lambda before: logging.captureWarnings(before is not None),
    ),
    _attributes("log record factory", logging, "_logRecordFactory"),
    _plain("loggers", take_loggers, put_back_loggers),
    Part("warnings", _filters, _set_filters),
    _attributes("warnings' display", warnings, "showwarning", "formatwarning"),
    _plain(
        "tracer provider",
        partial(attrgetter("_TRACER_PROVIDER", "_TRACER_PROVIDER_SET_ONCE._done"), trace),
        _set_provider,
    ),
    # Below `locale.setlocale`, which first looks at what it is given.
    _plain("locale", partial(_locale.setlocale, locale.LC_ALL), partial(_locale.setlocale, locale.LC_ALL)),
    Part("decimal context", lambda: decimal.getcontext().copy(), decimal.setcontext),
    _plain("faulthandler", faulthandler.is_enabled, _disable_faulthandler),
)
"""Order counts: the folder comes first, since what follows may be relative to it; the signals' handlers
come before what lets signals in, and the environment before the time zone that it names."""


@contextmanager
def put_back(parts: Sequence[Part] = PARTS) -> Iterator[None]:
    """Put back each part of the process's state as it was before the block.

    What cannot be taken or put back (a folder that is closed to this user by now) stays as it is, and
    the others are put back all the same. In other threads than the main one signals are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        parts = [part for part in parts if part.name not in _OF_MAIN_THREAD]
    taken: list[tuple[Part, Any]] = []
    for part in parts:
        try:
            taken.append((part, part.take()))
        except Exception:
            continue
    try:
        yield
    finally:
        interrupted: BaseException | None = None
        for part, value in taken:
            try:
                if not _is_as_before(part, value):
                    _restore(part, value)
            except BaseException as error:  # a time limit or a cancellation: once all is put back
                interrupted = error
                _restore(part, value)
        if interrupted is not None:
            raise interrupted


def _is_as_before(part: Part, value: Any) -> bool:
    try:
        return part.compared and bool(part.take() == value)
    except Exception:
        return False


def _restore(part: Part, value: Any) -> None:
    try:
        part.restore(value)
    except Exception:
        return
