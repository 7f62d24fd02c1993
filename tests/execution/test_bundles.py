"""Attempts that go several as one, by any order of events: each begins once at most and ends once."""

from __future__ import annotations

import errno
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vaportrail.contract.outcome import Outcome
from vaportrail.execution import ray_bundles
from vaportrail.execution.attempt import AttemptSpec
from vaportrail.execution.backend import AttemptEnd, Running
from vaportrail.execution.bundle import HandedOver
from vaportrail.execution.bundle_log import BundleLog
from vaportrail.execution.pace import Pace
from vaportrail.execution.plain_value import pack_plain
from vaportrail.execution.ray_bundles import Bundles
from vaportrail.execution.ray_reports import Stream

Get = Callable[[], Any]


class Lost(Exception):
    """What Ray raises in place of what a lost worker had."""


class RaysTask:
    """A task that Ray was given: one attempt, or a bundle with its worker."""

    def __init__(self, names: list[str], path: str = "") -> None:
        self.names, self.path = names, path
        self.landed: Callable[[Get], None] | None = None
        self.stream: Stream | None = None
        self.log: BundleLog | None = None
        self.number, self.runs = 0, False
        self.under_way: list[Get] = []
        self.over = False

    def step(self, world: World) -> None:
        """Let its worker come one step further."""
        if self.over:
            return
        if self.landed is not None:
            if not self.runs:
                self.runs = True
                world.begins[self.names[0]] += 1
                return
            self.over = True
            self.landed(lambda: b"")
            return
        if self.log is None:
            self.log = BundleLog(self.path)
        if self.runs:
            raw = pack_plain(self.names[self.number]) or b""
            end = len(raw).to_bytes(4, "little") + raw
            self.log.ended(self.number, end)
            world.ended_in_worker.add(self.names[self.number])
            self.under_way.append(lambda: end)
            self.number, self.runs = self.number + 1, False
        elif self.number < len(self.names) and self.log.begin(self.number):
            world.begins[self.names[self.number]] += 1
            self.runs = True
        else:
            self.end()

    def arrive(self) -> None:
        if self.under_way and self.stream is not None:
            self.stream.reported(self.under_way.pop(0))

    def end(self) -> None:
        """End in peace: all that it said has arrived before."""
        while self.under_way:
            self.arrive()
        self.over = True
        assert self.stream is not None
        self.stream.over(lambda: None)

    def die(self, world: World) -> None:
        """Lose its worker, and what was under way."""
        if self.over:
            return

        def lost() -> Any:
            raise Lost

        self.over = True
        if self.runs:
            world.lost.add(self.names[self.number])
        if self.landed is not None:
            world.lost.add(self.names[0])
            self.landed(lost)
        else:
            assert self.stream is not None
            self.stream.over(lost)


class World:
    """Ray and its workers, one step at a time."""

    def __init__(self, folder: Path) -> None:
        self.begins: Counter[str] = Counter()
        self.ends: dict[str, list[tuple[Outcome, Any]]] = {}
        self.ended_in_worker: set[str] = set()
        self.lost: set[str] = set()
        self.tasks: list[RaysTask] = []
        self.folder = folder
        self.bundles = Bundles(self, self, self, self.told, str(folder / "b"), slots=1)  # type: ignore[arg-type]

    # As Ray, and as what hands attempts over.

    def remote(self, packed: bytes, *_: Any) -> Any:
        found = pickle.loads(packed)
        if len(found) == 2:
            path, attempts = found
            task = RaysTask([pickle.loads(attempt)[1] for attempt, _ in attempts], path)
        else:
            task = RaysTask([found[1]])
        self.tasks.append(task)
        return task if task.path else (task, None)

    def is_initialized(self) -> bool:
        return True

    def cancel(self, task: RaysTask, *, force: bool, recursive: bool = False) -> None:
        if force:
            task.die(self)

    # As what waits for reports.

    def expect(self, task: RaysTask, landed: Callable[[Get], None]) -> None:
        task.landed = landed

    def follow(self, task: RaysTask, stream: Stream) -> None:
        task.stream = stream

    # As the backend.

    def told(self, attempt: HandedOver, get: Get) -> None:
        try:
            get()
        except Lost:
            attempt.on_end(AttemptEnd(Outcome.WORKER_LOST))
        else:
            attempt.on_end(AttemptEnd(Outcome.SUCCEEDED))

    def attempt(self, number: int, pace: Pace) -> HandedOver:
        name = f"t-{number}"
        spec = AttemptSpec(name, "t", 1, "", b"")

        def on_end(end: AttemptEnd) -> None:
            self.ends.setdefault(name, []).append((end.outcome, running.value))

        made = HandedOver(spec, self, b"", pace, b"", [], on_end, 1.0)
        running = made.running = Running(spec, made, None)
        return made


def quick() -> Pace:
    pace = Pace()
    for _ in range(60):
        pace.was_quick()
    return pace


