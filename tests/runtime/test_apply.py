"""How plans are carried out, on an API server in memory."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any

import pytest

from runtime.applying import Scene
from runtime.small_planner import child, run_of
from vaportrail.crd.status import Phase, PipelineRunStatus
from vaportrail_operator.acting.apply import NameTaken
from vaportrail_operator.acting.client import Conflict, Forbidden, NamespaceTerminating, Unavailable
from vaportrail_operator.acting.endpoints import EVENTS, PODS, RAY_CLUSTERS, RUNS, SECRETS, SERVICES
from vaportrail_operator.observation.entries import ObjectKey
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import (
    Create,
    CreateTokens,
    Delete,
    DeleteRun,
    KubernetesEvent,
    SecretState,
    Sweep,
)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_status_that_is_there_already_is_not_written(scene: Scene) -> None:
    assert not scene.apply()
    assert scene.world.calls == []


def test_a_status_replaces_the_old_one_and_is_known_at_once(scene: Scene) -> None:
    scene.world.of(RUNS)[0]["status"]["message"] = "of before"
    scene.run = scene.read()
    assert scene.apply(status=PipelineRunStatus(phase=Phase.RUNNING))
    assert "message" not in scene.world.status("mnist")
    found = scene.cache.run(("team", "mnist"))
    assert found is not None
    assert found[1].read().run.status.phase is Phase.RUNNING
    assert found[0].version == scene.world.of(RUNS)[0]["metadata"]["resourceVersion"]


def test_a_run_that_changed_meanwhile_is_not_acted_on_and_is_read_anew(scene: Scene) -> None:
    raw = scene.world.of(RUNS)[0]
    raw["spec"]["cancel"] = True
    scene.world.put(RUNS, raw)
    create = Create(Kind.POD, scene.pod())
    with pytest.raises(Conflict):
        scene.apply(create, status=PipelineRunStatus(phase=Phase.RUNNING))
    assert scene.world.of(PODS) == []
    found = scene.cache.run(("team", "mnist"))
    assert found is not None
    assert found[1].read().run.spec.cancel


def test_a_run_that_is_gone_is_not_acted_on(scene: Scene) -> None:
    scene.world.remove(RUNS, "mnist")
    scene.apply(Create(Kind.POD, scene.pod()), status=PipelineRunStatus(phase=Phase.RUNNING))
    assert scene.world.of(PODS) == []
    assert scene.cache.run(("team", "mnist")) is None


def test_what_is_made_is_known_before_the_watch_tells(scene: Scene) -> None:
    assert scene.apply(Create(Kind.POD, scene.pod()))
    assert [entry.object_key.name for entry in scene.cache.children(scene.run.metadata.uid)] == [
        f"{scene.base}-runner"
    ]


def test_what_is_there_already_and_is_the_runs_is_kept(scene: Scene) -> None:
    scene.world.put(PODS, scene.pod())
    assert scene.apply(Create(Kind.POD, scene.pod()))
    assert not scene.apply(Create(Kind.POD, scene.pod()))
    assert len(scene.world.of(PODS)) == 1


def test_what_is_there_already_and_is_a_strangers_is_an_error_in_words(scene: Scene) -> None:
    stranger = scene.pod()
    stranger["metadata"]["ownerReferences"][0]["uid"] = "another run"
    scene.world.put(PODS, stranger)
    with pytest.raises(NameTaken, match=f"made: {scene.base}-runner exists and is not what the operator"):
        scene.apply(Create(Kind.POD, scene.pod()))
    assert [event["reason"] for event in scene.world.of(EVENTS)] == ["NameTaken"]


def test_a_sealer_that_nobody_owns_is_known_by_what_it_does(scene: Scene) -> None:
    sealer = scene.pod("sealer", owned=False)
    there = scene.world.put(PODS, copy.deepcopy(sealer))
    assert scene.apply(Create(Kind.POD, sealer))
    assert scene.cache.made(scene.run.metadata.uid) == {there["metadata"]["uid"]}


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw["spec"].update(cancel=True),
        lambda raw: raw["metadata"].update(deletionTimestamp="2026-01-02T03:04:05Z"),
        lambda raw: raw["metadata"].update(uid="the next run of this name"),
        lambda raw: raw["status"].update(phase="Releasing"),
        lambda raw: raw["metadata"].update(annotations={"team/note": "more than was planned for"}),
    ],
    ids=["cancelled", "deleted", "made again", "released", "noted"],
)
def test_nothing_is_made_for_a_run_that_is_no_longer_as_it_was_planned_for(scene: Scene, change: Any) -> None:
    # The cache knows nothing of it yet.
    raw = scene.world.of(RUNS)[0]
    change(raw)
    scene.world.put(RUNS, raw)
    assert scene.apply(Create(Kind.RAY_CLUSTER, scene.cluster()), Create(Kind.POD, scene.pod()))
    assert scene.world.of(RAY_CLUSTERS) == []
    assert scene.world.of(PODS) == []


def test_an_object_is_made_for_a_run_that_is_as_it_was_planned_for(scene: Scene) -> None:
    scene.apply(Create(Kind.RAY_CLUSTER, scene.cluster()))
    assert len(scene.world.of(RAY_CLUSTERS)) == 1


def test_an_object_is_made_for_a_run_whose_status_was_written_for_it(scene: Scene) -> None:
    scene.apply(Create(Kind.POD, scene.pod()), status=PipelineRunStatus(phase=Phase.RUNNING))
    assert len(scene.world.of(PODS)) == 1


def test_tokens_are_random_different_and_never_logged(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    manifest = child("v1", "Secret", f"{scene.base}-tokens", "mnist", scene.run.metadata.uid)
    assert scene.apply(CreateTokens(manifest, ("auth_token", "otlp_token")))
    (secret,) = scene.world.of(SECRETS)
    assert secret["stringData"] == {"auth_token": "token-1", "otlp_token": "token-2"}
    assert "token-1" not in caplog.text
    assert scene.cache.secret(scene.run.metadata.uid) is SecretState.MADE


def test_tokens_that_are_there_are_kept(scene: Scene) -> None:
    manifest = child("v1", "Secret", f"{scene.base}-tokens", "mnist", scene.run.metadata.uid)
    scene.apply(CreateTokens(manifest, ("auth_token",)))
    scene.apply(CreateTokens(manifest, ("auth_token",)))
    assert scene.world.of(SECRETS)[0]["stringData"] == {"auth_token": "token-1"}


def test_a_secrets_deletion_is_repeated_until_it_is_gone(scene: Scene) -> None:
    manifest = child("v1", "Secret", f"{scene.base}-tokens", "mnist", scene.run.metadata.uid)
    scene.apply(CreateTokens(manifest, ("auth_token",)))
    assert scene.apply(Delete(Kind.SECRET, f"{scene.base}-tokens"))
    assert scene.cache.secret(scene.run.metadata.uid) is SecretState.GONE


def test_a_deletion_means_the_object_of_that_uid_and_no_other(scene: Scene) -> None:
    there = scene.world.put(PODS, scene.pod())
    scene.apply(Delete(Kind.POD, there["metadata"]["name"], "the one before"))
    assert len(scene.world.of(PODS)) == 1
    scene.apply(Delete(Kind.POD, there["metadata"]["name"], there["metadata"]["uid"]))
    assert scene.world.of(PODS) == []


def test_an_object_whose_name_another_has_now_is_gone(scene: Scene) -> None:
    scene.apply(Create(Kind.POD, scene.pod()))
    (entry,) = scene.cache.children(scene.run.metadata.uid)
    scene.world.of(PODS)[0]["metadata"]["uid"] = "the next"
    assert scene.apply(Delete(Kind.POD, entry.object_key.name, entry.uid))
    assert scene.cache.children(scene.run.metadata.uid) == []
    assert len(scene.world.of(PODS)) == 1


def conflicting(on: str) -> Callable[[str], None]:
    def conflict(call: str) -> None:
        if call.startswith(on):
            raise Conflict("try again", status=409)

    return conflict


def test_an_object_whose_deletion_conflicts_is_not_taken_for_gone(scene: Scene) -> None:
    scene.apply(Create(Kind.POD, scene.pod()))
    (entry,) = scene.cache.children(scene.run.metadata.uid)
    scene.world.before = conflicting("delete Pod")
    with pytest.raises(Conflict):
        scene.apply(Delete(Kind.POD, entry.object_key.name, entry.uid))
    assert scene.cache.children(scene.run.metadata.uid) == [entry]


def test_a_run_whose_deletion_conflicts_is_not_taken_for_gone(scene: Scene) -> None:
    scene.world.before = conflicting("delete PipelineRun")
    with pytest.raises(Conflict):
        scene.apply(DeleteRun())
    assert scene.cache.run(("team", "mnist")) is not None


def test_an_object_that_went_while_its_deletion_conflicted_is_gone(scene: Scene) -> None:
    def vanish(call: str) -> None:
        if call.startswith("delete Pod"):
            scene.world.remove(PODS, f"{scene.base}-runner")
            raise Conflict("another uid", status=409)

    scene.apply(Create(Kind.POD, scene.pod()))
    (entry,) = scene.cache.children(scene.run.metadata.uid)
    scene.world.before = vanish
    assert scene.apply(Delete(Kind.POD, entry.object_key.name, entry.uid))
    assert scene.cache.children(scene.run.metadata.uid) == []


def test_what_is_gone_already_is_as_good_as_deleted(scene: Scene) -> None:
    scene.apply(Create(Kind.POD, scene.pod()))
    (entry,) = scene.cache.children(scene.run.metadata.uid)
    scene.world.remove(PODS, entry.object_key.name)
    assert scene.apply(Delete(Kind.POD, entry.object_key.name, entry.uid))
    assert scene.cache.children(scene.run.metadata.uid) == []


def test_a_sweep_finds_what_no_watch_has_told_and_what_kuberay_labelled(scene: Scene) -> None:
    cluster = scene.world.put(RAY_CLUSTERS, scene.cluster())["metadata"]["uid"]
    controller = {"kind": "RayCluster", "uid": cluster, "controller": True}
    worker = {"name": f"{scene.base}-worker-x", "ownerReferences": [controller]}
    scene.world.put(PODS, {"metadata": worker | {"labels": {"ray.io/cluster": scene.base}}})
    others = worker | {"name": "others", "ownerReferences": [controller | {"uid": "another"}]}
    scene.world.put(PODS, {"metadata": others | {"labels": {"ray.io/cluster": scene.base}}})
    service = {"name": f"{scene.base}-head-svc", "ownerReferences": [controller]}
    scene.world.put(SERVICES, {"metadata": service})
    scene.run = scene.run.model_copy(update={"status": PipelineRunStatus(phase=Phase.SEALING)})
    assert scene.apply(Sweep())
    sweep_result = scene.cache.sweep_result(scene.run.metadata.uid)
    assert sweep_result is not None
    assert set(sweep_result.left) == {
        f"RayCluster/{scene.base}",
        f"Pod/{scene.base}-worker-x",
        f"Service/{scene.base}-head-svc",
    }


@pytest.mark.parametrize("component", ["runner", "collector"])
def test_a_sweep_finds_what_has_lost_its_labels(scene: Scene, component: str) -> None:
    scene.apply(Create(Kind.POD, scene.pod(component)))
    scene.world.objects["pods", "team", f"{scene.base}-{component}"]["metadata"]["labels"] = {}
    scene.cache.drop(ObjectKey(Kind.POD, "team", f"{scene.base}-{component}"), "", "")
    assert scene.apply(Sweep())
    sweep_result = scene.cache.sweep_result(scene.run.metadata.uid)
    assert sweep_result is not None
    assert sweep_result.left == (f"Pod/{scene.base}-{component}",)
    (entry,) = scene.cache.children(scene.run.metadata.uid)
    assert entry.object_key.name == f"{scene.base}-{component}"


def test_a_strangers_sealer_is_nothing_that_was_left(scene: Scene) -> None:
    scene.world.put(PODS, scene.pod("sealer", owned=False))
    assert scene.apply(Sweep())
    sweep_result = scene.cache.sweep_result(scene.run.metadata.uid)
    assert sweep_result is not None
    assert sweep_result.left == ()


def test_a_sweep_forgets_what_is_not_there(scene: Scene) -> None:
    scene.apply(Create(Kind.POD, scene.pod()))
    scene.world.remove(PODS, f"{scene.base}-runner")
    scene.apply(Sweep())
    sweep_result = scene.cache.sweep_result(scene.run.metadata.uid)
    assert sweep_result is not None
    assert sweep_result.left == ()
    assert scene.cache.children(scene.run.metadata.uid) == []


def test_a_sweep_works_where_kuberay_is_missing(scene: Scene) -> None:
    scene.world.missing.add("rayclusters")
    scene.apply(Sweep())
    assert scene.cache.sweep_result(scene.run.metadata.uid) is not None


def test_a_run_is_deleted_if_it_is_still_the_same(scene: Scene) -> None:
    scene.apply(DeleteRun())
    assert scene.world.of(RUNS) == []


def test_the_next_run_of_that_name_is_not_deleted(scene: Scene) -> None:
    scene.world.remove(RUNS, "mnist")
    scene.world.put(RUNS, run_of())
    assert scene.apply(DeleteRun())
    assert len(scene.world.of(RUNS)) == 1


def test_a_run_that_changed_meanwhile_is_not_deleted_and_is_read_anew(scene: Scene) -> None:
    # The cache knows nothing of it yet.
    raw = scene.world.of(RUNS)[0]
    raw["spec"]["ttlSecondsAfterFinished"] = 10_000
    scene.world.put(RUNS, raw)
    assert scene.apply(DeleteRun())
    assert len(scene.world.of(RUNS)) == 1
    found = scene.cache.run(("team", "mnist"))
    assert found is not None
    assert found[1].read().run.spec.ttl_seconds_after_finished == 10_000


def test_a_note_is_one_event_however_often_it_is_sent(scene: Scene) -> None:
    note = KubernetesEvent("Normal", "Completed", "done")
    scene.apply(events=(note,))
    scene.apply(events=(note,))
    (event,) = scene.world.of(EVENTS)
    assert (event["reason"], event["note"], event["regarding"]["name"]) == ("Completed", "done", "mnist")
    assert len(event["metadata"]["name"]) <= 253


def test_an_event_that_is_refused_stops_nothing(scene: Scene) -> None:
    def refuse(call: str) -> None:
        if "Event" in call:
            raise Forbidden("no", status=403)

    scene.world.before = refuse
    scene.apply(Create(Kind.POD, scene.pod()), events=(KubernetesEvent("Normal", "Completed", "done"),))
    assert len(scene.world.of(PODS)) == 1


def test_what_the_api_server_forbids_is_told_on_the_run(scene: Scene) -> None:
    def refuse(call: str) -> None:
        if call.startswith("create Pod"):
            raise Forbidden("exceeded quota: compute", status=403)

    scene.world.before = refuse
    with pytest.raises(Forbidden):
        scene.apply(Create(Kind.POD, scene.pod()))
    (event,) = scene.world.of(EVENTS)
    assert (event["type"], event["note"]) == ("Warning", "exceeded quota: compute")


def test_nothing_more_is_made_in_a_namespace_that_is_being_deleted_and_nobody_is_warned(scene: Scene) -> None:
    def refuse(call: str) -> None:
        if call.startswith("create Pod"):
            raise NamespaceTerminating("team is being terminated", status=403)

    scene.world.before = refuse
    changed = scene.apply(Create(Kind.POD, scene.pod()), Create(Kind.RAY_CLUSTER, scene.cluster()))
    assert (changed, scene.world.of(RAY_CLUSTERS), scene.world.of(EVENTS)) == (False, [], [])
    assert scene.cache.refused(scene.run.metadata.uid) is None


def test_an_event_for_a_namespace_that_is_being_deleted_is_not_missed(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(call: str) -> None:
        if "Event" in call:
            raise NamespaceTerminating("team is being terminated", status=403)

    scene.world.before = refuse
    scene.apply(events=(KubernetesEvent("Normal", "Completed", "done"),))
    assert caplog.records == []


def test_a_call_without_an_answer_ends_the_step(scene: Scene) -> None:
    def fail(call: str) -> None:
        raise Unavailable("no answer")

    scene.world.before = fail
    with pytest.raises(Unavailable):
        scene.apply(Create(Kind.POD, scene.pod()), Create(Kind.RAY_CLUSTER, scene.cluster()))
    assert scene.world.calls == []
    assert scene.cache.get(ObjectKey(Kind.POD, "team", f"{scene.base}-runner")) is None
