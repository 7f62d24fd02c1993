#!/usr/bin/env python3
"""How large a schedule's status is after a year of minutely ticks, and what a plan costs.

Pure: the planner with an API server in memory. Runs take hours, most ticks are skipped for them; some fail;
the schedule is suspended on the first of each month, and edited once a quarter. The operator looks each
minute of these and of one other day in eight, drawn, and is away on the rest, so that a year is planned
within minutes; `--work 1` has it never away.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT)]

from figure_log import record_figure  # noqa: E402
from tests.planning.schedule_world import ScheduleWorld, schedule_of  # noqa: E402

from vaportrail.crd.status import Phase  # noqa: E402

YEAR = 365 * 1440


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=YEAR)
    parser.add_argument("--work", type=float, default=1 / 8, help="the share of days that the operator works")
    asked = parser.parse_args()
    chance = random.Random(1)
    world = ScheduleWorld(schedule_of(concurrencyPolicy="Forbid", timeZone="Europe/Berlin"))
    until = world.now
    begin, plans, works = time.process_time(), 0, True
    for minute in range(asked.minutes):
        world.wait(60)
        if world.now.hour == world.now.minute == 0:
            if (world.now.day == 1) != world.schedule.spec.suspend:
                world.edit(suspend=world.now.day == 1)
            if minute % (91 * 1440) < 1440:
                world.edit(schedule="* * * * *" if minute % 2 else "*/1 * * * *")
            works = world.now.day == 1 or chance.random() < asked.work
        if not works and minute + 1 < asked.minutes:
            continue
        live = world.live()
        if live and world.now >= until:
            world.end(live[0], Phase.FAILED if chance.random() < 0.2 else Phase.SUCCEEDED)
        before = len(world.created)
        world.step()
        plans += 1
        if len(world.created) > before:
            until = world.now + (world.now - world.now.replace(hour=0)) / 24 * chance.random() * 12
            until = max(until, world.now.replace(second=59))
    each = (time.process_time() - begin) / plans * 1e3
    ticks = sum(world.schedule.status.counts.values())
    print(f"{ticks:,} ticks, {len(world.created):,} runs, {plans:,} plans: {world.schedule.status.counts}")
    record_figure("schedule_status_bytes_year", world.status_bytes, "bytes")
    record_figure("schedule_plan_ms", each, "ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
