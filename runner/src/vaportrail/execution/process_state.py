"""What a process has only one of, taken and put back: what runs in between changes it for itself alone.

Each part of that state is a row of `PARTS`. Import hooks and modules are none: what was imported
stays imported, and may need its hooks.
"""

from __future__ import annotations

import decimal
import faulthandler
import locale
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

from opentelemetry import trace

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


def _environ() -> dict[str, str]:
    return dict(os.environ)


def _set_environ(before: dict[str, str]) -> None:
    if os.environ != before:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


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


def _handlers() -> dict[signal.Signals, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals() if number in _HANDLED}


def _set_handlers(before: dict[signal.Signals, Any]) -> None:
    for number, handler in before.items():
        # None: a handler that Python did not set, and cannot set again.
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def _timers() -> dict[int, bool]:
    return {timer: signal.getitimer(timer)[0] > 0 for timer in _TIMERS}


def _stop_timers(running: dict[int, bool]) -> None:
    for timer, was_running in running.items():
        if not was_running:
            signal.setitimer(timer, 0)


def _loggers() -> dict[str, tuple[Any, ...]]:
    manager = logging.root.manager
    found = {name: each for name, each in manager.loggerDict.items() if isinstance(each, logging.Logger)}
    return {
        name: (each.level, each.propagate, each.disabled, list(each.handlers), list(each.filters))
        for name, each in {"": logging.root, **found}.items()
    }


def _set_loggers(before: dict[str, tuple[Any, ...]]) -> None:
    for name, now in _loggers().items():
        if now == before.get(name):
            continue
        level, propagate, disabled, handlers, filters = before.get(name) or (0, True, False, [], [])
        each = logging.getLogger(name or None)
        each.setLevel(level)
        each.propagate, each.disabled = propagate, disabled
        each.handlers[:], each.filters[:] = handlers, filters


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
_HANDLED: Final = frozenset(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}
_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)

PARTS: Final[Sequence[Part]] = (
    Part("working directory", _folder, _enter_folder),
    Part("environment", _environ, _set_environ),
    Part("umask", _umask, _set_umask),
    Part("sys.path", *_list(sys, "path")),
    Part("sys.argv", *_list(sys, "argv")),
    Part("streams", _streams, _set_streams),
    Part("hooks", *_attributes(sys, "excepthook", "unraisablehook", "displayhook", "breakpointhook")),
    Part("threads' hook", *_attributes(threading, "excepthook")),
    Part("recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    Part("trace function", sys.gettrace, _set_trace),
    Part("signal handlers", _handlers, _set_handlers),
    Part("timers", _timers, _stop_timers),
    Part("logging", *_attributes(logging, "raiseExceptions", "lastResort")),
    Part("logging.disable", lambda: logging.root.manager.disable, logging.disable),
    Part("logging.captureWarnings", _captures_warnings, logging.captureWarnings),
    Part("log record factory", logging.getLogRecordFactory, logging.setLogRecordFactory),
    Part("loggers", _loggers, _set_loggers),
    Part("warnings", _filters, _set_filters),
    Part("warnings' display", *_attributes(warnings, "showwarning", "formatwarning")),
    Part("tracer provider", _provider, _set_provider),
    Part("locale", _locale, _set_locale),
    Part("decimal context", lambda: decimal.getcontext().copy(), decimal.setcontext),
    Part("faulthandler", faulthandler.is_enabled, _faulthandler),
)
"""Order counts in one point: the folder comes first, since what follows may be relative to it."""


@contextmanager
def put_back(parts: Sequence[Part] = PARTS) -> Iterator[None]:
    """Put back each part of the process's state as it was before the block.

    What cannot be put back (a folder that is closed to this user by now) stays as it is, and the
    others are put back all the same. In other threads than the main one signals are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        parts = [part for part in parts if part.name not in _OF_MAIN_THREAD]
    taken: list[tuple[Part, Any]] = []
    for part in parts:
        with suppress(OSError, ValueError):
            taken.append((part, part.take()))
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
    with suppress(Exception):
        part.restore(value)
