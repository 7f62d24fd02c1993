"""Measured figures: printed, and appended to `out/figures.jsonl` as one JSON object a line."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["record_figure"]

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "out" / "figures.jsonl"


def record_figure(name: str, value: float, unit: str, *, baseline: float | None = None) -> None:
    """Print a figure and append it.

    Args:
        name: what was measured.
        value: the measurement.
        unit: its unit.
        baseline: the same measurement of what it is compared with; the ratio is value / baseline.
    """
    figure = {
        "name": name,
        "value": round(value, 4),
        "unit": unit,
        "baseline": None if baseline is None else round(baseline, 4),
        "ratio": None if baseline is None else round(value / baseline, 4),
        "commit": _commit(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    FILE.parent.mkdir(exist_ok=True)
    with FILE.open("a") as file:
        file.write(json.dumps(figure) + "\n")
    against = "" if baseline is None else f"  (baseline {baseline:.4g} {unit}, ratio {value / baseline:.2f})"
    print(f"figure {name}: {value:.4g} {unit}{against}", flush=True)


def _commit() -> str:
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return ""
    return asked.stdout.strip()
