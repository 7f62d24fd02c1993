"""The operator as its program starts it, but for its clock: that is ahead by the seconds that a file says."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from vaportrail_operator.acting.kubernetes_client import KubernetesClient, load_access, load_configuration
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.runtime.kopf_watch import Sink, watch
from vaportrail_operator.runtime.logs import set_up
from vaportrail_operator.runtime.process import Operator
from vaportrail_operator.runtime.settings import Environment, read_environment
from vaportrail_operator.runtime.watch_thread import Watch

AHEAD = "TEST_CLOCK_AHEAD"
"""Names the file."""


def _now() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=float(Path(os.environ[AHEAD]).read_text()))


def _watch(environment: Environment, sink: Sink) -> Watch:
    return lambda kinds, stop, connected: watch(
        kinds, environment.namespaces, load_access, sink, stop=stop, connected=connected
    )


async def main() -> int:
    environment = read_environment(os.environ)
    set_up(environment.log_level)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = KubernetesClient(await load_configuration())
    try:
        return await Operator(environment, client, plan, partial(_watch, environment), now=_now).run(stop)
    finally:
        await client.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
