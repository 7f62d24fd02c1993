"""What goes wrong around a task's code: classes that only the worker knows, arguments, exits, nested work."""

import subprocess
import sys
import tempfile
from pathlib import Path

from vaportrail import log, outcome, pipeline, result, task

ONLY_THERE = """
class PlugError(Exception):
    pass

class Value:
    def __init__(self):
        self.size = 3
"""


class NoWayBack:
    """An object that can be sent, and cannot be loaded where it arrives."""

    def __reduce__(self) -> tuple[object, ...]:
        return (__import__, ("a_module_that_nobody_has",))


def only_there() -> object:
    """Import a module that the driver cannot import."""
    folder = tempfile.mkdtemp()
    Path(folder, "plug.py").write_text(ONLY_THERE)
    sys.path.insert(0, folder)
    import plug  # type: ignore[import-not-found]

    return plug


@task(timeout="20s")
def raises_what_the_driver_cannot_import() -> None:
    raise only_there().PlugError("from far away")  # type: ignore[attr-defined]


@task
def returns_what_the_driver_cannot_import() -> object:
    return only_there().Value()  # type: ignore[attr-defined]


@task
def size(value: object) -> int:
    return int(value.size)  # type: ignore[attr-defined]


@task
def takes(value: object) -> None:
    raise AssertionError("unreachable")


@task
def leaves_in_peace() -> None:
    sys.exit(0)


@task
def leaves_without_a_word() -> None:
    sys.exit()


@task
def nested() -> None:
    import ray

    @ray.remote
    def bad() -> None:
        raise ValueError("bad, and the whole of it")

    ray.get(bad.remote())


@task(isolate=True)
def alone() -> str:
    import os

    return f"{os.getpid()}"


@task(
    name="everything",
    cpus=0.5,
    gpus=0,
    memory="16Mi",
    resources={},
    timeout=120,
    retries=1,
    backoff="10ms",
    retry_on=(KeyError,),
    env={"FAULTS": "1"},
    runtime_env={"env_vars": {"FROM_RUNTIME_ENV": "2"}},
    isolate=True,
    allow_failure=True,
)
def with_all_options(folder: str) -> str:
    import os

    if not Path(folder, "tried").exists():
        Path(folder, "tried").touch()
        raise KeyError("the first time")
    return os.environ["FAULTS"] + os.environ["FROM_RUNTIME_ENV"]


@task
def runs_a_child() -> str:
    return subprocess.run(["echo", "hello"], capture_output=True, text=True, check=True).stdout.strip()


@pipeline
def faults() -> None:
    raised = raises_what_the_driver_cannot_import()
    value = returns_what_the_driver_cannot_import()
    log.param("size of the value", result(size(value)))
    try:
        result(value)
    except Exception as error:
        log.param("value", f"{type(error).__name__}: {error}")
    try:
        result(raised)
    except Exception as error:
        log.param("cause", repr(error.__cause__))
    broken = takes(NoWayBack())
    leaves_in_peace()
    leaves_without_a_word()
    nested()
    log.param("processes", len({result(alone()) for _ in range(2)}))
    last = with_all_options.options(after=[value])(tempfile.mkdtemp())
    log.param("all options", result(last))
    outcome(broken)
