"""Whatever a real API server takes of one tenant, the operator goes on, and so do the others' runs."""

from __future__ import annotations

import json
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.planning.runs import run_report, seal_report

from api_server import ApiServer
from runtime.nodes import nodes
from runtime.operator_process import Operator, Team, chart_rules, create, grant, until
from runtime.small_planner import run_of
from runtime.test_real_api_server import installed, server, team
from vaportrail.contract.outcome import Outcome
from vaportrail_operator.planning.types import COMPONENT_LABEL, RUN_LABEL, RUN_UID_LABEL

__all__ = ["server", "team"]

pytestmark = pytest.mark.api_server

KIND = "pipelineruns.vaportrail.dev"
MEMORY_MB = 384 * 1.048576
"""What the chart lets the operator have."""


def deep(levels: int) -> str:
    """Return JSON, which Python could not write by itself."""
    return "[" * levels + "]" * levels


def hostile(server: ApiServer, namespace: str) -> list[str]:
    """Make what an API server takes, and nobody else should; returns the names."""
    texts = {f"deep-{levels}": f'{{"p": {deep(levels)}}}' for levels in (300, 9_000)}
    texts |= {f"large-{number}": json.dumps({"p": "x" * 1_400_000}) for number in range(10)}
    texts["note"] = json.dumps({"vaportrail.dev/bytes": 0, "p": "x" * 1_400_000})
    for name, parameters in texts.items():
        run = run_of(name, parameters={})
        run["metadata"]["namespace"] = namespace
        text = json.dumps(run).replace('"parameters": {}', f'"parameters": {parameters}')
        path = f"/apis/vaportrail.dev/v1alpha1/namespaces/{namespace}/pipelineruns"
        server.kubectl("create", "--raw", path, "-f", "-", stdin=text)
    return list(texts)


def told(server: ApiServer, team: Team, field: str) -> list[str]:
    """Return a field of all statuses, of which some are in objects that Python cannot read."""
    return server.kubectl(
        "-n", team.name, "get", KIND, "-o", f"jsonpath={{.items[*].status.{field}}}"
    ).split()


def at_its_limits() -> dict[str, Any]:
    """Return a run whose names, labels and values are as long as they may be."""
    label = {f"{'p' * 253}/{'n' * 63}": "v" * 63}
    settings = {"labels": label, "annotations": {f"{'p' * 253}/{'a' * 63}": "x" * 8192}}
    return {
        "pipeline": "p" * 63,
        "tags": {f"{number:02}{'t' * 60}": "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 60 for number in range(64)},
        "record": {"uri": "s3://bucket/" + "r" * 500},
        "podDefaults": settings,
        "ray": {"workers": [{"name": "w" * 32, "pod": settings}]},
    }


def test_no_object_stops_the_operator(server: ApiServer, team: Team, tmp_path: Path) -> None:
    other = Team(server, f"other-{random.randrange(10**9)}")
    grant(server, other.name, "operator", chart_rules())
    operator = Operator(server, tmp_path / "operator.log", **installed(other, team))
    names = hostile(server, other.name)
    operator.start()
    try:
        with nodes(server.kubeconfig):
            team.submit("mnist")
            team.until_over(operator)
            # Those that come while it works are read by a watch, and no list.
            server.kubectl("-n", other.name, "delete", KIND, "--all", "--wait=false")
            until(lambda: not server.kubectl("-n", other.name, "get", KIND, "-o", "name"), operator.tail)
            hostile(server, other.name)
            until(lambda: told(server, other, "phase") == ["Failed"] * len(names), operator.tail)
            team.submit("again")
            team.until_over(operator)
        assert team.phases() == {"Succeeded": 2}
        assert told(server, other, "reason") == ["InvalidSpec"] * len(names)
        messages = server.kubectl("-n", other.name, "get", KIND, "-o", "jsonpath={.items[*].status.message}")
        assert messages.count("spec.parameters: 1400008 bytes: use at most 65536") == 10
        assert messages.count("spec.parameters: is nested too deeply; use at most 100 levels") == 2
        assert operator.memory() < MEMORY_MB
        assert operator.ended() is None
        assert "Traceback" not in operator.log.read_text()
    finally:
        operator.kill_if_running()


def a_strangers_pod(namespace: str, name: str, run: dict[str, Any], component: str) -> dict[str, Any]:
    """Return a pod that says it is a run's; outside the run's namespace it can name no owner there."""
    uid, about = run["metadata"]["uid"], run["metadata"]["name"]
    owner = {"apiVersion": run["apiVersion"], "kind": run["kind"], "name": about, "uid": uid}
    labels = {RUN_UID_LABEL: uid, RUN_LABEL: about, COMPONENT_LABEL: component}
    labels["ray.io/cluster"] = f"{about}-{uid[:8]}"
    of_the_run = {"ownerReferences": [{**owner, "controller": True}]} if component != "sealer" else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": labels, **of_the_run},
        "spec": {"containers": [{"name": component, "image": "example.invalid/theirs:1"}]},
    }


