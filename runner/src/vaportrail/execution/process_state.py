"""What a process has only one of, taken and put back: what runs in between changes it for itself alone.

Each part of that state is a row of `PARTS`. Import hooks and modules are none: what was imported
stays imported, and may need its hooks. Nor are generators of random numbers: put back, they would
give each task the same numbers. Other threads may change any of it meanwhile.
"""

from __future__ import annotations

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
from typing import Any, Final, NamedTuple

from opentelemetry import trace

from vaportrail.execution.loggers_state import put_back_loggers, take_loggers

__all__ = ["PARTS", "Part", "put_back"]


class Part(NamedTuple):
    """One part of a process's state: how it is taken, and how it is put back."""

    name: str
    take: Callable[[], Any]
    restore: Callable[[Any], None]


def _attributes(owner: Any, *names: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """Return how attributes of a module are taken and put back."""

    def take() -> dict[str, Any]:
        return {name: getattr(owner, name) for name in names}

    def restore(values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(owner, name, value)

    return take, restore


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
    now = _environ()
    if now != before:
        for name in now.keys() - before.keys():
            os.environb.pop(name, None)
        os.environb.update(before)


def _time_zone() -> tuple[Any, ...]:
    return time.tzname, time.timezone, time.altzone


def _set_time_zone(before: tuple[Any, ...]) -> None:
    if _time_zone() != before:
        time.tzset()  # after the environment, which names it


def _umask() -> int:
    umask = os.umask(0o077)  # the only way to ask; strict meanwhile
    os.umask(umask)
    return umask


def _set_umask(before: int) -> None:
    os.umask(before)


def _streams() -> dict[str, Any]:
    return {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr", "__stdout__", "__stderr__")}


def _set_streams(before: dict[str, Any]) -> None:
    for name, file in before.items():
        if getattr(sys, name) is not file:
            with suppress(Exception):
                getattr(sys, name).flush()  # a Tee may still hold some of it
            setattr(sys, name, file)


def _changed(
    take: Callable[[], Any], put: Callable[[Any], object]
) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """Return how a part is taken and put back, where to look whether it changed costs less."""

    def restore(before: Any) -> None:
        if take() != before:
            put(before)

    return take, restore


def _filters() -> list[Any]:
    return list(warnings.filters)


def _set_filters(before: list[Any]) -> None:
    if warnings.filters != before:
        warnings.filters[:] = before  # type: ignore[index]
        warnings._filters_mutated()  # type: ignore[attr-defined]


def _provider() -> tuple[Any, bool]:
    return trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE._done


def _set_provider(before: tuple[Any, bool]) -> None:
    trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE._done = before


def _set_trace(before: Any) -> None:
    if sys.gettrace() is not before:
        sys.settrace(before)


def _set_profile(before: Any) -> None:
    if sys.getprofile() is not before:
        sys.setprofile(before)


def _thread_functions() -> tuple[Any, Any]:
    return threading.gettrace(), threading.getprofile()


def _set_thread_functions(before: tuple[Any, Any]) -> None:
    traces, profiles = before
    threading.settrace(traces)
    threading.setprofile(profiles)


def _set_stack_size(before: int) -> None:
    threading.stack_size(before)


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
    for number, handler, now in zip(_HANDLED, before, _handlers(), strict=True):
        # None: a handler that Python did not set, and cannot set again.
        if handler is not None and now is not handler:
            signal.signal(number, handler)


def _signal_mask() -> set[int]:
    return set(_sigmask(signal.SIG_BLOCK, ()))


def _set_signal_mask(before: set[int]) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _timers() -> list[bool]:
    return [signal.getitimer(timer)[0] > 0 for timer in _TIMERS]


def _stop_timers(before: list[bool]) -> None:
    for timer, was_running, runs in zip(_TIMERS, before, _timers(), strict=True):
        if runs and not was_running:
            signal.setitimer(timer, 0)


def _captures_warnings() -> bool:
    return logging._warnings_showwarning is not None  # type: ignore[attr-defined]


def _locale() -> str:
    return locale.setlocale(locale.LC_ALL)


def _set_locale(before: str) -> None:
    if locale.setlocale(locale.LC_ALL) != before:
        locale.setlocale(locale.LC_ALL, before)


def _faulthandler(before: bool) -> None:
    if before is False and faulthandler.is_enabled():
        faulthandler.disable()


_OF_MAIN_THREAD: Final = ("signal handlers", "timers")
_HANDLED: Final = tuple(sorted(map(int, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})))
# Below the names of `signal`, which makes members of enumerations of all that it returns.
_low: Any = signal._signal  # type: ignore[attr-defined]
_getsignal, _sigmask = _low.getsignal, _low.pthread_sigmask
_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)

PARTS: Final[Sequence[Part]] = (
    Part("working directory", _folder, _enter_folder),
    Part("environment", _environ, _set_environ),
    Part("time zone", _time_zone, _set_time_zone),
    Part("umask", _umask, _set_umask),
    Part("temporary folder", *_attributes(tempfile, "tempdir")),
    Part("sys.path", *_list(sys, "path")),
    Part("sys.argv", *_list(sys, "argv")),
    Part("streams", _streams, _set_streams),
    Part("hooks", *_attributes(sys, "excepthook", "unraisablehook", "displayhook", "breakpointhook")),
    Part("threads' hook", *_attributes(threading, "excepthook")),
    Part("recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    Part("trace function", sys.gettrace, _set_trace),
    Part("profile function", sys.getprofile, _set_profile),
    Part("threads' functions", _thread_functions, _set_thread_functions),
    Part("threads' stack", threading.stack_size, _set_stack_size),
    Part("switch interval", sys.getswitchinterval, sys.setswitchinterval),
    Part("digits of integers", sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    Part("hooks of generators", sys.get_asyncgen_hooks, lambda before: sys.set_asyncgen_hooks(*before)),
    Part("event loop", _event_loop, _set_event_loop),
    Part("garbage collector", _collector, _set_collector),
    Part("sockets' timeout", socket.getdefaulttimeout, socket.setdefaulttimeout),
    Part(
        "processors", *_changed(lambda: os.sched_getaffinity(0), lambda cpus: os.sched_setaffinity(0, cpus))
    ),
    Part("signal handlers", _handlers, _set_handlers),
    Part("signal mask", *_changed(_signal_mask, _set_signal_mask)),
    Part("timers", _timers, _stop_timers),
    Part("logging", *_attributes(logging, "raiseExceptions", "lastResort")),
    Part("logging.disable", *_changed(lambda: logging.root.manager.disable, logging.disable)),
    Part("logging.captureWarnings", _captures_warnings, logging.captureWarnings),
    Part("log record factory", logging.getLogRecordFactory, logging.setLogRecordFactory),
    Part("loggers", take_loggers, put_back_loggers),
    Part("warnings", _filters, _set_filters),
    Part("warnings' display", *_attributes(warnings, "showwarning", "formatwarning")),
    Part("tracer provider", _provider, _set_provider),
    Part("locale", _locale, _set_locale),
    Part("decimal context", lambda: decimal.getcontext().copy(), decimal.setcontext),
    Part("faulthandler", faulthandler.is_enabled, _faulthandler),
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
                _restore(part, value)
            except BaseException as error:  # a time limit or a cancellation: once all is put back
                interrupted = error
                _restore(part, value)
        if interrupted is not None:
            raise interrupted


def _restore(part: Part, value: Any) -> None:
    try:
        part.restore(value)
    except Exception:
        return
