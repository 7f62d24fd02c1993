"""Tasks at the edges of what a process can do: forks, floods, kernels that die or end their worker."""

import ctypes
import os
import subprocess
import sys

from vaportrail import log, notebook, pipeline, task

dies = notebook("dying_notebook.py", allow_failure=True)
kills = notebook("worker_killing_notebook.py", allow_failure=True)


@task
def forks() -> None:
    log.metric("parent", 1)
    child = os.fork()
    if child == 0:
        log.metric("child", 1)
        os._exit(0)
    os.waitpid(child, 0)


@task
def asks_a_program() -> None:
    log.param("exit code", subprocess.run(["false"]).returncode)


@task
def floods() -> None:
    """Writes from C code that never lets go of the interpreter lock."""
    line = b"x" * 99 + b"\n"
    ctypes.PyDLL(None).write(1, line * 10_000, len(line) * 10_000)


@task
def odd_output() -> None:
    sys.stdout.write("progress 1\rprogress 2\rdone\n")
    sys.stdout.flush()
    os.write(1, b"\xff\xfe not UTF-8\n")
    sys.stdout.write("no end")


@pipeline
def edges() -> None:
    forks()
    floods()
    asks_a_program()
    odd_output()
    dies()
    kills()
