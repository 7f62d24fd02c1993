"""The loggers of a process, taken and put back: of each its level, its switches, its handlers and filters."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import compress
from operator import attrgetter
from typing import Any, Final, NamedTuple

__all__ = ["put_back_loggers", "take_loggers"]

_last: tuple[list[Any], list[logging.Logger]] = ([], [])
"""What was known when it was last looked at, and what of it are loggers: seldom is there a new one."""

_level, _propagate, _disabled = attrgetter("level"), attrgetter("propagate"), attrgetter("disabled")
_handlers, _filters = attrgetter("handlers"), attrgetter("filters")


class Loggers(NamedTuple):
    """The process's loggers and their settings, each a list in the order of the loggers.

    Few have handlers or filters, so that those who have some are listed with them. No object is made for
    a logger: there are many, and so the garbage collector would have to run for each attempt.
    """

    found: list[logging.Logger]
    levels: list[int]
    propagate: list[bool]
    disabled: list[bool]
    handling: list[logging.Logger]
    handlers: list[tuple[Any, ...]]
    filtering: list[logging.Logger]
    filters: list[tuple[Any, ...]]


def take_loggers() -> Loggers:
    """Return the process's loggers; of each its settings, and what is in its lists. In C: they are many."""
    global _last
    known: list[Any] = [
        logging.root,
        *logging.root.manager.loggerDict.values(),
    ]  # other threads may make more
    before, found = _last
    if known != before:
        found = [each for each in known if type(each) is not logging.PlaceHolder]
        _last = known, found
    handling = list(compress(found, map(_handlers, found)))
    filtering = list(compress(found, map(_filters, found)))
    return Loggers(
        found,
        list(map(_level, found)),
        list(map(_propagate, found)),
        list(map(_disabled, found)),
        handling,
        list(map(tuple, map(_handlers, handling))),
        filtering,
        list(map(tuple, map(_filters, filtering))),
    )


def put_back_loggers(before: Loggers) -> None:
    """Set all loggers as they were; those that were made since are as new ones are."""
    known = {id(each): settings for each, settings in _by_logger(before)}
    for each, settings in _by_logger(take_loggers()):
        was = known.get(id(each), _NEW)
        if was != settings:
            level, propagate, disabled, handlers, filters = was
            each.setLevel(level)
            each.propagate, each.disabled = propagate, disabled
            each.handlers[:], each.filters[:] = handlers, filters


_Settings = tuple[int, bool, bool, tuple[Any, ...], tuple[Any, ...]]
_NEW: Final[_Settings] = (0, True, False, (), ())


def _by_logger(loggers: Loggers) -> Iterator[tuple[logging.Logger, _Settings]]:
    handlers = dict(zip(map(id, loggers.handling), loggers.handlers, strict=True))
    filters = dict(zip(map(id, loggers.filtering), loggers.filters, strict=True))
    for each, level, propagate, disabled in zip(*loggers[:4], strict=True):
        lists = handlers.get(id(each), ()), filters.get(id(each), ())
        yield each, (level, propagate, disabled, *lists)
