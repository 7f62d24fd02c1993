#!/usr/bin/env python3
"""Hold very many ticks of drawn schedules against a walk through all minutes: `make check-ticks`.

Zones that have odd offsets, changes at midnight or leaps of another length than an hour come first in
question; what they are is computed from the pinned data.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import secrets
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from figure_log import record_figure

ROOT = Path(__file__).resolve().parent.parent
DECADES = ((2011, 2021), (2026, 2036))
_PARTS = 8
"""A decade is checked in so many, each by a schedule of its own."""


class Part(NamedTuple):
    """Some months of a zone."""

    zone: str
    first: int
    last: int
    number: int
    seed: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=10_000_000, help="how many at least")
    parser.add_argument(
        "--all", action="store_true", help="all zones and decades, however many ticks that is"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    parts = [*_parts(asked.seed)]
    zones = len({(part.zone, part.first) for part in parts})
    print(f"{zones} zone-decades", flush=True)
    checked = done = 0
    wrong: list[str] = []
    with ProcessPoolExecutor(asked.processes) as pool:
        for ticks, found in _side_by_side(pool, parts, asked.processes):
            checked, done = checked + ticks, done + 1
            wrong += found
            if done % 10 == 0:
                print(f"{done} of {len(parts)} parts, {checked:,} ticks, {len(wrong)} different", flush=True)
            if checked >= asked.ticks and not asked.all:
                break
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    record_figure("schedule_ticks_checked", checked, "ticks")
    print(f"{checked:,} ticks, {len(wrong)} different")
    return 1 if wrong else 0


def _side_by_side(
    pool: ProcessPoolExecutor, parts: list[Part], processes: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield what is found, with no more parts begun than there are processes: the caller may stop."""
    waiting = parts[::-1]
    begun = [pool.submit(check, waiting.pop()) for _ in range(min(processes, len(waiting)))]
    while begun:
        found = begun.pop(0).result()
        if waiting:
            begun.append(pool.submit(check, waiting.pop()))
        yield found


def _parts(seed: int) -> Iterator[Part]:
    walk = _walk()
    zones: Any = importlib.import_module("vaportrail.scheduling.time_zones")
    # Links to a zone are the same zone.
    seen: dict[Any, str] = {}
    for first, last in DECADES:
        for name in walk.zones_that_are_odd(sorted(zones.zone_names()), first, last):
            key = (
                first,
                *walk.moments_of_change(name, first, last),
                walk.zone(name).utcoffset(datetime(first, 1, 1)),
            )
            seen.setdefault(key, name)
    parts = [
        Part(name, key[0], key[0] + 10, number, seed)
        for key, name in seen.items()
        for number in range(_PARTS)
    ]
    random.Random(seed).shuffle(parts)
    yield from parts


def check(part: Part) -> tuple[int, list[str]]:
    """Check a part of a zone's decade."""
    walk = _walk()
    begin, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (part.first, part.last))
    minutes = (end - begin) // timedelta(minutes=1) // _PARTS
    rules = walk.drawn_rules(random.Random(repr(part)), often=True)
    found: tuple[int, list[str]] = walk.differences(
        rules, part.zone, begin + part.number * timedelta(minutes=minutes), minutes, searched=100
    )
    return found


def _walk() -> Any:
    # Tests are not installed.
    if str(ROOT) not in sys.path:
        sys.path[:0] = [str(ROOT)]
    return importlib.import_module("tests.scheduling.minute_walk")


if __name__ == "__main__":
    sys.exit(main())
