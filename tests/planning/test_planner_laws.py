"""What holds of every plan, whatever is observed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from tests.planning.observations import BASE, observations
from tests.planning.runs import planned

from vaportrail.crd.status import Phase, PipelineRunStatus
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.pod_state import drained
from vaportrail_operator.planning.types import (
    COMPONENT_LABEL,
    Action,
    Component,
    Create,
    CreateTokens,
    Delete,
    DeleteRun,
    Observed,
    Plan,
)

ORDER = ["", *Phase]
ACTIVE = (Phase.PROVISIONING, Phase.RUNNING)
FAST = settings(max_examples=150, suppress_health_check=list(HealthCheck))
FIXPOINT = 6


def creations(made: Plan) -> list[Create | CreateTokens]:
    return [action for action in made.actions if isinstance(action, Create | CreateTokens)]


def is_sealer(action: Create | CreateTokens) -> bool:
    return action.manifest["metadata"]["labels"].get(COMPONENT_LABEL) == "sealer"


def is_collector(action: Action) -> bool:
    if isinstance(action, Delete):
        return action.kind is Kind.POD and action.name == f"{BASE}-collector"
    return isinstance(action, Create) and action.manifest["metadata"]["name"] == f"{BASE}-collector"


def can_move(observed: Observed) -> bool:
    """Return whether a run that is under way has all that it needs, or somebody else still makes it."""
    live = {
        pod.component
        for pod in observed.pods
        if not pod.deleting and not pod.terminated and pod.phase not in ("Succeeded", "Failed")
    }
    collects = any(
        pod.component is Component.COLLECTOR and not pod.deleting and pod.phase not in ("Succeeded", "Failed")
        for pod in observed.pods
    )
    cluster = observed.ray_cluster
    owed = cluster is not None and not cluster.deleting and not cluster.provisioned
    return collects and Component.RUNNER in live and (Component.HEAD in live or owed)


def is_over(observed: Observed) -> bool:
    phase = observed.run.status.phase
    return isinstance(phase, Phase) and phase.terminal


@FAST
@given(observations())
def test_the_same_observation_gives_the_same_plan(observed: Observed) -> None:
    assert plan(observed) == plan(observed)


@FAST
@given(observations())
def test_whatever_is_to_be_made_can_be_said_in_json(observed: Observed) -> None:
    for action in creations(plan(observed)):
        # As it goes to the API server; what it has no word for would be refused here.
        assert json.loads(json.dumps(action.manifest, allow_nan=False)) == action.manifest


@FAST
@given(observations())
def test_a_status_is_always_one_that_the_schema_takes(observed: Observed) -> None:
    status = plan(observed).status
    assert PipelineRunStatus.model_validate(json.loads(status.model_dump_json())) == status


@FAST
@given(observations())
def test_phases_only_go_forward(observed: Observed) -> None:
    before, after = observed.run.status.phase, plan(observed).status.phase
    if is_over(observed):
        assert after == before
    else:
        assert ORDER.index(after) >= ORDER.index(before)


@FAST
@given(observations(deadlines=False))
def test_a_status_settles_and_then_no_clock_changes_it(observed: Observed) -> None:
    for _ in range(FIXPOINT):
        made = plan(observed)
        if made.status == observed.run.status:
            break
        observed = planned(observed, made)
    assert plan(observed).status == observed.run.status
    later = replace(observed, now=observed.now + timedelta(seconds=3))
    assert plan(later).status == observed.run.status


@FAST
@given(observations())
def test_a_run_that_ended_stays_as_it_is(observed: Observed) -> None:
    if is_over(observed):
        before, after = observed.run.status, plan(observed).status
        assert after.model_copy(update={"observed_generation": before.observed_generation}) == before


@FAST
@given(observations())
def test_compute_is_only_made_while_a_run_is_under_way(observed: Observed) -> None:
    made = plan(observed)
    compute = [action for action in creations(made) if not is_sealer(action)]
    # A collector may be lost while others have yet to ship.
    allowed = made.status.phase is Phase.RELEASING and all(map(is_collector, compute))
    assert not compute or made.status.phase in ACTIVE or allowed
    assert not creations(made) or observed.run.metadata.deletion_timestamp is None
    assert not creations(made) or not is_over(observed)


@FAST
@given(observations())
def test_a_sealer_is_only_made_while_the_record_is_open(observed: Observed) -> None:
    made = plan(observed)
    if any(is_sealer(action) for action in creations(made)):
        assert made.status.phase is Phase.SEALING
        assert made.status.record is not None
        assert made.status.record.state == "Open"


@FAST
@given(observations())
def test_nothing_is_removed_before_the_status_says_so(observed: Observed) -> None:
    made = plan(observed)
    deleting = observed.run.metadata.deletion_timestamp is not None
    if made.status.phase in ("", Phase.PENDING, *ACTIVE) and not deleting:
        removals = [action for action in made.actions if isinstance(action, Delete | DeleteRun)]
        # One that cannot collect any more makes way for another.
        assert all(map(is_collector, removals))


@FAST
@given(observations())
def test_a_service_that_kuberay_made_is_left_to_it(observed: Observed) -> None:
    for action in plan(observed).actions:
        if isinstance(action, Delete) and action.kind is Kind.SERVICE:
            assert action.name == f"{BASE}-collector"


@FAST
@given(observations())
def test_a_raycluster_that_was_ever_seen_is_never_made_again(observed: Observed) -> None:
    made = [action for action in creations(plan(observed)) if isinstance(action, Create)]
    clusters = [action for action in made if action.kind is Kind.RAY_CLUSTER]
    assert len(clusters) <= 1
    seen = {entry.object for entry in observed.run.status.receipt}
    assert not clusters or f"RayCluster/{BASE}" not in seen


@FAST
@given(observations())
def test_of_a_run_that_is_being_deleted_only_what_it_does_not_own_is_removed(observed: Observed) -> None:
    if observed.run.metadata.deletion_timestamp is not None:
        made = plan(observed)
        assert made.status == observed.run.status
        over = {pod.name for pod in observed.pods if pod.phase in ("Succeeded", "Failed")}
        ships = any(
            pod.component not in (Component.COLLECTOR, Component.SEALER) and not drained(pod)
            for pod in observed.pods
        )
        for each in made.actions:
            assert isinstance(each, Delete)
            assert each.name.endswith(("-sealer", "-collector"))
            assert each.name.endswith("-collector") or each.name in over
            assert each.name.endswith("-sealer") or not (ships or observed.ray_cluster)


@settings(FAST, max_examples=400)
@given(observations())
def test_a_run_never_waits_for_nobody(observed: Observed) -> None:
    for _ in range(FIXPOINT):
        made = plan(observed)
        if made.actions or made.requeue_after is not None:
            return
        observed = planned(observed, made)
    run = observed.run
    suspended = run.status.phase is Phase.PENDING and run.spec.suspend
    if not is_over(observed) and not suspended and run.metadata.deletion_timestamp is None:
        assert run.status.phase in ACTIVE
        assert can_move(observed)


@FAST
@given(observations())
def test_a_run_is_looked_at_again_after_a_while_and_not_at_once(observed: Observed) -> None:
    again = plan(observed).requeue_after
    assert again is None or again > 0
