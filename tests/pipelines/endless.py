"""A pipeline that is killed or cancelled: one task ends, one runs for ever, one never starts."""

import subprocess
import time
from pathlib import Path

from vaportrail import log, notebook, pipeline, task

stuck = notebook("slow_notebook.py")


@task
def quick() -> int:
    print("quick is done")
    return 1


@task
def forever(first: int, signs: str) -> None:
    print(f"running after {first}", flush=True)
    log.metric("alive", 1)
    child = subprocess.Popen(["sleep", "1000"])
    Path(signs, "child.pid").write_text(str(child.pid))
    Path(signs, "forever").touch()
    try:
        time.sleep(1000)
    finally:
        print("cleaning up", flush=True)


@task
def never(value: None) -> None:
    raise AssertionError("unreachable")


@pipeline
def endless(signs: str) -> None:
    never(forever(quick(), signs))
    stuck()
