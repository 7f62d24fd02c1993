"""What a run adds to its object, and what the operator needs, do not grow with the run."""

from __future__ import annotations

import json
import re

from figure_log import record_figure

from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.installation import operator_pod
from e2e.scenarios.objects import Object
from e2e.scenarios.runs import (
    RESOURCE,
    SMALL,
    apply,
    finished,
    pipeline_run,
    record_of,
    record_store,
    script_source,
)

LIMIT = 8 * 1024
MEMORY_MB = 150


def test_a_run_of_ten_thousand_tasks_adds_less_than_8_kib_to_its_object(
    kubectl: Kubectl, operator: Kubectl, bucket_environment: None
) -> None:
    kubectl.create(record_store(), script_source("small", SMALL))
    apply(kubectl, pipeline_run("large", script="small", entrypoint="script:large"))
    status = finished(kubectl, "large", timeout=290)
    run = record_of(status)
    printed = kubectl("get", RESOURCE, "large", "--output=json", "--show-managed-fields")
    added = len(printed) - len(_printed(_without_ours(json.loads(printed))))
    record_figure("cr_bytes_added", added, "B")

    assert len(run.tasks) == 10_000
    assert run.task("refuse_at_length-1").info.attempts == 3
    assert status["phase"] == "Failed"
    assert _printed(json.loads(printed)) == printed
    assert added < LIMIT


def test_the_operator_stays_small(operator: Kubectl) -> None:
    pod = operator_pod(operator)
    path = f"/api/v1/namespaces/{operator.namespace}/pods/{pod['metadata']['name']}:8080/proxy/metrics"
    told = operator("get", "--raw", path)
    (value,) = re.findall(r"^process_resident_memory_bytes (\S+)$", told, re.MULTILINE)
    megabytes = float(value) / 1e6
    record_figure("operator_rss_mb", megabytes, "MB")

    assert megabytes <= MEMORY_MB


def _without_ours(run: Object) -> Object:
    """Return a run as it was before the operator wrote to it."""
    metadata = dict(run["metadata"])
    metadata["managedFields"] = [
        entry for entry in metadata["managedFields"] if entry.get("subresource") != "status"
    ]
    return {**{key: value for key, value in run.items() if key != "status"}, "metadata": metadata}


def _printed(run: Object) -> str:
    """Return an object as kubectl prints it."""
    return json.dumps(run, indent=4, ensure_ascii=False) + "\n"
