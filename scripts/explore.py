"""Live runs with every fault that can befall their operator, and tell which of them ended otherwise.

    python scripts/explore.py [--scenario NAME]... [--fault NAME]... [--at-once 2] [--seed N] [--minutes N]
    python scripts/explore.py --sequences N [--seed N]

Each scenario of `tests/runtime/joined_scenarios.py` is lived once undisturbed, then once for each call that
is killed before or after it took effect, whose reply is lost, that is refused once or is slow, for each read
that is lost, and for each word of a watch that is dropped, doubled, late or overtaken; and some with two
faults, drawn by the seed that is printed. Ends with 1 where any life ended otherwise.

Or lives so many sequences of what users do with runs of one name (`tests/runtime/joined_sequences.py`), and
tells of which anything is left once all is deleted.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import multiprocessing
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

# Modules of the tests, which are not installed.
explorer: Any = importlib.import_module("runtime.joined_explorer")
SCENARIOS: Any = importlib.import_module("runtime.joined_scenarios").SCENARIOS

sequences: Any = importlib.import_module("runtime.joined_sequences")

_SHOWN = 40


def main(words: Sequence[str] | None = None) -> int:
    """Explore, and return the exit status."""
    asked = _parser().parse_args(words)
    started = time.monotonic()
    logging.disable(logging.CRITICAL)
    print(f"seed {asked.seed}", flush=True)
    if asked.sequences:
        return _live_sequences(asked.sequences, asked.seed)
    names = tuple(asked.scenario or SCENARIOS)
    cases = [
        case
        for case in explorer.all_cases(names, asked.seed, asked.doubles)
        if not asked.fault or case.fault in asked.fault
    ]
    if asked.lives or asked.minutes:
        cases = random.Random(asked.seed).sample(cases, min(asked.lives or len(cases), len(cases)))
    broken = {name: words for name in names if (words := explorer.unsound(name))}
    lives, different = len(names), len(broken)
    for name, words_of_it in broken.items():
        print(f"{name}: {'; '.join(words_of_it)}", flush=True)
    for case, found in _explored(cases, asked.at_once):
        lives += 1
        if found:
            different += 1
            if different <= _SHOWN:
                print(f"{case}\n    " + "\n    ".join(found), flush=True)
        if asked.minutes and time.monotonic() - started >= 60 * asked.minutes:
            break
    print(f"explored_lives {lives}")
    print(f"explored_different {different}")
    print(f"explored_minutes {(time.monotonic() - started) / 60:.1f}")
    return 1 if different else 0


def _live_sequences(count: int, seed: int) -> int:
    found = sequences.explored(count, seed)
    for sequence, words in found.wrong[:_SHOWN]:
        print(f"{sequence}\n    " + "\n    ".join(words), flush=True)
    print(f"sequences {found.sequences} of {found.runs} runs")
    print(f"sequences_different {len(found.wrong)}")
    return 1 if found.wrong else 0


def _explored(cases: list[Any], at_once: int) -> Iterator[tuple[Any, list[str]]]:
    if at_once == 1:
        yield from map(_told, cases)
        return
    with multiprocessing.get_context("fork").Pool(at_once) as pool:
        yield from pool.imap_unordered(_told, cases, chunksize=50)


def _told(case: Any) -> tuple[Any, list[str]]:
    return case, explorer.differences(case)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Live runs with every fault of their operator's.")
    add = parser.add_argument
    add("--scenario", action="append", choices=list(SCENARIOS), metavar="NAME", help="only this")
    add(
        "--fault",
        action="append",
        choices=list(explorer.FAULTS),
        metavar="NAME",
        help="only this; repeatable",
    )
    add("--at-once", type=int, default=multiprocessing.cpu_count(), help="processes; default: one a core")
    add("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of what is drawn")
    add("--lives", type=int, default=0, help="so many, drawn by the seed; default: all")
    add("--minutes", type=float, default=0.0, help="end then, with what was lived; default: when all were")
    add("--sequences", type=int, default=0, help="live so many of these and no single lives")
    add("--doubles", type=int, default=25, help="lives with two faults, for a hundred with one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
