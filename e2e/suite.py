"""Build, bring up, run the scenarios, take down: `make e2e` and `make e2e-smoke`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click
from figure_log import record_figure

from e2e.cluster.cache import cache_root
from e2e.cluster.cli import cluster
from e2e.cluster.parts import PARTS, build
from e2e.cluster.progress import Failed

FOLDER = Path(__file__).parent


@click.command()
@click.option("--smoke", is_flag=True, help="The shortest way through: DNS, ServiceAccounts, a RayCluster.")
def main(smoke: bool) -> None:
    """Run the end-to-end suite on a cluster of its own, and take that down again."""
    begun = time.monotonic()
    cold = not any((cache_root() / "parts").glob("kubernetes-*"))
    chosen = cluster()
    try:
        for part in PARTS:
            build(part)
        chosen.up()
        failed = _pytest(FOLDER / "scenarios", *(["-m", "smoke"] if smoke else []))
        if not smoke:
            failed |= _pytest(FOLDER / "lifecycle")
    except Failed as error:
        raise click.ClickException(str(error)) from error
    finally:
        chosen.down()
    name = "e2e_smoke_s" if smoke else "e2e_cold_s" if cold else "e2e_warm_s"
    record_figure(name, time.monotonic() - begun, "s")
    sys.exit(int(failed))


def _pytest(*words: str | Path) -> bool:
    """Run scenarios; says whether any failed."""
    command = [sys.executable, "-m", "pytest", "--no-cov", "--durations=5", *map(str, words)]
    return subprocess.run(command, cwd=FOLDER.parent).returncode != 0


if __name__ == "__main__":
    main()
