"""What a body starts ends with its own exit code, though Ray ignores SIGCHLD where it connects."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import json, signal, subprocess, threading
from vaportrail.execution.local import embedded_ray

def code():
    return subprocess.run(["sh", "-c", "exit 3"]).returncode

def run(name):
    with embedded_ray():
        seen[name] = code()
    seen[f"after {name}"] = code()

seen = {}
run("the main thread")
thread = threading.Thread(target=run, args=("another thread",))
thread.start()
thread.join()
heard = []
signal.signal(signal.SIGCHLD, lambda *_: heard.append(1))
run("with a handler of its own")
thread = threading.Thread(target=run, args=("another thread, with a handler",))
thread.start()
thread.join()
heard.clear()
code()
seen["heard"] = bool(heard)
print(json.dumps(seen))
"""


def test_a_program_that_the_body_starts_has_its_own_exit_code_while_ray_runs_and_afterwards() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    cases = (
        *("the main thread", "another thread"),
        *("with a handler of its own", "another thread, with a handler"),
    )
    codes = {f"{when}{case}": 3 for case in cases for when in ("", "after ")}
    assert json.loads(done.stdout.splitlines()[-1]) == codes | {"heard": True}
