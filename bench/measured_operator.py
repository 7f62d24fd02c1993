"""The operator's process, with its event loop measured: how long the longest step held it, and whose it was.

Each SIGUSR1 has it write what it measured since the last one to the file that the first argument names.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from vaportrail_operator.main import main

_run = asyncio.Handle._run
_loop = threading.main_thread()
_longest: dict[str, Any] = {"wall_ms": 0.0, "cpu_ms": 0.0, "cpu_step": ""}


def _measured(self: asyncio.Handle) -> None:
    if threading.current_thread() is not _loop:
        return _run(self)
    wall, cpu = time.monotonic(), time.thread_time()
    try:
        _run(self)
    finally:
        wall, cpu = (time.monotonic() - wall) * 1000, (time.thread_time() - cpu) * 1000
        _longest["wall_ms"] = max(_longest["wall_ms"], wall)
        if cpu > _longest["cpu_ms"]:
            _longest["cpu_ms"], _longest["cpu_step"] = cpu, repr(self)[:300]


def _tell(*_: object) -> None:
    target = Path(sys.argv[1])
    target.with_suffix(".new").write_text(json.dumps(_longest))
    target.with_suffix(".new").rename(target)
    _longest.update(wall_ms=0.0, cpu_ms=0.0, cpu_step="")


if __name__ == "__main__":
    asyncio.Handle._run = _measured  # type: ignore[method-assign]
    signal.signal(signal.SIGUSR1, _tell)
    os._exit(main([]))