acts = st.lists(
    st.tuples(
        st.sampled_from(["step"] * 6 + ["arrive"] * 3 + ["die", "look", "stop", "force", "put", "hand over"]),
        st.integers(0, 1000),
    ),
    max_size=150,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 40), acts)
def test_whatever_happens_each_begins_once_at_most_ends_once_and_only_what_ran_is_lost(
    tmp_path: Path, count: int, acts: list[tuple[str, int]]
) -> None:
    world, pace = World(tmp_path), quick()
    attempts = [world.attempt(number, pace) for number in range(count)]
    stopped: set[str] = set()
    put = count // 2
    for attempt in attempts[:put]:
        world.bundles.put(attempt)
    world.bundles.hand_over()
    for act, pick in acts:
        tasks = [task for task in world.tasks if not task.over]
        task = tasks[pick % len(tasks)] if tasks else None
        if act == "put" and put < count:
            world.bundles.put(attempts[put])
            put += 1
        elif act == "hand over":
            world.bundles.hand_over()
        elif act in ("stop", "force") and put:
            attempt = attempts[pick % put]
            if attempt.spec.task_id not in world.ends:
                stopped.add(attempt.spec.task_id)
                world.bundles.stop(attempt, force=act == "force", interrupt=lambda: None)
        elif task is None:
            continue
        elif act == "step":
            task.step(world)
        elif act == "arrive":
            task.arrive()
        elif act == "die":
            task.die(world)
        elif task.stream is not None:
            task.stream.moved = -1e9  # type: ignore[attr-defined]
            task.stream.look()
    for attempt in attempts[put:]:
        world.bundles.put(attempt)
    world.bundles.hand_over()
    while tasks := [task for task in world.tasks if not task.over]:
        tasks[0].step(world)
        world.bundles.hand_over()  # as the scheduler does at each end

    assert sorted(world.ends) == sorted(attempt.spec.task_id for attempt in attempts)
    for name, ends in world.ends.items():
        ((outcome, value),) = ends  # once
        assert world.begins[name] <= 1
        if outcome is Outcome.SUCCEEDED:
            assert world.begins[name] == 1
            assert value is None or value.load() == name
        elif outcome is Outcome.CANCELLED:
            assert name in stopped
            assert world.begins[name] == 0
        else:
            assert name in world.lost
        assert outcome is Outcome.SUCCEEDED or name not in world.ended_in_worker
    assert list(tmp_path.iterdir()) == []


def test_behind_one_that_is_long_no_other_waits(tmp_path: Path) -> None:
    world, pace = World(tmp_path), quick()
    for number in range(8):
        world.bundles.put(world.attempt(number, pace))
    world.bundles.hand_over()
    first = next(task for task in world.tasks if len(task.names) > 1)
    first.step(world)
    while tasks := [task for task in world.tasks if not task.over and task is not first]:
        tasks[0].step(world)
    assert set(first.names) & set(world.ends) == set()

    assert first.stream is not None
    first.stream.look()
    first.stream.moved = -1e9  # type: ignore[attr-defined]
    first.stream.look()
    while tasks := [task for task in world.tasks if not task.over and task is not first]:
        tasks[0].step(world)

    assert set(first.names[1:]) <= set(world.ends)
    assert first.names[0] not in world.ends
    first.step(world)
    first.step(world)
    assert len(world.ends) == 8


def test_those_of_a_bundle_that_was_lost_before_it_began_go_alone(tmp_path: Path) -> None:
    world, pace = World(tmp_path), quick()
    for number in range(8):
        world.bundles.put(world.attempt(number, pace))
    world.bundles.hand_over()
    first = next(task for task in world.tasks if len(task.names) > 1)
    before = len(world.tasks)
    first.die(world)

    alone = [task.names for task in world.tasks[before:]]
    assert [[name] for name in first.names] == alone[: len(first.names)]
    assert world.ends == {}


def test_one_that_finds_a_worker_idle_waits_for_no_others(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.bundles.put(world.attempt(0, quick()))

    assert [task.names for task in world.tasks] == [["t-0"]]


@pytest.mark.parametrize("force", [False, True])
def test_on_a_full_disk_one_that_has_begun_is_stopped_by_rays_own_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "no space left on device")

    world, pace, asked = World(tmp_path), quick(), []
    attempts = [world.attempt(number, pace) for number in range(8)]
    for attempt in attempts:
        world.bundles.put(attempt)
    world.bundles.hand_over()
    task = next(task for task in world.tasks if len(task.names) > 1)
    task.step(world)  # its first one has begun
    first = next(attempt for attempt in attempts if attempt.spec.task_id == task.names[0])
    monkeypatch.setattr(world, "cancel", lambda task, *, force, recursive: asked.append((task.names, force)))
    monkeypatch.setattr(ray_bundles, "take_back", full)

    with pytest.raises(OSError, match="no space"):
        world.bundles.stop(first, force=force, interrupt=full)

    assert asked == [(task.names, force)]
