#!/usr/bin/env python3
"""`make demo`: run the MNIST pipeline here, say what it made and what to try next."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from figure_log import record_figure  # noqa: E402

CLI = ROOT / ".venv" / "bin" / "vaportrail"
PIPELINE = "examples/mnist/pipeline.py:mnist"


def main() -> int:
    cold = not (ROOT / ".venv" / "installed.txt").exists()
    begin = time.monotonic()
    setup = subprocess.run([sys.executable, "scripts/setup_environment.py", "requirements.txt"], cwd=ROOT)
    if setup.returncode:
        return setup.returncode
    run = subprocess.run([str(CLI), "run", PIPELINE, "--json"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    seconds = time.monotonic() - begin
    if not run.stdout:
        return run.returncode or 1
    sealed = json.loads(run.stdout)
    subprocess.run([str(CLI), "show", sealed["uri"]], cwd=ROOT)
    if run.returncode:
        return run.returncode
    record = Path(sealed["uri"]).relative_to(ROOT)
    print(
        f"""
One run, one folder: {record}
It needs no server and no Vaportrail to be read; nothing else was left behind.

Try next:
  .venv/bin/vaportrail verify {record}
  .venv/bin/vaportrail logs {record} --task train_model-4
  .venv/bin/vaportrail export tree {record} --output /tmp/mnist
  .venv/bin/vaportrail run {PIPELINE} -p train_sizes='[200, 400]'
"""
    )
    record_figure("demo_cold_s" if cold else "demo_warm_s", seconds, "s", baseline=83.4 if not cold else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
