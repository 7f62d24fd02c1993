"""Change very many records field by field and see that every reader and the seal bear it: `make fuzz`."""

from __future__ import annotations

import argparse
import importlib
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import coverage

ROOT = Path(__file__).parent.parent
READERS = ROOT / "runner/src/vaportrail/record"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--run", type=Path, help="a record root with one run and its kept spool")
    asked = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    measured = coverage.Coverage(
        branch=True, data_file=None, config_file=False,
        include=[str(path) for path in READERS.rglob("*.py")],
    )  # fmt: skip
    print(f"seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="vtfuzz-") as folder:
        measured.start()

        # Neither is a package's module: tests are not installed.
        fuzzing: Any = importlib.import_module("record_fuzz")
        runs: Any = importlib.import_module("tests.conftest")
        root = asked.run
        if root is None:
            root = runs.make_run(Path(folder, "run"), f"{runs.PIPELINES / 'small.py'}:small").root
        [spool] = (root / "spool").iterdir()
        [record] = (root / "runs" / "small").iterdir()
        fuzz = fuzzing.Fuzz(spool, record, Path(folder), asked.seed)
        # The first tenth is measured: it takes several times as long.
        fuzz.run(asked.cases // 10)
        measured.stop()
        begun, step = time.monotonic(), max(1, asked.cases // 10)
        for cases in range(2 * step, asked.cases + step, step):
            fuzz.run(min(cases, asked.cases))
            print(f"{fuzz.counts['cases']} cases, {time.monotonic() - begun:.0f} s", flush=True)
        print(fuzz.summary())
    measured.report()
    if fuzz.counts["sound"] * 2 < fuzz.counts["records"]:
        sys.exit("fewer than half of the changed records pass the first parse")


if __name__ == "__main__":
    main()
