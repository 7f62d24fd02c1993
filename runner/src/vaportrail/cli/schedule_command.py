"""`vaportrail schedule`"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vaportrail.cli.screen import say, say_json
from vaportrail.cli.text_file import read_text
from vaportrail.errors import UsageError

if TYPE_CHECKING:
    from vaportrail.crd.pipelineschedule import PipelineSchedule

__all__ = ["command"]


@click.group("schedule")
def command() -> None:
    """Show when a PipelineSchedule's runs are due."""


@command.command("next")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-n", "--count", type=click.IntRange(1, 1000), default=5, show_default=True, metavar="N",
              help="How many ticks.")  # fmt: skip
@click.option("--after", metavar="TIME",
              help="The first tick after this time, such as 2027-03-28 or 2027-03-28T01:00:00Z; now unless "
              "given. Without an offset it is of the schedule's time zone.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text",
              help="The same as --json, as kubectl says it.")  # fmt: skip
def next_command(file: Path, count: int, after: str | None, as_json: bool, output: str) -> int:
    """Show the next ticks of a PipelineSchedule's FILE, in its time zone and in UTC.

    Needs no cluster. Everything that is wrong with the file is told at once.
    """
    from vaportrail.crd.pipelineschedule import timetable_of
    from vaportrail.crd.validation.schedule_rules import parse_pipelineschedule

    try:
        schedule = parse_pipelineschedule(read_text(file))
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None
    spec = schedule.spec
    timetable = timetable_of(spec.schedule, spec.time_zone, spec.daylight_saving)
    begin = _minute(after, spec.time_zone)
    found: list[int] = []
    last = begin
    while len(found) < count:
        tick = timetable.next(last)
        if tick is None or (spec.end_time is not None and tick * 60 >= spec.end_time.timestamp()):
            break
        found.append(tick)
        last = tick
    if as_json or output == "json":
        say_json(_as_json(schedule, found))
    else:
        _tell(schedule, found, whole=len(found) == count)
    return 0


def _minute(text: str | None, zone: str) -> int:
    from vaportrail.scheduling.time_zones import minute_of, zone_info

    if text is None:
        return minute_of(datetime.now(UTC))
    try:
        time = datetime.fromisoformat(text)
        return minute_of(time if time.tzinfo else time.replace(tzinfo=zone_info(zone)))
    except (ValueError, OverflowError):
        raise UsageError(
            f"--after: {text!r} is no time; use such as 2027-03-28, 2027-03-28T01:00 or 2027-03-28T01:00:00Z"
        ) from None


def _tell(schedule: PipelineSchedule, ticks: list[int], *, whole: bool) -> None:
    from vaportrail.crd.pipelineschedule import run_name
    from vaportrail.scheduling.time_zones import time_of, zone_info

    spec = schedule.spec
    zone = zone_info(spec.time_zone)
    for tick in ticks:
        local = time_of(tick).astimezone(zone)
        shown = f"{local:%a %Y-%m-%d %H:%M} {local.tzname()}"
        say(f"{shown:<28}{time_of(tick):%Y-%m-%dT%H:%MZ}  {run_name(schedule.metadata.name, tick)}")
    if not whole:
        why = f"spec.endTime is {spec.end_time.isoformat()}" if spec.end_time else "none within ten years"
        say(f"no tick is due after {'these' if ticks else 'that'}: {why}", err=True)
    if spec.suspend:
        say("note: spec.suspend is set: no run begins", err=True)
    if spec.jitter_seconds:
        say(f"note: runs begin up to {spec.jitter_seconds} s later, for spec.jitterSeconds", err=True)


def _as_json(schedule: PipelineSchedule, ticks: list[int]) -> dict[str, Any]:
    from vaportrail.crd.pipelineschedule import run_name
    from vaportrail.scheduling.time_zones import ZONE_DATA, time_of, zone_info

    zone = zone_info(schedule.spec.time_zone)
    return {
        "schedule": schedule.metadata.name,
        "timeZone": schedule.spec.time_zone,
        "timeZoneData": ZONE_DATA,
        "ticks": [
            {
                "local": time_of(tick).astimezone(zone).isoformat(),
                "utc": time_of(tick).isoformat().replace("+00:00", "Z"),
                "run": run_name(schedule.metadata.name, tick),
            }
            for tick in ticks
        ],
    }
