#!/usr/bin/env python3
"""How long a user waits before anything of theirs runs: `import vaportrail`, `vaportrail --help`.

Measured side by side, interleaved, with what they would pick instead where that is installed:
`import ray` for the import, `ray --help` for the help. Medians of nine.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from figure_log import record_figure  # noqa: E402

BIN = Path(sys.executable).parent
PAIRS = 9


def seconds(*command: str) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def compare(name: str, ours: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    seconds(*ours), seconds(*theirs)  # warm the file cache
    pairs = [(seconds(*ours), seconds(*theirs)) for _ in range(PAIRS)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    record_figure(name, mine, "s", baseline=other)


def main() -> int:
    compare("import_s", (sys.executable, "-c", "import vaportrail"), (sys.executable, "-c", "import ray"))
    compare("help_s", (str(BIN / "vaportrail"), "--help"), (str(BIN / "ray"), "--help"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
