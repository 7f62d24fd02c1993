"""`vaportrail-operator`: reads its settings, runs until SIGTERM, says every problem in words."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from kubernetes.aio.config import ConfigException

from vaportrail.errors import UsageError
from vaportrail_operator.acting.kubernetes_client import KubernetesClient, load_access, load_configuration
from vaportrail_operator.acting.server_clock import ServerClock
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.runtime.kopf_watch import Sink, watch
from vaportrail_operator.runtime.logs import set_up
from vaportrail_operator.runtime.metrics import Metrics
from vaportrail_operator.runtime.process import Operator
from vaportrail_operator.runtime.settings import VARIABLES, Environment, read_environment
from vaportrail_operator.runtime.watch_thread import Watch
from vaportrail_operator.version import __version__

__all__ = ["main"]

_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the operator; returns the exit status.

    Args:
        arguments: of the command line; those of the process where none are given.
    """
    _parser().parse_args(arguments)
    try:
        environment = read_environment(os.environ)
    except UsageError as error:
        sys.stderr.write(f"vaportrail-operator cannot start:\n{error}\n")
        return _USAGE
    set_up(environment.log_level)
    try:
        return asyncio.run(_operate(environment))
    except ConfigException as error:
        sys.stderr.write(f"vaportrail-operator is neither in a pod nor has it a kubeconfig: {error}\n")
        return _USAGE
    except OSError as error:
        sys.stderr.write(f"vaportrail-operator cannot serve on port {environment.port}: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, VARIABLES)) + 2
    variables = "\n".join(f"  {name:<{width}}{meaning}" for name, meaning in VARIABLES.items())
    parser = argparse.ArgumentParser(
        prog="vaportrail-operator",
        description="Runs pipelineruns.vaportrail.dev on Kubernetes.",
        epilog=f"environment variables:\n{variables}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vaportrail-operator {__version__}")
    return parser


async def _operate(environment: Environment) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock = ServerClock(lambda: time.clock_gettime(time.CLOCK_BOOTTIME), lambda: datetime.now(UTC))
    name = f"vaportrail-operator/{__version__}"
    metrics = Metrics()
    client = KubernetesClient(await load_configuration(), name, clock.observe, metrics.call)
    watching = partial(_watch, environment)
    try:
        operator = Operator(environment, client, plan, watching, now=clock.now, metrics=metrics)
        return await operator.run(stop)
    finally:
        await client.close()


def _watch(environment: Environment, sink: Sink) -> Watch:
    async def run(kinds: frozenset[Kind], stop: asyncio.Event, connected: Callable[[], None]) -> None:
        await watch(kinds, environment.namespaces, load_access, sink, stop=stop, connected=connected)

    return run
