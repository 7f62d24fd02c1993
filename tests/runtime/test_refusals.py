"""What the API server refuses to make is known, with the reason, until it is made or not wanted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runtime.applying import Scene
from runtime.small_planner import child
from vaportrail.crd.status import Phase, PipelineRunStatus
from vaportrail_operator.acting.apply import NameTaken
from vaportrail_operator.acting.client import ApiError, Forbidden, Invalid, Unavailable
from vaportrail_operator.acting.endpoints import EVENTS, PODS
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import Create, CreateTokens, Delete, Refusal


@pytest.fixture
def scene() -> Scene:
    return Scene()


QUOTA = Refusal("runner pod cannot be made: exceeded quota: a", 403, datetime(2026, 1, 2, tzinfo=UTC))
INVALID = {Invalid: "invalid: "}
REFUSALS = [
    Forbidden('POST …: pods "{name}" is forbidden: a quota', said='pods "{name}" is forbidden: a quota'),
    Invalid('POST …: Pod "{name}" is invalid: a quota', said='Pod "{name}" is invalid: a quota'),
    Forbidden("POST …: a quota", said="a quota"),
    ApiError("POST …: a quota", status=418, said="a quota"),
    Unavailable("POST …: a quota", status=500, said="a quota"),
]


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_what_cannot_be_made_is_known_with_the_reason_and_without_the_call(
    scene: Scene, error: ApiError
) -> None:
    name = f"{scene.base}-runner"

    def refuse(call: str) -> None:
        if call.startswith("create Pod"):
            raise type(error)(str(error), status=error.status, said=error.said.format(name=name))

    scene.world.before = refuse
    with pytest.raises(type(error)):
        scene.apply(Create(Kind.POD, scene.pod()))
    refusal = scene.cache.refused(scene.run.metadata.uid)
    assert refusal is not None
    assert refusal.text == f"runner pod cannot be made: {INVALID.get(type(error), '')}a quota"
    assert refusal.status == error.status


def test_a_reason_is_cut(scene: Scene) -> None:
    def refuse(call: str) -> None:
        if call.startswith("create Secret"):
            raise Invalid("x" * 2000)

    scene.world.before = refuse
    manifest = child("v1", "Secret", f"{scene.base}-tokens", "mnist", scene.run.metadata.uid)
    with pytest.raises(Invalid):
        scene.apply(CreateTokens(manifest, ("auth_token",)))
    refusal = scene.cache.refused(scene.run.metadata.uid)
    assert refusal is not None
    assert (len(refusal.text.encode()), refusal.text[-2:]) == (512, "x…")
    assert refusal.text.startswith("Secret cannot be made: ")


def test_a_name_that_is_taken_is_known(scene: Scene) -> None:
    stranger = scene.pod()
    stranger["metadata"]["ownerReferences"][0]["uid"] = "another run"
    scene.world.put(PODS, stranger)
    with pytest.raises(NameTaken):
        scene.apply(Create(Kind.POD, scene.pod()))
    taken = f"runner pod cannot be made: {scene.base}-runner exists and is not what the operator made"
    refusal = scene.cache.refused(scene.run.metadata.uid)
    assert refusal is not None
    assert refusal.text.startswith(taken)


@pytest.mark.parametrize("call", ["status", "delete Pod"])
def test_what_is_refused_but_a_creation_is_not_taken_for_one(scene: Scene, call: str) -> None:
    def refuse(tried: str) -> None:
        if tried.startswith(call):
            raise Forbidden("no")

    scene.world.put(PODS, scene.pod())
    scene.world.before = refuse
    with pytest.raises(Forbidden):
        scene.apply(Delete(Kind.POD, f"{scene.base}-runner"), status=PipelineRunStatus(phase=Phase.RELEASING))
    assert scene.cache.refused(scene.run.metadata.uid) is None


@pytest.mark.parametrize("status", [0, 429, 503])
def test_a_call_that_has_no_answer_leaves_what_was_refused(scene: Scene, status: int) -> None:
    def fail(call: str) -> None:
        raise Unavailable("no answer", status=status)

    scene.cache.set_refusal(scene.run.metadata.uid, QUOTA)
    scene.world.before = fail
    with pytest.raises(Unavailable):
        scene.apply(Create(Kind.POD, scene.pod()))
    assert scene.cache.refused(scene.run.metadata.uid) == QUOTA


@pytest.mark.parametrize("wanted", [True, False])
def test_nothing_is_refused_any_more_once_a_plan_was_carried_out(scene: Scene, wanted: bool) -> None:
    scene.cache.set_refusal(scene.run.metadata.uid, QUOTA)
    assert scene.apply(*([Create(Kind.POD, scene.pod())] if wanted else []))
    assert scene.cache.refused(scene.run.metadata.uid) is None
    assert not scene.apply()


def test_a_refusal_is_one_event_for_each_object_in_whatever_words(scene: Scene) -> None:
    words = iter("abcd")

    def refuse(call: str) -> None:
        if call.startswith("create Pod"):
            raise Forbidden(f"denied the request: [request {next(words)}]", status=403)

    scene.world.before = refuse
    for component in ("runner", "runner", "collector", "collector"):
        with pytest.raises(Forbidden):
            scene.apply(Create(Kind.POD, scene.pod(component)))
    assert sorted(event["note"][-3:] for event in scene.world.of(EVENTS)) == [" a]", " c]"]
