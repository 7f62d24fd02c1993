"""`python3 -m vaportrail.shipper`: a sidecar that brings a pod's spool to the collector.

It follows the spool that the pod's main container writes, and ends, on SIGTERM, when all of it is
stored: the kubelet sends that only after the main container has ended. It exits with 0 only then.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vaportrail.contract.pod_environment import (
    COLLECTOR_TOKEN_VARIABLE,
    COLLECTOR_VARIABLE,
    DRAIN_VARIABLE,
    REPLY_SECONDS,
    SPOOL_VARIABLE,
)
from vaportrail.shipper.files import SpoolFolder
from vaportrail.shipper.otlp_http import HttpCollector
from vaportrail.shipper.shipper import Shipper

__all__ = ["main"]

_DEFAULT_DRAIN_SECONDS: Final = 50.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def _wait(seconds: float) -> bool:
    """Wait, and return True at once when a signal that ends the shipper has come."""
    return signal.sigtimedwait(_SIGNALS, max(0.0, seconds)) is not None


def _say(line: str) -> None:
    sys.stderr.write(f"shipper: {line}\n")
    sys.stderr.flush()


def main(environ: Mapping[str, str]) -> int:
    """Ship until told to end; return the exit status."""
    # A signal that is blocked waits until it is asked for, also where this is process 1.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        collector = HttpCollector(
            environ[COLLECTOR_VARIABLE], environ[COLLECTOR_TOKEN_VARIABLE], REPLY_SECONDS
        )
        files = SpoolFolder(Path(environ[SPOOL_VARIABLE]))
        drain_seconds = float(environ.get(DRAIN_VARIABLE, _DEFAULT_DRAIN_SECONDS))
    except KeyError as error:
        _say(f"the variable {error.args[0]} is not set")
        return 2
    except ValueError as error:
        _say(str(error))
        return 2
    shipper = Shipper(
        files,
        collector,
        unix_nano=time.time_ns,
        monotonic=time.monotonic,
        wait=_wait,
        chance=random.random,
        say=_say,
        drain_seconds=drain_seconds,
    )
    try:
        return shipper.run()
    finally:
        collector.close()


if __name__ == "__main__":
    sys.exit(main(os.environ))
