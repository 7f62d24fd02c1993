"""Ticks in a time zone: where clocks are changed above all, and that a search always ends."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaportrail.errors import ScheduleError
from vaportrail.scheduling import time_zones
from vaportrail.scheduling.cron_expression import parse_expressions
from vaportrail.scheduling.minute_pattern import MinutePattern
from vaportrail.scheduling.time_zones import minute_of, require_zone, time_of, zone_names
from vaportrail.scheduling.timetable import HORIZON, Doubled, Skipped, Timetable

SHIFT, SKIP = Skipped.SHIFT, Skipped.SKIP
FIRST, LAST, BOTH, NONE = Doubled.FIRST, Doubled.LAST, Doubled.BOTH, Doubled.NONE


def at(text: str) -> int:
    return minute_of(datetime.fromisoformat(text).replace(tzinfo=UTC))


def ticks(
    text: str, zone: str, begin: str, end: str, skipped: Skipped = SHIFT, doubled: Doubled = FIRST
) -> list[str]:
    found = Timetable(parse_expressions(text), zone, skipped, doubled).between(at(begin) - 1, at(end) - 1)
    return [time_of(each).strftime("%m-%d %H:%M") for each in found]


# Berlin: on 29 March 2026 01:00 UTC clocks go from 2 to 3, on 25 October 01:00 UTC from 3 to 2.
SPRING, AUTUMN = ("2026-03-28 12:00", "2026-03-30 12:00"), ("2026-10-24 12:00", "2026-10-26 12:00")


@pytest.mark.parametrize(
    ("text", "skipped", "expected"),
    [
        ("30 2 * * *", SHIFT, ["03-29 01:00", "03-30 00:30"]),
        ("30 2 * * *", SKIP, ["03-30 00:30"]),
        ("0 2 * * *", SHIFT, ["03-29 01:00", "03-30 00:00"]),
        ("0 3 * * *", SHIFT, ["03-29 01:00", "03-30 01:00"]),
        # What is skipped together is due together, and once with what is due then anyway.
        ("*/20 2 * * *", SHIFT, ["03-29 01:00", "03-30 00:00", "03-30 00:20", "03-30 00:40"]),
        ("30 2 * * *\n0 3 * * *", SHIFT, ["03-29 01:00", "03-30 00:30", "03-30 01:00"]),
    ],
)
def test_a_time_that_clocks_skip_is_due_at_once_after_the_change_or_not(
    text: str, skipped: Skipped, expected: list[str]
) -> None:
    assert ticks(text, "Europe/Berlin", *SPRING, skipped) == expected


@pytest.mark.parametrize(
    ("doubled", "expected"),
    [
        (FIRST, ["10-25 00:30", "10-26 01:30"]),
        (LAST, ["10-25 01:30", "10-26 01:30"]),
        (BOTH, ["10-25 00:30", "10-25 01:30", "10-26 01:30"]),
        (NONE, ["10-26 01:30"]),
    ],
)
def test_a_time_that_comes_twice_is_due_as_its_rule_says(doubled: Doubled, expected: list[str]) -> None:
    assert ticks("30 2 * * *", "Europe/Berlin", *AUTUMN, doubled=doubled) == expected


@pytest.mark.parametrize("doubled", [*Doubled])
@pytest.mark.parametrize("skipped", [*Skipped])
@pytest.mark.parametrize("text", ["*/15 * * * *", "@hourly", "0 */1 * * *"])
def test_intervals_run_on_through_both_hours_whatever_the_rule(
    text: str, skipped: Skipped, doubled: Doubled
) -> None:
    for begin, end in (SPRING, AUTUMN):
        timetable = Timetable(parse_expressions(text), "Europe/Berlin", skipped, doubled)
        found = timetable.between(at(begin), at(end))
        assert {after - before for before, after in pairwise(found)} == {15 if "15" in text else 60}


# From reports about libraries of cron: there they skipped, doubled, jumped back a day or did not end.
REPORTED = {
    "midnight that is not there, Santiago": (
        ("0 0 * * *", "America/Santiago", "2026-09-05 00:00", "2026-09-08 00:00"),
        ["09-05 04:00", "09-06 04:00", "09-07 03:00"],
    ),
    "midnight that comes twice, Santiago": (
        ("30 23 * * *", "America/Santiago", "2026-04-04 00:00", "2026-04-06 12:00"),
        ["04-04 02:30", "04-05 02:30", "04-06 03:30"],
    ),
    "midnight that is not there, São Paulo": (
        ("@daily", "America/Sao_Paulo", "2018-11-03 00:00", "2018-11-06 00:00"),
        ["11-03 03:00", "11-04 03:00", "11-05 02:00"],
    ),
    "midnight that is not there, Tehran": (
        ("@daily", "Asia/Tehran", "2021-03-20 12:00", "2021-03-24 00:00"),
        ["03-20 20:30", "03-21 20:30", "03-22 19:30", "03-23 19:30"],
    ),
    "half an hour, Lord Howe": (
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 00:00", "2026-10-05 00:00"),
        ["10-03 15:30", "10-04 15:15"],
    ),
    "two hours, Troll": (
        ("30 1,2 * * *", "Antarctica/Troll", "2026-03-28 12:00", "2026-03-30 12:00"),
        ["03-29 01:00", "03-29 23:30", "03-30 00:30"],
    ),
    "a day that never was, Apia": (
        ("0 9 * * *", "Pacific/Apia", "2011-12-29 00:00", "2012-01-01 12:00"),
        ["12-29 19:00", "12-30 10:00", "12-30 19:00", "12-31 19:00"],
    ),
    "a leap day": (("0 0 29 2 *", "UTC", "2096-01-01 00:00", "2104-12-31 00:00"), ["02-29 00:00"] * 2),
    "a day and a weekday": (
        ("0 0 13 * 5", "UTC", "2026-11-10 00:00", "2026-11-21 00:00"),
        ["11-13 00:00", "11-20 00:00"],
    ),
}


@pytest.mark.parametrize("name", REPORTED)
def test_what_went_wrong_elsewhere_goes_right(name: str) -> None:
    asked, expected = REPORTED[name]
    assert ticks(*asked) == expected


@pytest.mark.parametrize(
    ("text", "zone"),
    [("0 1 30 3 *", "Europe/Lisbon"), ("30 2 29 3 *", "Europe/Berlin"), ("0 0 29 2 *", "UTC")],
)
def test_a_search_for_a_rare_date_ends(text: str, zone: str) -> None:
    # The only date of these is in the gap in some years: libraries looked for ever.
    timetable = Timetable(parse_expressions(text), zone, SKIP)
    found = timetable.next(at("2025-01-01 00:00"))
    assert found is not None
    assert timetable.previous(found + 1) == found


def test_a_search_that_finds_nothing_within_ten_years_says_so() -> None:
    timetable = Timetable(parse_expressions("0 0 29 2 *"), "UTC")
    assert timetable.next(at("2096-03-01 00:00")) == at("2104-02-29 00:00")
    assert timetable.next(4_000_000_000) is None
    assert timetable.previous(-5) is None
    assert timetable.previous(at("2000-01-01 00:00"), at("1999-12-01 00:00")) is None
    assert (at("2104-02-29 00:00") - at("2096-02-29 00:00")) < HORIZON


def test_left_out_times_are_told_once_and_only_where_nothing_else_is_due() -> None:
    def left_out(text: str, skipped: Skipped, doubled: Doubled) -> list[str]:
        timetable = Timetable(parse_expressions(text), "Europe/Berlin", skipped, doubled)
        found = timetable.left_out(at("2026-01-01 00:00"), at("2026-12-31 00:00"))
        return [time_of(each).strftime("%m-%d %H:%M") for each in found]

    assert left_out("*/20 2 * * *", SKIP, FIRST) == ["03-29 01:00"]
    assert left_out("30 2 * * *", SKIP, NONE) == ["03-29 01:00", "10-25 00:30"]
    assert left_out("30 2 * * *\n0 3 * * *", SKIP, FIRST) == []
    assert left_out("30 2 * * *\n30 * * * *", SKIP, NONE) == ["03-29 01:00"]
    assert left_out("30 2 * * *", SHIFT, BOTH) == []
    assert left_out("*/5 * * * *", SKIP, NONE) == []


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("* * * * *", 1), ("*/7 * * * *", 4), ("0 6 * * *", 1440), ("0 23 * * *\n30 0 * * *", 90)],
)
def test_the_shortest_interval_goes_across_midnight_too(text: str, minutes: int) -> None:
    assert Timetable(parse_expressions(text)).shortest_interval() == minutes


TEXTS = st.sampled_from(
    ["* * * * *", "*/7 * * * *", "30 2 * * *", "0 0 * * *", "15 */5 * * mon", "0 0 1,31 * *", "0 0 29 2 *",
     "30 1 * * *\n*/45 2-3 * * *", "0 0 13 * fri"]
)  # fmt: skip
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu",
     "Antarctica/Troll", "Africa/Casablanca", "Africa/Monrovia"]
)  # fmt: skip
TIMETABLES = st.builds(
    lambda text, zone, skipped, doubled: Timetable(parse_expressions(text), zone, skipped, doubled),
    TEXTS, ZONES, st.sampled_from(Skipped), st.sampled_from(Doubled),
)  # fmt: skip
MINUTES = st.integers(at("1970-01-02 00:00"), at("2040-01-01 00:00"))


@given(TIMETABLES, MINUTES)
@settings(max_examples=60, deadline=None)
def test_the_next_is_always_later_and_the_way_back_leads_to_it(timetable: Timetable, minute: int) -> None:
    following = timetable.next(minute)
    assert following is not None
    assert following > minute
    assert following in timetable
    assert timetable.previous(following + 1, minute) == following
    assert timetable.previous(following, minute) is None
    assert timetable.count(minute, following) == 1


@given(TIMETABLES, MINUTES, st.integers(0, 20_000), st.integers(0, 20_000))
@settings(max_examples=40, deadline=None)
def test_counts_add_up_and_are_those_of_the_ticks(
    timetable: Timetable, minute: int, first: int, second: int
) -> None:
    middle, end = minute + first, minute + first + second
    whole = timetable.count(minute, end)
    assert whole == timetable.count(minute, middle) + timetable.count(middle, end)
    assert whole == len([*timetable.between(minute, end)])


def test_fifty_years_of_minutes_are_counted_by_the_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    timetable = Timetable(parse_expressions("* * * * *"), "UTC")
    # Not one by one.
    monkeypatch.setattr(MinutePattern, "each", None)
    assert timetable.count(at("1975-01-01 00:00"), at("2025-01-01 00:00")) == 18_263 * 1440


def test_every_zone_of_the_pinned_data_can_be_asked() -> None:
    assert len(zone_names()) > 590
    for name in sorted(zone_names())[::25]:
        assert Timetable(parse_expressions("0 6 * * *"), name).next(at("2026-01-01 00:00")) is not None


def test_the_zones_are_those_of_the_pinned_data_not_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoneinfo.TZPATH", ())
    assert Timetable(parse_expressions("0 6 * * *"), "Europe/Vilnius").next(at("2026-01-01 00:00"))
    assert time_zones.ZONE_DATA >= "2026a"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("europe/berlin", "did you mean 'Europe/Berlin'?"),
        ("Berlin", "did you mean 'Europe/Berlin'?"),
        ("US/New York", "did you mean 'America/New_York'?"),
        ("../etc/passwd", "is no time zone of"),
        ("", "is no time zone of"),
        ("Local", "is no time zone of"),
        ("x" * 100_000, "is no time zone of"),
    ],
)
def test_an_unknown_zone_is_refused_with_one_that_is_meant(name: str, said: str) -> None:
    with pytest.raises(ScheduleError, match="time zone") as refusal:
        require_zone(name)
    assert said in str(refusal.value)
    assert len(str(refusal.value)) < 200
