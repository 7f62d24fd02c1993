"""Which runs are which schedule's: found as they change, and told only where it matters to a schedule."""

from __future__ import annotations

from typing import Any

from runtime.small_planner import pod, run_of
from vaportrail_operator.observation.entries import entry_of
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.keys import Key, ScheduleKey
from vaportrail_operator.runtime.scheduled_runs import ScheduledRuns

UID = "0f0f0f0f-1111-2222-3333-444444444444"
NIGHTLY = ScheduleKey("team", "nightly")


class Scene:
    """A cache, what is told by it, and which schedules follow from that."""

    def __init__(self) -> None:
        self.told: list[ScheduleKey | None] = []
        self.cache = Cache(lambda: 0.0, self._changed)
        self.runs = ScheduledRuns(self.cache)
        self._version = 0

    def _changed(self, key: Key) -> None:
        self.told.append(self.runs.changed(key))

    def put(self, kind: Kind, raw: dict[str, Any]) -> list[ScheduleKey | None]:
        """Take an object in; returns what was told by it."""
        self.told.clear()
        self._version += 1
        raw["metadata"] |= {"namespace": "team", "resourceVersion": str(self._version)}
        entry = entry_of(kind, raw)
        assert entry is not None
        self.cache.put(entry)
        return self.told


def of_nightly(minute: int, **status: str) -> dict[str, Any]:
    raw = run_of(f"nightly-{minute}")
    raw["metadata"] |= {"uid": f"uid-{minute}", "labels": {"vaportrail.dev/schedule-uid": UID}}
    return raw | {"status": status}


def test_what_changes_of_a_run_is_told_where_it_matters_to_its_schedule() -> None:
    scene = Scene()
    assert scene.put(Kind.RUN, of_nightly(7)) == [NIGHTLY]
    assert [run.name for run in scene.runs.of("team", UID)] == ["nightly-7"]
    assert scene.put(Kind.RUN, of_nightly(7, message="still at it")) == [None]
    assert scene.put(Kind.POD, pod("a", "nightly-7", "uid-7", "runner")) == [None]
    assert scene.put(Kind.RUN, of_nightly(7, phase="Succeeded")) == [NIGHTLY]
    assert scene.put(Kind.RUN, run_of("mnist")) == [None]


def test_a_run_that_is_gone_is_no_schedules_any_more() -> None:
    scene = Scene()
    scene.put(Kind.RUN, of_nightly(7))
    scene.put(Kind.RUN, of_nightly(8))
    scene.told.clear()
    entry = scene.cache.run(("team", "nightly-7"))
    assert entry is not None
    scene.cache.drop(entry[0].object_key, "uid-7")
    assert scene.told == [NIGHTLY]
    assert [run.name for run in scene.runs.of("team", UID)] == ["nightly-8"]
    assert scene.runs.of("elsewhere", UID) == ()


def test_a_ledger_that_no_operator_writes_is_not_kept() -> None:
    scene = Scene()
    raw = of_nightly(7)
    raw["metadata"]["annotations"] = {"vaportrail.dev/schedule-ledger": "x" * 5000}
    scene.put(Kind.RUN, raw)
    assert [run.ledger for run in scene.runs.of("team", UID)] == [""]
