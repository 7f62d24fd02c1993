"""What an expression means, and what is refused: by name, with what to write instead."""

from __future__ import annotations

import pytest

from vaportrail.errors import ScheduleError
from vaportrail.scheduling.cron_expression import (
    EXPRESSION_LIMIT,
    CronExpression,
    parse_expression,
    parse_expressions,
)


def numbers(bits: int) -> list[int]:
    return [number for number in range(bits.bit_length()) if bits >> number & 1]


def times(expression: CronExpression) -> list[str]:
    return [f"{number // 60:02d}:{number % 60:02d}" for number in numbers(expression.minutes)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 6 * * *", ["06:00"]),
        ("0,30 6-7 * * *", ["06:00", "06:30", "07:00", "07:30"]),
        ("0 */8 * * *", ["00:00", "08:00", "16:00"]),
        ("50/5 23 * * *", ["23:50", "23:55"]),
        ("0-10/5 1 * * *", ["01:00", "01:05", "01:10"]),
        ("5-5 1 * * *", ["01:05"]),
        ("*/59 0 * * *", ["00:00", "00:59"]),
        ("0 9,9,9 * * *", ["09:00"]),
        ("00 09 * * *", ["09:00"]),
        (" 0\t9  * * * ", ["09:00"]),
    ],
)
def test_minutes_and_hours_are_times_of_the_day(text: str, expected: list[str]) -> None:
    assert times(parse_expression(text)) == expected


@pytest.mark.parametrize(
    ("weekday", "expected"),
    [
        ("7", [0]),
        ("0,7", [0]),
        ("5-7", [0, 5, 6]),
        ("0-7", [0, 1, 2, 3, 4, 5, 6]),
        ("6-7/2", [6]),
        ("MON-Fri", [1, 2, 3, 4, 5]),
        ("fri-sun", [0, 5, 6]),
        ("sun-tue", [0, 1, 2]),
        ("sun", [0]),
        ("*/2", [0, 2, 4, 6]),
        ("1/3", [1, 4]),
    ],
)
def test_weekdays_are_numbers_or_names_and_sunday_has_two_numbers(weekday: str, expected: list[int]) -> None:
    assert numbers(parse_expression(f"0 0 * * {weekday}").weekdays) == expected


def test_months_are_numbers_or_names() -> None:
    assert numbers(parse_expression("0 0 1 jan,MAR-may,12 *").months) == [1, 3, 4, 5, 12]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 0 13 * 5", [2, 9, 13, 16, 23, 30]),  # either
        ("0 0 13 * *", [13]),
        ("0 0 * * 5", [2, 9, 16, 23, 30]),
        ("0 0 */10 * 5", [1, 2, 9, 11, 16, 21, 23, 30, 31]),  # with a step it restricts
        ("0 0 13 * */1", [13]),
        ("0 0 31 * *", [31]),
    ],
)
def test_a_day_of_the_month_or_one_of_the_week_is_enough_where_both_are_given(
    text: str, days: list[int]
) -> None:
    # October 2026 begins with a Thursday.
    assert numbers(parse_expression(text).days_of(2026, 10)) == days


def test_a_month_has_the_days_that_it_has() -> None:
    last = parse_expression("0 0 29-31 * *")
    assert numbers(last.days_of(2026, 2)) == []
    assert numbers(last.days_of(2028, 2)) == [29]
    assert numbers(last.days_of(2026, 4)) == [29, 30]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@Midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ],
)
def test_words_are_short_for_expressions(word: str, text: str) -> None:
    short, long = parse_expression(word), parse_expression(text)
    assert (short.minutes, short.days, short.months, short.weekdays, short.wildcard_hour) == (
        long.minutes, long.days, long.months, long.weekdays, long.wildcard_hour,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hour", "wildcard"), [("*", True), ("*/2", True), ("5,*/6", True), ("0-23", False), ("2", False)]
)
def test_an_hour_that_begins_from_a_star_means_intervals(hour: str, wildcard: bool) -> None:
    assert parse_expression(f"0 {hour} * * *").wildcard_hour is wildcard


