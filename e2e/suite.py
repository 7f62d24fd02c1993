"""Build, bring up, run the scenarios, take down: `make e2e`, `make e2e-smoke`, `make e2e-long`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import click
from budget import within
from figure_log import record_figure

from e2e.cluster.cache import cache_root
from e2e.cluster.cli import Cluster, cluster
from e2e.cluster.progress import Failed

FOLDER = Path(__file__).parent


@click.command()
@click.option("--smoke", is_flag=True, help="The shortest way through: DNS, ServiceAccounts, a RayCluster.")
@click.option("--long", is_flag=True, help="Those that wait for half an hour, and no others.")
@click.option("--comparison", is_flag=True, help="Instead of the scenarios: ten pairs against RayJob.")
def main(smoke: bool, long: bool, comparison: bool) -> None:
    """Run the end-to-end suite on a new cluster, and take that down again."""
    begun = time.monotonic()
    cold = not any((cache_root() / "parts").glob("kubernetes-*"))
    try:
        failed = _run(marker="smoke" if smoke else "long" if long else "", comparison=comparison, cold=cold)
    except Failed as error:
        raise click.ClickException(str(error)) from error
    if not failed and not comparison and not long:
        name = "e2e_smoke_s" if smoke else "e2e_cold_s" if cold else "e2e_warm_s"
        record_figure(name, time.monotonic() - begun, "s")
    sys.exit(int(failed))


def _run(*, marker: str, comparison: bool, cold: bool) -> bool:
    """Run everything, or what has a marker; says whether any scenario failed, or a suite took too long."""
    chosen = cluster()
    if cold:
        failed = _within("cold-build", chosen.prepare)
    else:
        failed = False
        chosen.prepare()
    chosen.down()
    if comparison or marker:
        with _standing(chosen):
            if comparison:
                return _pytest(FOLDER / "comparison", "-s") or failed
            return _pytest(FOLDER / "scenarios", "-m", marker) or failed
    try:
        # First, so that what the very first cluster leaves on a machine is seen.
        failed = _within("lifecycle", lambda: _pytest(FOLDER / "lifecycle")) or failed
        tests = FOLDER.parent / "tests"
        failed = _within("control-plane", lambda: _pytest(tests, "-m", "api_server")) or failed
    finally:
        chosen.down()
    scenarios = partial(_pytest, FOLDER / "scenarios", "-m", "not long")
    return _within("real-pods", scenarios, around=_standing(chosen)) or failed


@contextmanager
def _standing(chosen: Cluster) -> Iterator[None]:
    """Bring a cluster up for the length of the block."""
    try:
        chosen.up()
        yield
    finally:
        chosen.down()


def _within(
    suite: str, step: Callable[[], bool | None], *, around: AbstractContextManager[None] | None = None
) -> bool:
    """Run a step beside its line of the budget; says whether it failed, or took too long."""
    with within(suite, around=around) as ended:
        failed = step()
    return bool(failed) or ended[0].over


def _pytest(*words: str | Path) -> bool:
    """Run scenarios, in an order that is always the same; says whether any failed."""
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "--durations=5", *map(str, words)]
    return subprocess.run(command, cwd=FOLDER.parent).returncode != 0


if __name__ == "__main__":
    main()
