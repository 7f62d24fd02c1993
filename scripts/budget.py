"""Run a suite, and fail where it takes over 1.2 times its line of `.ci/budget.toml`, which it prints.

    scripts/budget.py test -- python -m pytest ...

A slow machine has more time: how long a fixed loop takes before and after the suite says how much.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

__all__ = ["FILE", "Line", "Suite", "lines", "slowness", "within"]

FILE = Path(__file__).resolve().parent.parent / ".ci" / "budget.toml"
TOLERANCE = 1.2
ROUNDS = 1_000_000
"""Of the loop: a seventh of a second of the machine whose minutes the budget is in."""
LOOPS = 7
SLOWEST = 3.0
"""No more is given: machines differ by two, and what is beyond is a moment's noise."""


@dataclass(frozen=True)
class Line:
    """A suite's line: minutes that it may take, and those that are aimed at."""

    line: float
    goal: float


@dataclass(frozen=True)
class Suite:
    """A suite that ended.

    Attributes:
        name: as in the budget.
        seconds: it took.
        line: what it may take.
        slowness: how many times as long this machine takes as that of the budget.
    """

    name: str
    seconds: float
    line: Line
    slowness: float

    @property
    def limit(self) -> float:
        """Seconds over which it fails; a quick machine takes nothing away, since not all is computing."""
        return 60 * self.line.line * TOLERANCE * min(max(1.0, self.slowness), SLOWEST)

    @property
    def over(self) -> bool:
        return self.seconds > self.limit

    def __str__(self) -> str:
        said = (
            f"budget {self.name}: {_minutes(self.seconds)}, line {_minutes(60 * self.line.line)} "
            f"(goal {_minutes(60 * self.line.goal)}), fails over {_minutes(self.limit)} "
            f"on this machine, {self.slowness:.2f} times as slow as the budget's"
        )
        if not self.over:
            return said
        return f"{said}\n{self.name} takes too long: make it quicker, or change its line and say why"


def lines(text: str) -> dict[str, Line]:
    """Return the budget's lines by suite.

    Raises:
        ValueError: it is not one; with the line that is wrong.
    """
    found = {}
    for name, said in tomllib.loads(text).items():
        numbers = isinstance(said, dict) and said.keys() == {"line", "goal"}
        if not numbers or not all(type(each) in (int, float) and each > 0 for each in said.values()):
            raise ValueError(f"[{name}]: {said!r}: give a line and a goal, both in minutes over 0")
        found[name] = Line(float(said["line"]), float(said["goal"]))
    return found


def slowness(rounds: int = ROUNDS, *, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how many times as long this machine takes for a loop: the median of a second of them."""
    took = []
    for _ in range(LOOPS):
        begun = clock()
        _loop(rounds)
        took.append(clock() - begun)
    return LOOPS * median(took)


def _loop(rounds: int) -> None:
    found, kept = 0, {}
    for number in range(rounds):
        found = (found * 31 + number) & 0xFFFF
        kept[found & 1023] = str(number)


@contextmanager
def within(
    name: str,
    *,
    around: AbstractContextManager[None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    speed: Callable[[], float] = slowness,
) -> Iterator[list[Suite]]:
    """Measure a suite, and print what it took beside its line.

    Args:
        name: as in the budget.
        around: what stands while the suite runs, such as a cluster. The machine is measured before and
            after it, since it keeps the machine busy; its own time is not the suite's.
        clock: seconds.
        speed: how slow the machine is.

    Yields:
        a list that holds it once it has ended.
    """
    line = lines(FILE.read_text())[name]
    before, ended = speed(), list[Suite]()
    with around or nullcontext():
        begun = clock()
        yield ended
        seconds = clock() - begun
    ended.append(Suite(name, seconds, line, max(before, speed())))
    print(ended[0], flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("suite", choices=lines(FILE.read_text()))
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    with within(asked.suite) as ended:
        code = _run(asked.command)
    return code or int(ended[0].over)


def _run(command: list[str]) -> int:
    """Run a command; who stops this process stops that one, whose end is waited for."""
    with subprocess.Popen(command) as child:
        signal.signal(signal.SIGTERM, lambda _number, _frame: child.terminate())
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:  # a terminal sends it to both
                continue


def _minutes(seconds: float) -> str:
    whole, rest = divmod(round(seconds), 60)
    return f"{whole}:{rest:02}"


if __name__ == "__main__":
    sys.exit(main())
