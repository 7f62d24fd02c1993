"""`vaportrail cancel`"""

from __future__ import annotations

import click

from vaportrail.cli.cluster_options import context_option, namespace_option
from vaportrail.cli.screen import say

__all__ = ["command"]


@click.command("cancel")
@click.argument("name")
@namespace_option
@context_option
def command(name: str, namespace: str | None, context: str | None) -> int:
    """Cancel the PipelineRun NAME in a cluster.

    Its tasks are interrupted, its pods are removed and its record is sealed, with the outcome
    CANCELLED. It cannot be taken back. A run that has ended stays as it is.
    """
    from vaportrail.submit.kubernetes_api import PipelineRuns

    with PipelineRuns(namespace, context) as runs:
        found = runs.cancel(name)
    phase = str((found.get("status") or {}).get("phase", ""))
    if phase in ("Succeeded", "Failed", "Cancelled"):
        say(f"pipelinerun.vaportrail.dev/{name} had ended before: {phase}")
    else:
        say(f"pipelinerun.vaportrail.dev/{name} is being cancelled")
    return 0
