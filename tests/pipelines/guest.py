"""A program with a life of its own that runs pipelines: what of it is changed afterwards?

Prints one JSON object: what differs after each way a run may end, and what was refused.
"""

import ray  # isort: skip

import faulthandler
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from opentelemetry import trace

from vaportrail import pipeline, result, task
from vaportrail.errors import UsageError

refused: dict[str, str] = {}


@task
def one() -> int:
    return 1


def run_in_a_thread() -> None:
    def other() -> None:
        try:
            succeeds.run(record=sys.argv[1])
        except UsageError as error:
            refused["another thread"] = str(error)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()


@pipeline
def succeeds() -> None:
    run_in_a_thread()
    result(one())


@pipeline
def fails() -> None:
    one()
    raise ValueError("of the body")


@pipeline
def interrupted() -> None:
    one()
    signal.raise_signal(signal.SIGINT)


def state() -> dict[str, str]:
    """Return what a process has only one of, and what is in the home folder."""
    old = os.umask(0o022)
    os.umask(old)
    root = logging.getLogger()
    loggers = {
        name: (each.level, each.handlers, each.propagate, each.disabled)
        for name, each in logging.root.manager.loggerDict.items()
        if isinstance(each, logging.Logger) and (each.level or each.handlers or each.disabled)
    }
    found = {
        "signals": [(number, signal.getsignal(number)) for number in range(1, 32)],
        "timers": [signal.getitimer(number) for number in range(3)],
        "logging": (root.level, root.handlers, root.filters, logging.root.manager.disable),
        "loggers": loggers,
        "hook of logging": (logging.Logger.callHandlers, logging.lastResort, logging.getLogRecordFactory()),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "hooks": (sys.excepthook, sys.unraisablehook, sys.breakpointhook, threading.excepthook),
        "provider": (trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE._done),
        "path": sys.path,
        "environment": sorted(os.environ.items()),
        "folder": os.getcwd(),
        "umask": old,
        "faulthandler": faulthandler.is_enabled(),
        "ray": ray.is_initialized(),
        "home": sorted(map(str, Path.home().rglob("*"))),
        "temporary": sorted(path.name for path in Path(os.environ["TMPDIR"]).glob("vtray-*")),
    }
    return {key: str(value) for key, value in found.items()}


def changed_by(run: Callable[[], str]) -> dict[str, object]:
    """Return how a run ended, and what is not as before it."""
    before = state()
    ended = run()
    after = state()
    return {"ended": ended, "changed": {k: [before[k], after[k]] for k in before if before[k] != after[k]}}


def with_own_ray() -> str:
    ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        succeeds.run(record=sys.argv[1])
    except UsageError as error:
        refused["own Ray"] = str(error)
    return "alive" if ray.is_initialized() else "gone"


if __name__ == "__main__":
    told = {
        each.name: changed_by(lambda each=each: each.run(record=sys.argv[1]).outcome.value)
        for each in (succeeds, fails, interrupted)
    }
    print(json.dumps({**told, "own Ray": with_own_ray(), "refused": refused}))