def end_with(server: ApiServer, pod: dict[str, Any], said: str) -> None:
    """Let a pod have ended with a word, as somebody may write it who has the right to pods' statuses."""
    about, component = pod["metadata"], pod["spec"]["containers"][0]["name"]
    ended = {"exitCode": 0, "message": said}
    state = {"phase": "Succeeded", "containerStatuses": [
        {"name": component, "image": "x", "imageID": "", "ready": False, "restartCount": 0,
         "state": {"terminated": ended}}
    ]}  # fmt: skip
    patch = json.dumps({"status": state})
    place = ("-n", about["namespace"], "patch", "pod", about["name"])
    server.kubectl(*place, "--subresource=status", "--type=merge", "-p", patch)


def test_strangers_pods_in_two_namespaces_end_no_run_and_speak_for_none(
    server: ApiServer, team: Team, tmp_path: Path
) -> None:
    other = Team(server, f"other-{random.randrange(10**9)}")
    grant(server, other.name, "operator", chart_rules())
    operator = Operator(server, tmp_path / "operator.log", **installed(other, team))
    team.submit("mnist")
    team.submit("taken", deadlines={"sealSeconds": 10})
    runs = {name: server.json("-n", team.name, "get", KIND, name) for name in ("mnist", "taken")}
    theirs = [
        a_strangers_pod(namespace, f"theirs-{component}", runs["mnist"], component)
        for namespace in (team.name, other.name)
        for component in ("runner", "collector", "head", "worker", "sealer")
    ]
    sealer = f"taken-{runs['taken']['metadata']['uid'][:8]}-sealer"
    theirs.append(a_strangers_pod(team.name, sealer, runs["taken"], "sealer"))
    create(server, *theirs)
    for pod in theirs:
        of_a_sealer = pod["metadata"]["labels"][COMPONENT_LABEL] == "sealer"
        end_with(server, pod, seal_report(Outcome.FAILED) if of_a_sealer else run_report(Outcome.FAILED))
    operator.start()
    try:
        with nodes(server.kubeconfig):
            team.until_over(operator)
        assert team.status("mnist")["phase"] == "Succeeded"
        taken = team.status("taken")
        assert (taken["phase"], taken["reason"]) == ("Failed", "SealFailed")
        assert f"{sealer} exists and is not what the operator made" in taken["message"]
        assert taken["record"].get("manifestSha256", "") == ""
        there = {(pod["metadata"]["namespace"], f"pod/{pod['metadata']['name']}") for pod in theirs}
        left = {(each.name, name) for each in (team, other) for name in each.left()}
        assert left == there
        assert operator.stop() == 0
    finally:
        operator.kill_if_running()


WRONG_CLOCK = """
import sys, time
from datetime import datetime, timedelta
from vaportrail_operator import main

class Wrong(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(seconds=OFF)

right, time.time = time.time, lambda: right() + OFF
main.datetime = Wrong
sys.exit(main.main([]))
"""


@pytest.mark.parametrize("hours", [-2, 2])
def test_an_operator_whose_clock_is_wrong_by_hours_ends_and_deletes_nothing_for_it(
    server: ApiServer, team: Team, tmp_path: Path, hours: int
) -> None:
    wrong = Operator(server, tmp_path / "operator.log", **installed(team))
    wrong.command = [sys.executable, "-c", f"OFF = {hours * 3600}\n{WRONG_CLOCK}"]
    soon = {"provisioningSeconds": 600, "runSeconds": 600, "sealSeconds": 600}
    wrong.start()
    try:
        with nodes(server.kubeconfig):
            team.submit("mnist", deadlines=soon, ttlSecondsAfterFinished=1800)
            team.until_over(wrong)
            # A look at the run that has ended: what its time to live says would be done by now.
            team.submit("again")
            team.until_over(wrong)
        assert team.phases() == {"Succeeded": 2}
        assert f"clock is {hours * 3600:+} s off the API server's" in wrong.log.read_text()
        created = datetime.fromisoformat(
            server.json("-n", team.name, "get", KIND, "mnist")["metadata"]["creationTimestamp"]
        )
        status = team.status("mnist")
        for field in ("startTime", "completionTime"):
            assert abs(datetime.fromisoformat(status[field]) - created) < timedelta(hours=1)
        assert wrong.stop() == 0
    finally:
        wrong.kill_if_running()


def test_a_run_with_everything_at_its_limits_succeeds_within_eight_kilobytes(
    server: ApiServer, team: Team, tmp_path: Path
) -> None:
    name = "n" * 40
    operator = Operator(server, tmp_path / "operator.log", **installed(team))
    operator.start()
    try:
        with nodes(server.kubeconfig):
            team.submit(name, **at_its_limits())
            team.until_over(operator)
        assert team.phases() == {"Succeeded": 1}
        assert cr_bytes(server, team, name) <= 8192
        assert operator.stop() == 0
    finally:
        operator.kill_if_running()


def cr_bytes(server: ApiServer, team: Team, name: str) -> int:
    """Return how many bytes kubectl prints of a run beside its spec, and who manages that."""
    printed = json.loads(
        server.kubectl("-n", team.name, "get", KIND, name, "-o", "json", "--show-managed-fields")
    )
    entries = printed["metadata"]["managedFields"]
    printed["metadata"]["managedFields"] = [each for each in entries if each.get("subresource") == "status"]
    del printed["spec"]
    return len(json.dumps(printed, indent=4, ensure_ascii=False).encode())
