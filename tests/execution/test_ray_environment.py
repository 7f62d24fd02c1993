"""Ray goes by our variables also where it was imported before, and by the user's again afterwards."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, os, sys
import ray
from ray._private import ray_constants
from ray._raylet import get_authentication_mode
from vaportrail.execution.ray_environment import ray_environment

def seen():
    token = os.environ.get("RAY_AUTH_TOKEN")
    return [int(get_authentication_mode()), ray_constants.ENABLE_RAY_CLUSTER, token]

before, path = seen(), list(sys.path)
with ray_environment({"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_TOKEN": "f" * 64}):
    within = seen()
print(json.dumps([before, within, seen(), path == sys.path]))
"""


def test_a_ray_that_was_imported_first_reads_its_variables_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=600
    )
    before, within, after, same_path = json.loads(done.stdout)

    assert within == [1, False, "f" * 64]
    assert after == before == [0, True, None]
    assert same_path
