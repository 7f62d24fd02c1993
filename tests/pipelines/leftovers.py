"""Tasks that leave something behind in their process, each followed by one that looks around.

With one CPU they share a worker, one after the other. Ray is imported first, as programs do that use it.
"""

import ray  # isort: skip  # noqa: F401

import argparse
import decimal
import locale
import logging
import logging.config
import os
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from vaportrail import log, outcome, pipeline, task

LOGGER = logging.getLogger("leftovers.known")


class Tee:
    """The well-known one: it writes to both, and has no flush."""

    def __init__(self, *files: object) -> None:
        self.files = files

    def write(self, text: str) -> int:
        for file in self.files:
            file.write(text)  # type: ignore[attr-defined]
        return len(text)


class Bad:
    """A stream whose flush fails in a way of its own."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        raise KeyError("flushed")


def tee() -> None:
    sys.stdout = sys.stderr = Tee(sys.stdout)  # type: ignore[assignment]


def closed_file() -> None:
    with open(os.devnull, "w") as file:
        sys.stdout = sys.stderr = file


def closed_stdout() -> None:
    sys.stdout.close()
    sys.stderr.close()


def no_stdout() -> None:
    sys.stdout = sys.stderr = None  # type: ignore[assignment]


def bad_flush() -> None:
    sys.stdout = sys.stderr = Bad()  # type: ignore[assignment]


def closed_descriptors() -> None:
    os.close(1)
    os.close(2)


def other_descriptors() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


STREAMS = {
    f.__name__: f
    for f in (tee, closed_file, closed_stdout, no_stdout, bad_flush, closed_descriptors, other_descriptors)
}


def folder() -> None:
    os.chdir("/")


def removed_folder() -> None:
    path = tempfile.mkdtemp()
    os.chdir(path)
    shutil.rmtree(path)


def environment() -> None:
    os.environ["LEFT"] = "behind"
    del os.environ["PATH"]
    os.environ["HOME"] = "/"


def umask() -> None:
    os.umask(0o777)


def search_path() -> None:
    sys.path.insert(0, "/left")
    sys.path = ["/behind"]


def arguments() -> None:
    sys.argv = ["left", "--behind"]


def recursion_limit() -> None:
    sys.setrecursionlimit(5000)


def handlers() -> None:
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGALRM,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGCHLD,
    ):
        signal.signal(number, lambda *_: None)


def ignored_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def timer() -> None:
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 3600)
    signal.setitimer(signal.ITIMER_PROF, 3600)


def root_level() -> None:
    logging.getLogger().setLevel(logging.CRITICAL)
    logging.getLogger("leftovers").setLevel(logging.CRITICAL)
    LOGGER.setLevel(logging.CRITICAL)


def handlers_of_root() -> None:
    logging.basicConfig(level=logging.CRITICAL, filename=os.devnull, force=True)


def configuration() -> None:
    handler = {"class": "logging.FileHandler", "filename": os.devnull}
    root = {"level": "ERROR", "handlers": ["file"]}
    logging.config.dictConfig({"version": 1, "handlers": {"file": handler}, "root": root})


def disabled_logging() -> None:
    logging.disable(logging.CRITICAL)


def cut_logger() -> None:
    LOGGER.propagate = False
    LOGGER.disabled = True
    LOGGER.addFilter(lambda _record: False)
    logging.getLogger().addFilter(lambda _record: False)


def record_factory() -> None:
    logging.setLogRecordFactory(lambda *args, **keywords: logging.makeLogRecord({"msg": "left behind"}))


def captured_warnings() -> None:
    logging.captureWarnings(True)


def warning_filters() -> None:
    warnings.simplefilter("error")
    warnings.showwarning = lambda *_args, **_keywords: None


def hooks() -> None:
    sys.excepthook = sys.unraisablehook = sys.breakpointhook = lambda *_: None
    threading.excepthook = lambda *_: None


def language() -> None:
    locale.setlocale(locale.LC_ALL, "C.UTF-8")


def precision() -> None:
    decimal.getcontext().prec = 3


def tracer_provider() -> None:
    trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))


def trace_function() -> None:
    sys.settrace(lambda *_: None)


STATE: dict[str, Callable[[], None]] = {
    f.__name__: f
    for f in (
        folder, removed_folder, environment, umask, search_path, arguments, recursion_limit, handlers,
        ignored_signals, timer, root_level, handlers_of_root, configuration, disabled_logging, cut_logger,
        record_factory, captured_warnings, warning_filters, hooks, language, precision, tracer_provider,
        trace_function,
    )
}  # fmt: skip


def state() -> dict[str, str]:
    """Return what a task finds that looks around."""
    old = os.umask(0o022)
    os.umask(old)
    root = logging.getLogger()
    found = {
        "folder": os.getcwd(),
        # Those of ours name the attempt.
        "environment": sorted(kv for kv in os.environ.items() if not kv[0].startswith("VAPORTRAIL_")),
        "umask": old,
        "path": sys.path,
        "arguments": sys.argv,
        "parsed": argparse.ArgumentParser().parse_args(),
        "recursion": sys.getrecursionlimit(),
        "signals": [str(signal.getsignal(n)).split(" at ")[0] for n in range(1, 32)],
        "timers": [signal.getitimer(n) for n in range(3)],
        "root": (root.level, root.handlers, root.filters, logging.root.manager.disable),
        "logger": (LOGGER.level, LOGGER.propagate, LOGGER.disabled, LOGGER.filters),
        "record factory": logging.getLogRecordFactory(),
        "warnings": (warnings.filters, warnings.showwarning),
        "hooks": (sys.excepthook, sys.unraisablehook, sys.breakpointhook, threading.excepthook),
        "locale": locale.setlocale(locale.LC_ALL),
        "precision": decimal.getcontext().prec,
        "provider": type(trace.get_tracer_provider()),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "trace function": sys.gettrace(),
    }
    return {key: str(value) for key, value in found.items()}


@task
def changes(name: str) -> None:
    STATE[name]()


@task
def finds() -> None:
    log.params(state())
    LOGGER.info("logged")


@task(timeout="60s")
def debugged() -> None:
    breakpoint()


@task
def leaves(name: str) -> None:
    log.param("pid", os.getpid())
    print("before", flush=True)
    STREAMS[name]()


@task
def looks(name: str) -> None:
    log.param("pid", os.getpid())
    print("printed")
    print("complained", file=sys.stderr)
    os.write(1, b"written\n")


@task
def closes_its_record() -> None:
    """As a program does that closes all descriptors it does not know."""
    for name in os.listdir("/proc/self/fd"):
        if os.path.realpath(f"/proc/self/fd/{name}").endswith(".spool"):
            os.close(int(name))


class Left(threading.Thread):
    """A thread that goes on after its task, and says something in each way when it is told to."""

    def __init__(self) -> None:
        super().__init__(name="left", daemon=True)
        self.told, self.pool_told = threading.Event(), threading.Event()
        self.pools = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        idle, busy = self.pools
        idle.submit(int).result()
        self.at_work = busy.submit(self.works)

    def works(self) -> None:
        self.pool_told.wait(120)
        LOGGER.info("logged by work that was left")
        print("printed by work that was left")

    def run(self) -> None:
        self.told.wait(120)
        LOGGER.info("logged by it")
        log.metric("left", 1)
        print("printed by it")
        print("complained by it", file=sys.stderr)
        trace.get_tracer("leftovers").start_span("of the thread").end()
        timer = threading.Timer(0, LOGGER.info, ["logged by what it started"])
        timer.start()
        timer.join()
        raise ValueError("raised by it")


@task
def leaves_threads() -> None:
    Left().start()
    trace.get_tracer("leftovers").start_span("never ended")
    print("before", flush=True)


@task
def works_beside_them() -> None:
    (left,) = (thread for thread in threading.enumerate() if thread.name == "left")
    idle, busy = left.pools  # type: ignore[attr-defined]
    left.told.set()  # type: ignore[attr-defined]
    left.join(60)
    left.pool_told.set()  # type: ignore[attr-defined]
    left.at_work.result(60)  # type: ignore[attr-defined]
    idle.submit(LOGGER.info, "logged in a pool that idled").result()
    busy.submit(LOGGER.info, "logged in a pool that was at work").result()
    busy.submit(print, "printed in a pool").result()
    log.metric("own", 1)
    print("printed beside it")
    idle.shutdown()
    busy.shutdown()


@pipeline
def leftovers() -> None:
    for name in STREAMS:
        outcome(leaves(name))
        outcome(looks(name))
    outcome(finds())
    for name in STATE:
        outcome(changes(name))
        outcome(finds())
    outcome(leaves_threads())
    outcome(works_beside_them())
    outcome(debugged())
    outcome(closes_its_record())
    outcome(looks("after its record was closed"))
