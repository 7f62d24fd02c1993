"""What a process has only one of, how it is taken and how it is put back.

Each part of that state is a row of `PARTS`. Import hooks and modules are none: what was imported
stays imported, and may need its hooks. Nor are generators of random numbers: put back, they would
give each task the same numbers.
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
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from operator import attrgetter
from typing import Any, Final, NamedTuple

from opentelemetry import trace

from vaportrail.execution import raw_signals
from vaportrail.execution.loggers_state import put_back_loggers, take_loggers

__all__ = ["OF_MAIN_THREAD", "PARTS", "Part"]


class Part(NamedTuple):
    """One part of a process's state: how it is taken, and how it is put back."""

    name: str
    take: Callable[[], Any]
    restore: Callable[[Any], object]
    compared: bool = False
    """Whether what is taken says by itself if it changed: then it is put back only where it did."""
    passing: bool = False
    """Whether Ray or we ourselves may change it between two attempts."""


def _plain(
    name: str, take: Callable[[], Any], restore: Callable[[Any], object], *, passing: bool = False
) -> Part:
    """Return a part that is put back where it is not equal to what it was: best where `take` is all C."""
    return Part(name, take, restore, compared=True, passing=passing)


def _attributes(name: str, owner: Any, *attributes: str) -> Part:
    """Return attributes of a module as a part; with none, the one of that name."""
    return _plain(name, partial(attrgetter(*attributes), owner), partial(_set_attributes, owner, attributes))


def _set_attributes(owner: Any, attributes: tuple[str, ...], values: Any) -> None:
    for name, value in zip(attributes, values if len(attributes) > 1 else (values,), strict=True):
        setattr(owner, name, value)


def _list(name: str, owner: Any, attribute: str) -> Part:
    """Return a list as a part: itself, and what is in it."""

    def take() -> tuple[int, list[Any], list[Any]]:
        found = getattr(owner, attribute)
        return id(found), found, list(found)

    def restore(taken: tuple[int, list[Any], list[Any]]) -> None:
        _, found, content = taken
        setattr(owner, attribute, found)
        found[:] = content

    return _plain(name, take, restore)


def _folder() -> list[int]:
    return [os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]


def _enter_folder(held: list[int]) -> None:
    # By descriptor: its path may lead elsewhere by now. Open still, should this be interrupted; and it
    # is closed once, or it would be another's by then.
    os.fchdir(held[0])
    os.close(held.pop())


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
    return list(map(raw_signals.getsignal, _HANDLED))


def _set_handlers(before: list[Any]) -> None:
    for number, handler, now in zip(_HANDLED, before, _handlers(), strict=True):
        # None: a handler that Python did not set, and cannot set again.
        if handler is not None and now is not handler:
            signal.signal(number, handler)


def _timers() -> list[bool]:
    """Return which of them run."""
    return [left > 0 for left, _ in map(signal.getitimer, _TIMERS)]


def _stop_timers(before: list[bool]) -> None:
    for timer, ran, runs in zip(_TIMERS, before, _timers(), strict=True):
        if runs and not ran:
            signal.setitimer(timer, 0)


def _disable_faulthandler(before: bool) -> None:
    if not before:  # where it writes to is not known
        faulthandler.disable()


OF_MAIN_THREAD: Final = ("signal handlers", "timers")
_HANDLED: Final = tuple(sorted(map(int, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})))
_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)

_STREAMS: Final = ("stdin", "stdout", "stderr", "__stdout__", "__stderr__")
_HOOKS: Final = ("excepthook", "unraisablehook", "displayhook", "breakpointhook")

PARTS: Final[Sequence[Part]] = (
    Part("working directory", _folder, _enter_folder),
    _plain("environment", _environ, _set_environ, passing=True),
    # After the environment, which names it.
    _plain(
        "time zone", partial(attrgetter("tzname", "timezone", "altzone"), time), lambda _before: time.tzset()
    ),
    Part("umask", _umask, os.umask),
    _attributes("temporary folder", tempfile, "tempdir"),
    _list("sys.path", sys, "path"),
    _list("sys.argv", sys, "argv"),
    _plain("streams", partial(attrgetter(*_STREAMS), sys), _set_streams, passing=True),
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
    _plain("signal handlers", _handlers, _set_handlers, passing=True),
    _plain(
        "signal mask",
        partial(raw_signals.pthread_sigmask, signal.SIG_BLOCK, ()),
        partial(raw_signals.pthread_sigmask, signal.SIG_SETMASK),
    ),
    _plain("timers", _timers, _stop_timers, passing=True),
    _attributes("logging", logging, "raiseExceptions", "lastResort"),
    _plain("logging.disable", partial(attrgetter("root.manager.disable"), logging), logging.disable),
    _plain(
        "logging.captureWarnings",
        partial(attrgetter("_warnings_showwarning"), logging),
        lambda before: logging.captureWarnings(before is not None),
    ),
    _attributes("log record factory", logging, "_logRecordFactory"),
    _plain("loggers", take_loggers, put_back_loggers),
    _plain("warnings", _filters, _set_filters),
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
"""Order counts: the signals' handlers come before what lets signals in, and the environment before the
time zone that it names. The folder comes first, since what follows may be relative to it: those that are
put back in any case are so before the others."""
