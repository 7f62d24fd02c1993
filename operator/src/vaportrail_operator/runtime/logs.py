"""The operator's log: one line of JSON each, with the run it is about, and without secrets."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TextIO

__all__ = ["JsonLines", "about", "redacted", "set_up"]

_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LIMIT = 8000
_SECRETS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 ***"),
    (
        re.compile(
            r"(?i)\b([\w-]*(?:token|password|passwd|secret|api[_-]?key|access[_-]?key|credential)[\w-]*"
            r"[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&}]{4,}"
        ),
        r"\1***",
    ),
    (re.compile(r"(://[^/\s:@]{0,200}:)[^/\s@]{1,400}@"), r"\1***@"),
    # Written by hand, a password holds `@`, `/`, `?` and `#` as they are; a token may stand for the user.
    (re.compile(r"(://[^\s/?#:@\"'<>]{0,200}:)(?:(?!://)[^\s\"'<>]){1,400}@"), r"\1***@"),
    (re.compile(r"(://)(?=[^\s/?#:@]{0,400}\d)[^\s/?#:@\"'<>]{20,400}@"), r"\1***@"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), "***"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), "***"),
)


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Put fields, such as the run's name, on every line that is logged inside."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def redacted(text: str) -> str:
    """Return a text without what looks like a credential.

    >>> redacted("Authorization: Bearer abcdefghijkl")
    'Authorization: Bearer ***'
    >>> redacted('{"otlp_token": "0123456789"}')
    '{"otlp_token": "***"}'
    """
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: time, level, logger, message, then what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without credentials."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage())[:_LIMIT],
            **_about.get(),
        }
        for name, value in vars(record).items():
            # What begins with `_` is another library's own.
            ours = name not in _STANDARD and not name.startswith("_")
            if ours and isinstance(value, str | int | float | bool):
                fields[name] = redacted(value) if isinstance(value, str) else value
        if record.exc_info:
            fields["exception"] = redacted(self.formatException(record.exc_info))[-_LIMIT:]
        return json.dumps(fields, ensure_ascii=False)


def set_up(level: str, stream: TextIO | None = None) -> None:
    """Have everything that is logged written as lines of JSON.

    Args:
        level: of our own loggers; of others, what is less than a warning is left out.
        stream: where to; standard error where none is given.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("vaportrail_operator").setLevel(level)
    # It dumps objects when it is told to be talkative.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # It warns that it handles no signals in its thread: that is why it is there.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
