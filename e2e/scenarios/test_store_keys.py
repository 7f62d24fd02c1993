"""A task finds its own account's variables, while its run's record goes where another key leads."""

from __future__ import annotations

import json

from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.objects import secret
from e2e.scenarios.runs import apply, finished, pipeline_run, record_of, record_store, script_source

SCRIPT = """
import json, os, subprocess, sys
from vaportrail import log, pipeline, task

SHOW = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('AWS_')}))"

def own(where):
    print(json.dumps({where: {k: v for k, v in os.environ.items() if k.startswith("AWS_")}}), flush=True)

@task
def asks():
    own("task")
    log.artifact("task.txt", b"from a task")
    own("afterwards")
    print(subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True).stdout, flush=True)

@task(cpus=0)
def light():
    log.artifact("light.txt", b"from a task that asks for no CPU")

@pipeline
def main():
    own("body")
    log.artifact("body.txt", b"from the body")
    asks()
    light()
"""
THEIRS = {"AWS_ACCESS_KEY_ID": "of-another-account", "AWS_REGION": "eu-north-1"}


def test_a_task_has_its_own_account_and_its_record_another_key(
    kubectl: Kubectl, operator: Kubectl, bucket_environment: None
) -> None:
    kubectl.create(record_store(), script_source("keys", SCRIPT), secret("data-keys", **THEIRS))
    defaults = {"imagePullPolicy": "Never", "envFrom": [{"secretRef": {"name": "data-keys"}}]}
    apply(kubectl, pipeline_run("keys", script="keys", podDefaults=defaults))
    status = finished(kubectl, "keys")
    run = record_of(status)

    assert (status["phase"], run.facts.counts.loss) == ("Succeeded", "None")
    said: dict[str, dict[str, str]] = {}
    for line in run.logs():
        if line.text.startswith('{"'):
            found = json.loads(line.text)
            said |= found if "AWS_REGION" not in found else {"child": found}
    assert said == dict.fromkeys(("body", "task", "afterwards", "child"), THEIRS)
    assert {"body.txt", "task.txt", "light.txt"} <= set(run.artifacts())
