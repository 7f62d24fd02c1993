"""Whose an object is that says it is a run's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.planning.runs import a_run

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.status import ReceiptStatus
from vaportrail_operator.observation.entries import Entry, ObjectKey
from vaportrail_operator.observation.observe import Children, children_of
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import Component, ObservedObject, ObservedPod

RUN = a_run()
UID = RUN.metadata.uid
TEAM = RUN.metadata.namespace
BASE = f"{RUN.metadata.name}-{UID[:8]}"
CREATED = datetime(2026, 1, 2, tzinfo=UTC)
CLUSTER = "the cluster's uid"
NAMES = {
    Component.RUNNER: f"{BASE}-runner",
    Component.COLLECTOR: f"{BASE}-collector",
    Component.HEAD: f"{BASE}-head-abcde",
    Component.WORKER: f"{BASE}-workers-worker-abcde",
    Component.SEALER: f"{BASE}-sealer",
}
CONTROLLERS = {
    Component.RUNNER: UID,
    Component.COLLECTOR: "",
    Component.HEAD: CLUSTER,
    Component.WORKER: CLUSTER,
    Component.SEALER: "",
}


def a_pod(component: Component, *, name: str = "", controller: str | None = None, at: str = TEAM) -> Entry:
    own = name or NAMES[component]
    owner = CONTROLLERS[component] if controller is None else controller
    pod = ObservedPod(own, f"uid of {own}", component, CREATED, controller=owner)
    return Entry(ObjectKey(Kind.POD, at, own), pod.uid, "7", UID, RUN.metadata.name, pod)


def a_cluster(uid: str = CLUSTER, *, controller: str = UID, name: str = BASE) -> Entry:
    cluster = ObservedObject(name, uid, CREATED, controller=controller)
    return Entry(ObjectKey(Kind.RAY_CLUSTER, TEAM, name), uid, "7", UID, RUN.metadata.name, cluster)


def a_service(name: str, controller: str) -> Entry:
    service = ObservedObject(name, f"uid of {name}", CREATED, controller=controller)
    return Entry(ObjectKey(Kind.SERVICE, TEAM, name), service.uid, "7", UID, RUN.metadata.name, service)


def names(children: Children) -> tuple[list[str], list[str], list[str]]:
    """Return the names of what is trusted, of what only claims to be the run's, and of strangers."""
    trusted = [each.object_key.name for each in children.own if each.seen.trusted]  # type: ignore[union-attr]
    claimed = [each.object_key.name for each in children.own if not each.seen.trusted]  # type: ignore[union-attr]
    return trusted, claimed, [each.object_key.name for each in children.strangers]


def seen_before(entry: Entry) -> PipelineRun:
    """Return the run with a receipt that names an object."""
    kept = ReceiptStatus(
        object=f"{entry.object_key.kind}/{entry.object_key.name}", uid=entry.uid, lifetime="2026-01-02/.."
    )
    return RUN.model_copy(update={"status": RUN.status.model_copy(update={"receipt": [kept]})})


@pytest.mark.parametrize("component", [Component.RUNNER, Component.COLLECTOR, Component.SEALER])
def test_what_a_reply_told_to_be_made_is_believed(component: Component) -> None:
    entry = a_pod(component)
    assert names(children_of(RUN, [entry], {entry.uid})) == ([NAMES[component]], [], [])


@pytest.mark.parametrize("component", [Component.RUNNER, Component.COLLECTOR, Component.SEALER])
def test_what_the_receipt_names_by_its_uid_is_believed(component: Component) -> None:
    entry = a_pod(component)
    assert names(children_of(seen_before(entry), [entry], ())) == ([NAMES[component]], [], [])
    another = replace(entry, uid="another", seen=replace(entry.seen, uid="another"))  # type: ignore[type-var]
    assert NAMES[component] not in names(children_of(seen_before(entry), [another], ()))[0]


@pytest.mark.parametrize("component", [Component.RUNNER, Component.COLLECTOR])
def test_what_nobody_knows_the_maker_of_is_removed_and_not_believed(
    component: Component,
) -> None:
    assert names(children_of(RUN, [a_pod(component)], ())) == ([], [NAMES[component]], [])


def test_a_sealer_that_nobody_knows_the_maker_of_is_a_strangers() -> None:
    assert names(children_of(RUN, [a_pod(Component.SEALER)], ())) == ([], [], [NAMES[Component.SEALER]])


@pytest.mark.parametrize("component", [Component.HEAD, Component.WORKER])
def test_what_kuberay_made_is_believed_as_its_cluster_is(component: Component) -> None:
    pod, cluster = a_pod(component), a_cluster()
    assert names(children_of(RUN, [pod, cluster], {CLUSTER})) == ([BASE, NAMES[component]], [], [])
    assert names(children_of(RUN, [pod, cluster], ())) == ([], [BASE, NAMES[component]], [])
    # It may be there for a while after its cluster.
    assert names(children_of(seen_before(cluster), [pod], ())) == ([NAMES[component]], [], [])
    assert names(children_of(RUN, [pod], ())) == ([], [], [NAMES[component]])


@pytest.mark.parametrize("component", list(Component))
def test_a_pod_of_another_namespace_is_a_strangers_whatever_it_says(component: Component) -> None:
    entry = a_pod(component, at="another team")
    found = children_of(RUN, [entry, a_cluster()], {entry.uid, CLUSTER})
    assert names(found)[2] == [NAMES[component]]


@pytest.mark.parametrize("component", list(Component))
@pytest.mark.parametrize("controller", ["", "another", UID, CLUSTER])
@pytest.mark.parametrize("name", ["", "another"])
def test_a_pod_needs_the_name_and_the_controller_of_its_component(
    component: Component, controller: str, name: str
) -> None:
    entry = a_pod(component, name=name, controller=controller)
    cluster = a_cluster()
    right_name = not name or component in (Component.HEAD, Component.WORKER)
    controllers = {Component.COLLECTOR: ("", UID)}.get(component, (CONTROLLERS[component],))
    right = right_name and (component is Component.SEALER or controller in controllers)
    expected = [] if right and component is not Component.SEALER else [entry.object_key.name]
    assert names(children_of(RUN, [entry, cluster], {CLUSTER}))[2] == expected


def test_a_strangers_raycluster_does_not_hide_the_runs_own() -> None:
    strangers = [a_cluster("one", controller="another", name="another"), a_cluster("two", name="a third")]
    found = children_of(RUN, [*strangers, a_cluster()], {CLUSTER})
    assert names(found) == ([BASE], [], ["a third", "another"])


def test_a_service_is_the_runs_by_its_name_and_controller() -> None:
    collector, head = f"{BASE}-collector", f"{BASE}-head-svc"
    entries = [a_service(collector, UID), a_service(head, CLUSTER), a_service("another", UID), a_cluster()]
    assert names(children_of(RUN, entries, {CLUSTER, f"uid of {collector}"})) == (
        [BASE, collector, head],
        [],
        ["another"],
    )
    assert names(children_of(RUN, [a_service(head, UID), a_cluster()], {CLUSTER}))[2] == [head]
