"""The options that say which cluster, and where in it."""

from __future__ import annotations

import click

__all__ = ["context_option", "namespace_option"]

namespace_option = click.option(
    "-n", "--namespace", metavar="NAME", help="The run's namespace; the context's own unless given."
)
context_option = click.option("--context", metavar="NAME", help="Which context of the kubeconfig to use.")
