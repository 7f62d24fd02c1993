"""What a body and its tasks' children print and log, all of which a record holds."""

import atexit
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor

from opentelemetry import trace

from vaportrail import context, log, pipeline, result, task


def child(name: str) -> str:
    """Log one of everything, as a child process does."""
    log.metric(f"of {name}", 1.0)
    log.param(f"task of {name}", context().task)
    logging.getLogger("child").info("line of %s", name)
    with trace.get_tracer("child").start_as_current_span(f"span of {name}"):
        print(f"print of {name}", flush=True)
    return name


def deep(name: str) -> str:
    """Let a child's child do it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(child, name).result()


@task
def parent(method: str, name: str) -> str:
    if method == "subprocess":
        code = f"import captured; captured.child({name!r})"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=os.path.dirname(__file__))
        return name
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        return pool.submit(deep if name == "deep" else child, name).result()


@task
def pool_of_fork() -> None:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        pool.map(child, ["pool"])


def forked() -> None:
    log.metric("of the body's fork", 1.0)
    print("fork of the body")


@pipeline
def captured() -> None:
    print("print of the body")
    print("stderr of the body", file=sys.stderr)
    sys.stdout.buffer.write(b"bytes of the body\n")
    sys.stdout.writelines(["two lines\n", "of the body\n"])
    thread = threading.Thread(target=print, args=("thread of the body",))
    thread.start()
    thread.join()
    fork = multiprocessing.get_context("fork").Process(target=forked)
    fork.start()
    fork.join()
    for step in range(3):
        sys.stderr.write(f"\rbar {step} of the body")
    sys.stderr.write("\n")
    log.param("stdout is a terminal", sys.stdout.isatty())
    log.param("fileno", sys.stdout.fileno())
    print(f"names: {[result(parent(method, method)) for method in ('spawn', 'forkserver', 'subprocess')]}")
    result(parent("spawn", "deep"))
    result(pool_of_fork())
    with trace.get_tracer("body").start_as_current_span("span of the body"):
        log.metric("in the body's span", 1.0)
    atexit.register(print, "after the run")
    print("no end", end="")
