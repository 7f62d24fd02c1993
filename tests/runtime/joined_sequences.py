"""Sequences of what users do with runs of one name, drawn from the definition's schema.

Runs are created, cancelled, suspended, labelled, edited as nobody may, and deleted, each at some phase of
theirs, and the next one of the same name follows. Whatever it was, once all is deleted the world is as it
was before, and the operator still works.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import hypothesis
from hypothesis import strategies as st
from tests.crd.drawn import instances

from runtime import joined_deeds as deeds
from runtime.joined_life import KEY, Life
from runtime.small_planner import run_of
from runtime.world import copied
from vaportrail.contract.outcome import Outcome
from vaportrail_operator.acting.client import Object
from vaportrail_operator.acting.endpoints import LEASES, RUNS
from vaportrail_operator.api.crd import pipelinerun_definition

__all__ = ["Explored", "Sequence", "explored", "sequences", "wrong_with"]

_ROOT: Final = pipelinerun_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
_SPEC: Final = _ROOT["properties"]["spec"]
_SECONDS: Final = 500.0
"""That a run has until it is deleted whatever it does."""
_ENDED: Final = ("Succeeded", "Failed", "Cancelled")
_PHASES: Final = ("", "Pending", "Provisioning", "Running", "Releasing", "Sealing", *_ENDED)
_DRAWN: Final = sorted(set(_SPEC["properties"]) - {"pipeline", "entrypoint", "record", "ray", "deadlines"})
_DEADLINES: Final = {"runSeconds": 100, "drainSeconds": 20, "releaseSeconds": 90, "sealSeconds": 200}


@dataclass(frozen=True, slots=True)
class Asked:
    """A run of a sequence.

    Attributes:
        spec: what it asks for beside the usual.
        outcome: what its code ends with; None: it goes on until it is told to end.
        deeds: at which phase somebody does what to it.
    """

    spec: Object
    outcome: Outcome | None
    deeds: tuple[tuple[str, str], ...]


Sequence = tuple[Asked, ...]


@dataclass
class Explored:
    """What was lived: how many sequences, of how many runs, and what was wrong with which."""

    sequences: int = 0
    runs: int = 0
    wrong: list[tuple[Sequence, list[str]]] = field(default_factory=list)


def _suspend(life: Life) -> None:
    life.world.edit(RUNS, KEY[1], suspend=True)


def _label(life: Life) -> None:
    for raw in life.world.of(RUNS):
        raw["metadata"]["labels"] = {"team": str(life.world.version), "vaportrail.dev/run-uid": "mine"}
        life.world.put(RUNS, raw)


def _expire(life: Life) -> None:
    life.world.edit(RUNS, KEY[1], ttlSecondsAfterFinished=30)


_DEEDS: Final[dict[str, Callable[[Life], None]]] = {
    "cancel": deeds.cancel,
    "suspend": _suspend,
    "resume": deeds.resume,
    "label": _label,
    "let expire": _expire,
    "make unreadable": deeds.make_unreadable,
    "delete": deeds.delete,
    "delete in the foreground": deeds.delete_in_foreground,
}


@st.composite
def sequences(draw: st.DrawFn) -> Sequence:
    """Draw a sequence."""
    return tuple(draw(st.lists(_asked(), min_size=1, max_size=4)))


@st.composite
def _asked(draw: st.DrawFn) -> Asked:
    fields = draw(st.lists(st.sampled_from(_DRAWN), max_size=3, unique=True))
    spec = {name: draw(instances(_SPEC["properties"][name])) for name in fields}
    if draw(st.integers(0, 9)) == 0:
        # As another version of the definition has it.
        spec["image"] = {"name": "mnist"}
    outcome = draw(st.sampled_from([Outcome.SUCCEEDED, Outcome.FAILED, None]))
    done = st.tuples(st.sampled_from(_PHASES), st.sampled_from(sorted(_DEEDS)))
    return Asked(spec, outcome, tuple(draw(st.lists(done, max_size=3))))


def wrong_with(sequence: Sequence) -> list[str]:
    """Live a sequence; return in words what is not as it was before, once all of it is deleted."""
    life = Life(disturb=_Users(sequence))
    life.world.put(RUNS, _raw(sequence[0]))
    life.cluster.outcome = sequence[0].outcome
    try:
        life.play()
    except AssertionError as error:
        return [str(error)[:2000]]
    left = [f"{plural}/{name}" for plural, _, name in life.world.objects if plural != LEASES.plural]
    return [*(f"left: {each}" for each in sorted(left)), *life.errors]


def explored(count: int, seed: int) -> Explored:
    """Draw so many sequences by a seed, and live them."""
    found = Explored()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(sequences())
    def live(sequence: Sequence) -> None:
        found.sequences += 1
        found.runs += len(sequence)
        if wrong := wrong_with(sequence):
            found.wrong.append((sequence, wrong))

    live()
    return found


class _Users:
    """Those who make a sequence's runs, and do to them what it says."""

    def __init__(self, sequence: Sequence) -> None:
        self._current, *self._next = sequence
        self._todo = list(self._current.deeds)
        self._since = 0.0

    def __call__(self, life: Life) -> None:
        if life.run is None:
            if self._next and not life.world.left():
                self._begin(life, self._next.pop(0))
            return
        for each in list(self._todo):
            if each[0] == life.phase and life.run is not None:
                self._todo.remove(each)
                _DEEDS[each[1]](life)
        late = life.seconds() >= self._since + _SECONDS
        if life.run and (late or life.phase in _ENDED) and not life.run["metadata"].get("deletionTimestamp"):
            deeds.delete(life)

    def _begin(self, life: Life, asked: Asked) -> None:
        self._current, self._todo, self._since = asked, list(asked.deeds), life.seconds()
        life.cluster.outcome = asked.outcome
        life.world.put(RUNS, _raw(asked))


def _raw(asked: Asked) -> Object:
    raw = run_of(**{"deadlines": dict(_DEADLINES), **copied(asked.spec)})
    raw["metadata"]["generation"] = 1
    return raw
