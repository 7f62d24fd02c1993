"""A pipeline in whose midst one of Ray's own processes is killed, as by a system that is out of memory."""

import os
import signal
import time

from vaportrail import pipeline, result, task


@task
def sleeps() -> None:
    time.sleep(300)


@pipeline
def kills_ray(process: str) -> None:
    from ray._private.worker import _global_node

    running = sleeps()
    (info,) = _global_node.all_processes[process]
    os.kill(info.process.pid, signal.SIGKILL)
    result(running)
