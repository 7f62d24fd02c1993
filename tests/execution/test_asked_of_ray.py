"""What Ray is asked for an attempt."""

from __future__ import annotations

from typing import Any

import pytest

from vaportrail.authoring.options import TaskOptions, resolve_options
from vaportrail.contract.pod_environment import WORKER_RESOURCE
from vaportrail.execution.ray_backend import ray_options


def asked(has_workers: bool, **given: Any) -> dict[str, Any]:
    return ray_options(resolve_options(TaskOptions(), given, "task 't'"), has_workers=has_workers)


@pytest.mark.parametrize("given", [{"cpus": 0}, {"cpus": 0, "resources": {"tpu": 0}}])
def test_a_task_that_asks_for_nothing_runs_on_a_worker_all_the_same(given: dict[str, Any]) -> None:
    assert asked(True, **given)["resources"] == {WORKER_RESOURCE: 0.0001}
    assert WORKER_RESOURCE not in asked(False, **given).get("resources", {})


@pytest.mark.parametrize(
    "given", [{}, {"cpus": 0.5}, {"cpus": 0, "gpus": 1}, {"cpus": 0, "resources": {"tpu": 1}}]
)
def test_a_task_that_asks_for_something_is_asked_for_as_it_is(given: dict[str, Any]) -> None:
    assert asked(True, **given) == asked(False, **given)
