"""The loggers of a process, taken and put back: of each its level, its switches, its handlers and filters."""

from __future__ import annotations

import logging
from operator import attrgetter
from typing import Any

__all__ = ["put_back_loggers", "take_loggers"]

Loggers = tuple[list[logging.Logger], list[Any], list[Any], list[Any]]


def take_loggers() -> Loggers:
    """Return the process's loggers; of each its settings, and what is in its lists. In C: they are many."""
    known = list(logging.root.manager.loggerDict.values())  # other threads may make more
    found = [logging.root, *[each for each in known if type(each) is not logging.PlaceHolder]]
    return (
        found,  # type: ignore[return-value]
        list(map(attrgetter("level", "propagate", "disabled"), found)),
        list(map(tuple, map(attrgetter("handlers"), found))),
        list(map(tuple, map(attrgetter("filters"), found))),
    )


def put_back_loggers(before: Loggers) -> None:
    """Set all loggers as they were; those that were made since are as new ones are."""
    now = take_loggers()
    if now == before:
        return
    known = {id(each): settings for each, *settings in zip(*before, strict=True)}
    for each, *settings in zip(*now, strict=True):
        was = known.get(id(each), [(0, True, False), (), ()])
        if was != settings:
            (level, propagate, disabled), handlers, filters = was
            each.setLevel(level)
            each.propagate, each.disabled = propagate, disabled
            each.handlers[:], each.filters[:] = handlers, filters
