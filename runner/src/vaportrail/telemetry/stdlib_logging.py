"""The standard library's `logging`, recorded with no set-up.

Inside a run each record that reaches the root logger is written to the spool, tied to the task's
attempt and the current span. It is taken beside the root's handlers and is none of them: what asks
for those (`basicConfig`, `hasHandlers`) or takes them off (`dictConfig`) finds what it would find
without us. The root level is lowered to INFO where nobody had set one.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from vaportrail.contract.outcome import exception_type
from vaportrail.errors import SpoolError
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.active_recorder import active
from vaportrail.telemetry.values import to_any_value

__all__ = ["SpoolHandler", "install_handler"]

_MACHINERY = ("asyncio", "ray", "traitlets")
_QUIET = logging.NullHandler()
_SEEN: Final = "_vaportrail_seen"
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message", "taskName", _SEEN}
_SEVERITY = ((50, 21, "FATAL"), (40, 17, "ERROR"), (30, 13, "WARN"), (20, 9, "INFO"), (10, 5, "DEBUG"))


def severity(level: int) -> tuple[int, str]:
    """Return OpenTelemetry's severity number and text for a level of `logging`."""
    for threshold, number, text in _SEVERITY:
        if level >= threshold:
            return number, text
    return 1, "TRACE"


class SpoolHandler(logging.Handler):
    """Writes log records to the process's spool; does nothing outside a run."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            recorder = active()
            if recorder is None:
                return
            values = _values(record)
            recorder.log(
                record.getMessage(),
                scope=record.name,
                severity=severity(record.levelno),
                values=values,
                unix_nano=int(record.created * 1e9),
            )
        except SpoolError:
            pass  # the ledger counts it, and whoever writes what the run cannot do without ends the run
        except Exception:
            self.handleError(record)


def _values(record: logging.LogRecord) -> dict[str, Any]:
    """Return a record's attributes: what was given as `extra`, and what we know of it."""
    values = {
        _extra_name(name): _shown(value) for name, value in vars(record).items() if name not in _STANDARD
    }
    values |= {
        c.CODE_FILE_PATH: record.pathname,
        c.CODE_FUNCTION_NAME: record.funcName,
        c.CODE_LINE_NUMBER: record.lineno,
        c.CODE_STACKTRACE: record.stack_info,
    }
    if record.thread != threading.main_thread().ident:
        values[c.THREAD_NAME] = record.threadName
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        values[c.EXCEPTION_TYPE] = exception_type(error)
        values[c.EXCEPTION_MESSAGE] = _shown(error)
        values[c.EXCEPTION_STACKTRACE] = "".join(traceback.format_exception(error))
    return values


def _extra_name(name: str) -> str:
    """Return what a name of the user's is recorded as: what has a meaning of its own here stays ours."""
    return f"extra.{name}" if name in c.NAMES or name.startswith("vaportrail.") else name


def _shown(value: Any) -> Any:
    """Return a value as it can be recorded, as text where it is nothing else."""
    try:
        if isinstance(value, BaseException):
            return str(value)
        to_any_value(value)
        return value
    except Exception as broken:
        return f"<str() of a {type(value).__name__} raised {type(broken).__name__}>"


def install_handler() -> Callable[[], None]:
    """Record what reaches the root logger from now on; return what ends that.

    It can be called again where user code may have changed the logging of the process.
    """
    undo: list[Callable[[], None]] = []
    last, logging.lastResort = logging.lastResort, _QUIET  # what it would print is recorded
    before = logging.Logger.callHandlers
    if not hasattr(before, _SEEN):
        logging.Logger.callHandlers = _beside(before)  # type: ignore[method-assign]
        root = logging.getLogger()
        if root.level == logging.WARNING and not root.handlers:
            # What runs the user's code is not what the user wants to read about.
            levels = {root.name: logging.INFO, **dict.fromkeys(_MACHINERY, logging.WARNING)}
            undo += [_with_level(logging.getLogger(name), level) for name, level in levels.items()]

    def end() -> None:
        if hasattr(logging.Logger.callHandlers, _SEEN):
            logging.Logger.callHandlers = before  # type: ignore[method-assign]
        if logging.lastResort is _QUIET:
            logging.lastResort = last
        for each in undo:
            each()

    return end


def _beside(others: Callable[[logging.Logger, logging.LogRecord], None]) -> Any:
    """Return `Logger.callHandlers` with ours called first, where the root's would be called, too."""
    ours = SpoolHandler()

    @wraps(others)
    def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
        if not hasattr(record, _SEEN) and _reaches_root(logger):
            setattr(record, _SEEN, True)  # another's wrapper may call this one again
            # Not `handle`: its lock would be held while what is logged is asked for its text.
            ours.emit(record)
        others(logger, record)

    setattr(call_handlers, _SEEN, True)
    return call_handlers


def _reaches_root(logger: logging.Logger) -> bool:
    each = logger
    while each.parent is not None:
        if not each.propagate:
            return False
        each = each.parent
    return each is logging.root  # a logger that nobody has asked `getLogger` for stands alone


def _with_level(logger: logging.Logger, level: int) -> Callable[[], None]:
    """Set a logger's level; return what sets it back, unless somebody else has set it meanwhile."""
    before = logger.level
    logger.setLevel(level)
    return lambda: logger.setLevel(before) if logger.level == level else None
