"""A pipeline that says what its processes find in their environment, and stores a file from each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from vaportrail import log, notebook, pipeline, task

CHILD = """
import json, os
from vaportrail import log
found = {k: v for k, v in os.environ.items() if k.startswith(("AWS_", "AZURE_", "GOOGLE_"))}
print(json.dumps({"child": found}))
log.text("child.txt", "from a child")
"""

keys_notebook = notebook("keys_notebook.py")


def own(where: str) -> str:
    """Return what of a provider's variables there is, as a line of JSON."""
    found = {k: v for k, v in os.environ.items() if k.startswith(("AWS_", "AZURE_", "GOOGLE_"))}
    return json.dumps({where: found})


@task
def asks() -> str:
    print(own("task"))
    uri = log.artifact("task.txt", b"from a task").uri
    print(own("task afterwards"))
    subprocess.run([sys.executable, "-c", CHILD], check=True)
    return uri


@task(env={"AWS_ACCESS_KEY_ID": "of-a-task"})
def has_its_own() -> None:
    print(own("own"))
    log.artifact("own.txt", b"from a task with a key of its own")


@task
def tells(key: str) -> None:
    folder = json.loads(os.environ["VAPORTRAIL_STORE"])["folder"]
    print("the store's key is", Path(folder, "AWS_SECRET_ACCESS_KEY").read_text())


@pipeline
def keys_out_of_the_way() -> None:
    print(own("body"))
    log.artifact("body.txt", b"from the body")
    asks()
    has_its_own()
    tells("x")
    keys_notebook()


@task
def needs_keys() -> None:
    if "AWS_ACCESS_KEY_ID" not in os.environ:
        raise RuntimeError("a task has no keys of the shell")
    log.artifact("task.txt", b"from a task")


@pipeline
def keys_on_a_laptop() -> None:
    print(own("body"))
    needs_keys()
