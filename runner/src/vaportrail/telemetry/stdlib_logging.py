"""The standard library's `logging`, recorded with no set-up.

Inside a run a handler on the root logger writes each record to the spool, tied to the task's
attempt and the current span. The root level is lowered to INFO where nobody had set one.
"""

from __future__ import annotations

import logging
import threading
import traceback
from typing import Any

from vaportrail.contract import exception_type
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.recorder import active

__all__ = ["SpoolHandler", "install_handler"]

_MACHINERY = ("asyncio", "ray", "traitlets")
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
        recorder = active()
        if recorder is None:
            return
        try:
            values: dict[str, Any] = {
                c.CODE_FILE_PATH: record.pathname,
                c.CODE_FUNCTION_NAME: record.funcName,
                c.CODE_LINE_NUMBER: record.lineno,
            }
            if record.thread != threading.main_thread().ident:
                values[c.THREAD_NAME] = record.threadName
            if record.exc_info and record.exc_info[1] is not None:
                error = record.exc_info[1]
                values[c.EXCEPTION_TYPE] = exception_type(error)
                values[c.EXCEPTION_MESSAGE] = str(error)
                values[c.EXCEPTION_STACKTRACE] = "".join(traceback.format_exception(error))
            recorder.log(
                record.getMessage(),
                scope=record.name,
                severity=severity(record.levelno),
                values=values,
                unix_nano=int(record.created * 1e9),
            )
        except Exception:
            self.handleError(record)


def install_handler() -> None:
    """Add the handler to the root logger, once a process."""
    root = logging.getLogger()
    if any(isinstance(handler, SpoolHandler) for handler in root.handlers):
        return
    if root.level == logging.WARNING and not root.handlers:
        root.setLevel(logging.INFO)
        # What runs the user's code is not what the user wants to read about.
        for name in _MACHINERY:
            logging.getLogger(name).setLevel(logging.WARNING)
    root.addHandler(SpoolHandler())
