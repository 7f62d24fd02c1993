"""A body that calls `ray.shutdown()`, as programs for Ray do at their end, leaves its tasks their Ray."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import json, sys, warnings
import ray
from vaportrail import pipeline, result, task

before = ray.shutdown

@task
def double(x):
    return 2 * x

@pipeline
def ends_ray():
    first = double(1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ray.shutdown()
    return [str(each.message) for each in caught], result(first), result(double(2))

if __name__ == "__main__":
    run = ends_ray.run(record=sys.argv[1])
    print(json.dumps([run.outcome, run.result, ray.shutdown is before, ray.is_initialized()]))
"""


def test_the_run_goes_on_and_says_that_it_ends_its_ray_itself(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "runs")], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    outcome, (caught, *values), as_before, still_there = json.loads(done.stdout.splitlines()[-1])
    assert (outcome, values, as_before, still_there) == ("SUCCEEDED", [2, 4], True, False)
    (message,) = caught
    assert "leave ray.shutdown() out" in message
