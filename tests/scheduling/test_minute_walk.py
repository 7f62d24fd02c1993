"""The timetable has the ticks that somebody finds who walks through all minutes and knows nothing of it."""

from __future__ import annotations

import random
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from tests.scheduling.minute_walk import MINUTE, differences, drawn_rules, moments_of_change

CHANGES = (
    ("Europe/Berlin", 2026),
    ("America/New_York", 2026),
    ("America/Santiago", 2026),  # at midnight
    ("America/Sao_Paulo", 2018),  # at midnight
    ("Asia/Tehran", 2021),  # at midnight, half an hour off
    ("Africa/Cairo", 2024),  # at midnight
    ("Asia/Beirut", 2026),  # at midnight
    ("Australia/Lord_Howe", 2026),  # by half an hour
    ("Antarctica/Troll", 2026),  # by two hours
    ("Pacific/Apia", 2011),  # a day that never was
    ("Asia/Pyongyang", 2018),  # by half an hour, for good
    ("America/Caracas", 2016),
    ("Antarctica/Casey", 2020),  # by three hours
    ("Africa/Casablanca", 2026),  # back for Ramadan
    ("Pacific/Chatham", 2026),  # three quarters of an hour off
    ("Asia/Kathmandu", 1985),
    ("Europe/Dublin", 2026),
    ("America/Scoresbysund", 2024),
)
SEED = secrets.randbelow(2**32)


@pytest.mark.parametrize(("name", "year"), CHANGES)
def test_ticks_around_each_change_of_the_clocks_are_those_of_a_walk(name: str, year: int) -> None:
    chance = random.Random(f"{SEED} {name}")
    changes = moments_of_change(name, year, year + 1)
    assert changes
    for at, _, _ in changes[:2]:
        for often in (True, False):
            rules = drawn_rules(chance, often=often)
            _, wrong = differences(rules, name, at - 800 * MINUTE, 1700)
            assert wrong == [], f"seed {SEED}"


def test_a_hundred_thousand_ticks_are_those_of_a_walk() -> None:
    chance = random.Random(SEED)
    checked = 0
    while checked < 100_000:
        name, year = chance.choice(CHANGES)
        begin = datetime(year, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(500_000))
        ticks, wrong = differences(drawn_rules(chance, often=True), name, begin, 10_000, searched=50)
        assert wrong == [], f"seed {SEED}"
        checked += ticks
