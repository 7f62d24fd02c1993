"""What a suite took stands beside its line; over it, it fails for what we added and not for the machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from budget import FILE, Line, Suite, lines, slowness, within

from conftest import REPOSITORY


@pytest.mark.parametrize(
    ("seconds", "speed", "over"),
    [
        (599, 1.0, False),
        (600, 1.0, False),
        (719, 1.0, False),
        (721, 1.0, True),
        (721, 1.1, False),
        (1439, 2.0, False),
        (1441, 2.0, True),
        (2159, 7.0, False),
        (2161, 7.0, True),
        (719, 0.5, False),
        (721, 0.5, True),
    ],
)
def test_it_fails_over_its_line_and_a_fifth_and_a_slow_machine_has_more(
    seconds: float, speed: float, over: bool
) -> None:
    assert Suite("test", seconds, Line(10, 6), speed).over is over


def test_what_it_took_is_told_beside_its_line_and_what_to_do_only_where_it_is_over() -> None:
    good, bad = (str(Suite("test", seconds, Line(10, 6), 1.5)) for seconds in (474, 1081))
    assert good == (
        "budget test: 7:54, line 10:00 (goal 6:00), fails over 18:00 "
        "on this machine, 1.50 times as slow as the budget's"
    )
    assert bad.splitlines()[1:] == ["test takes too long: make it quicker, or change its line and say why"]


@pytest.mark.parametrize(
    "text",
    [
        "test = 3",
        "[test]\nline = 3",
        "[test]\nline = 3\ngoal = 0",
        "[test]\nline = 3\ngoal = true",
        "[test]\nline = '3'\ngoal = 3",
        "[test]\nline = 3\ngoal = 3\nlimit = 3",
    ],
)
def test_a_line_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"^\[test\]: .*: give a line and a goal, both in minutes over 0$"):
        lines(text)


def test_no_goal_is_over_its_line_and_every_line_has_its_suite() -> None:
    known = lines(FILE.read_text())
    assert [name for name, line in known.items() if line.goal > line.line] == []
    made = (REPOSITORY / "Makefile").read_text(), (REPOSITORY / "e2e" / "suite.py").read_text()
    used = [*re.findall(r"scripts/budget\.py (\S+) --", made[0]), *re.findall(r'_within\("(\S+?)"', made[1])]
    assert sorted(used) == sorted(known)


def test_a_suite_is_measured_by_the_slower_of_the_machine_before_and_after(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times, speeds = iter([100.0, 160.0]), iter([1.5, 1.25])
    with within("check", clock=times.__next__, speed=speeds.__next__) as ended:
        pass
    [suite] = ended
    assert (suite.name, suite.seconds, suite.slowness) == ("check", 60, 1.5)
    assert capsys.readouterr().out == f"{suite}\n"


def test_the_machine_is_measured_before_what_a_suite_needs_comes_up_and_after_it_is_down() -> None:
    done: list[str] = []
    times = iter([100.0, 160.0])

    def speed() -> float:
        done.append("measured")
        return 1.0

    def clock() -> float:
        done.append("timed")
        return next(times)

    @contextmanager
    def cluster() -> Iterator[None]:
        done.append("up")
        yield
        done.append("down")

    with within("real-pods", around=cluster(), clock=clock, speed=speed) as ended:
        done.append("scenarios")

    assert done == ["measured", "up", "timed", "scenarios", "timed", "down", "measured"]
    assert ended[0].seconds == 60


def test_the_scenarios_are_measured_around_their_cluster() -> None:
    suite = (REPOSITORY / "e2e" / "suite.py").read_text()
    assert re.search(r'_within\("real-pods", .*, around=_standing\(chosen\)\)', suite)


def test_the_slowness_is_that_of_most_loops_whatever_a_moment_brings() -> None:
    took = [1, 2, 2, 2, 2, 90, 3]
    times = iter([time for each in took for time in (0.0, each / 7)])
    assert slowness(10, clock=times.__next__) == pytest.approx(2)


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_keeps_its_exit_code_and_the_time_stands_below_its_output(code: int) -> None:
    command = [sys.executable, "-c", f"print('done'); raise SystemExit({code})"]
    done = subprocess.run(
        [sys.executable, "scripts/budget.py", "check", "--", *command],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert re.fullmatch(r"done\nbudget check: 0:0\d, line .*\n", done.stdout)