REFUSED = {
    "": "is empty",
    "* * * *": "has 4 fields; use five: minute, hour, day of the month, month, day of the week",
    "*": "has 1 field;",
    "0 * * * * *": "has 6 fields; seconds and years are not supported, use five",
    "0 0 * * * * 2027": "has 7 fields; seconds and years",
    "0 0 L * *": "day of the month: 'L': 'L', the last day, is not supported",
    "0 0 L-3 * *": "'L', the last day, is not supported",
    "0 0 * * 5L": "day of the week: '5L': 'L', the last day, is not supported",
    "0 0 * * 5#2": "day of the week: '5#2': '#', the n-th weekday of a month, is not supported; use days "
    "such as 8-14",
    "0 0 15W * *": "'W', the nearest weekday, is not supported",
    "0 0 LW * *": "'L', the last day, is not supported",
    "0 0 ? * 1": "day of the month: '?': '?' is not supported; use '*'",
    "H 0 * * *": "'H', a hash, is not supported; use a number, and jitterSeconds",
    "H(0-5) 0 * * *": "'H', a hash, is not supported",
    "0~9 0 * * *": "'~', a random number, is not supported; use a number, and jitterSeconds",
    "TZ=Asia/Tokyo 0 0 * * *": "TZ= is not supported in an expression; use timeZone",
    "CRON_TZ=Asia/Tokyo 0 0 * * *": "CRON_TZ= is not supported in an expression; use timeZone",
    "@every 5m": "@every: intervals that do not go by the clock are not supported",
    "@reboot": "@reboot: there is nothing to start up with",
    "@fortnightly": "'@fortnightly' is not known; use one of @yearly",
    "@daily 5": "'@daily 5' is not known",
    "60 * * * *": "minute: '60': use 0 to 59",
    "* 24 * * *": "hour: '24': use 0 to 23",
    "* * 0 * *": "day of the month: '0': use 1 to 31",
    "* * * 13 *": "month: '13': use 1 to 12",
    "* * * * 8": "day of the week: '8': use 0 to 7",
    "5-1 * * * *": "minute: '5-1': runs backwards; write 5-59,0-1",
    "* * * * sat-mon": "day of the week: 'sat-mon': runs backwards; write 6,0-1",
    "*/0 * * * *": "minute: '*/0': a step is a whole number from 1 on",
    "*/ * * * *": "a step is a whole number",
    "*/5/2 * * * *": "a step is a whole number",
    "1,,2 * * * *": "minute: '': use numbers from 0 to 59",
    "-1 * * * *": "minute: '-1': use numbers",
    "1-2-3 * * * *": "minute: '1-2-3': use numbers",
    "1.5 * * * *": "minute: '1.5': use numbers from 0 to 59",
    "٣ * * * *": "minute: '٣': use numbers from 0 to 59",
    "* * * foo *": "month: 'foo': use numbers from 1 to 12, or jan feb",
    "* * * * sunday": "day of the week: 'sunday': use numbers from 0 to 7, or sun mon",
    "0 0 31 2 *": "NeverFires: day 31 is in no month of 2; use another day",
    "0 0 30 feb *": "NeverFires: day 30 is in no month of feb",
    "0 0 31 4,6,9,11 *": "NeverFires: day 31 is in no month of 4,6,9,11",
    f"{'1,' * 200}1 * * * *": "has 409 characters; use at most 256",
    f"{'9' * 5000} * * * *": "characters; use at most 256",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_supported_is_refused_by_name(text: str) -> None:
    with pytest.raises(ScheduleError) as refusal:
        parse_expressions(text)
    expected = REFUSED[text]
    assert expected in str(refusal.value)
    assert len(str(refusal.value)) < 250


def test_a_day_that_no_month_has_is_refused_only_where_nothing_else_is_enough() -> None:
    assert parse_expression("0 0 31 2 1").either
    assert parse_expression("0 0 29 2 *")


def test_a_schedule_may_have_several_expressions_one_a_line() -> None:
    found = parse_expressions("0 6 * * mon-fri\n\n  0 9 * * sat  \r\n")
    assert [each.text for each in found] == ["0 6 * * mon-fri", "0 9 * * sat"]


def test_of_several_expressions_the_line_of_the_wrong_one_is_named() -> None:
    with pytest.raises(ScheduleError, match=r"^line 3: hour: '25': use 0 to 23$"):
        parse_expressions("0 6 * * *\n\n0 25 * * *")


def test_a_schedule_has_at_most_so_many_expressions() -> None:
    assert len(parse_expressions("0 6 * * *\n" * EXPRESSION_LIMIT)) == EXPRESSION_LIMIT
    with pytest.raises(ScheduleError, match="has 17 lines; use at most 16"):
        parse_expressions("0 6 * * *\n" * (EXPRESSION_LIMIT + 1))
