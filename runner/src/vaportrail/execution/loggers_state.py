"""The loggers of a process, taken and put back: of each its level, its switches, its handlers and filters."""

from __future__ import annotations

import logging
from typing import Any, Final

__all__ = ["put_back_loggers", "take_loggers"]

_last: tuple[list[Any], list[logging.Logger]] = ([], [])
"""What was known when it was last looked at, and what of it are loggers: seldom is there a new one."""

_Settings = tuple[int, bool, bool, tuple[Any, ...], tuple[Any, ...]]
_NEW: Final[_Settings] = (0, True, False, (), ())


def take_loggers() -> list[tuple[logging.Logger, _Settings]]:
    """Return the process's loggers that are not as new ones are, and their settings.

    There are many, and few of those. No object is made for one of the others: the garbage collector would
    have to run for each attempt.
    """
    return [
        (each, _settings(each))
        for each in _loggers()
        if each.level or not each.propagate or each.disabled or each.handlers or each.filters
    ]


def put_back_loggers(before: list[tuple[logging.Logger, _Settings]]) -> None:
    """Set all loggers as they were; those that were as new ones are, or were made since, as new ones are."""
    wanted = {id(each): (each, _NEW) for each, _ in take_loggers()}
    wanted |= {id(each): (each, settings) for each, settings in before}
    for each, settings in wanted.values():
        if _settings(each) != settings:
            level, propagate, disabled, handlers, filters = settings
            each.setLevel(level)
            each.propagate, each.disabled = propagate, disabled
            each.handlers[:], each.filters[:] = handlers, filters


def _loggers() -> list[logging.Logger]:
    global _last
    # Other threads may make more.
    known: list[Any] = [logging.root, *logging.root.manager.loggerDict.values()]
    before, found = _last
    if known != before:
        found = [each for each in known if type(each) is not logging.PlaceHolder]
        _last = known, found
    return found


def _settings(each: logging.Logger) -> _Settings:
    return each.level, each.propagate, each.disabled, tuple(each.handlers), tuple(each.filters)
