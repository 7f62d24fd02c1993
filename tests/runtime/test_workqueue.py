"""The work queue's laws, with a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from vaportrail_operator.runtime.workqueue import Backoff, WorkQueue


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue[str]:
    return WorkQueue(clock, Backoff(1.0, 60.0, lambda: 1.0))


def drained(queue: WorkQueue[str]) -> list[str]:
    """Take out all that is ready."""

    async def take() -> list[str]:
        found = []
        while queue.depth:
            key = await queue.get()
            assert key is not None
            found.append(key)
        return found

    return asyncio.run(take())


def test_a_key_that_is_added_twice_is_worked_on_once(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.add("b")
    queue.add("a")
    assert drained(queue) == ["a", "b"]


def test_a_key_that_is_added_while_it_is_worked_on_comes_again_afterwards(queue: WorkQueue[str]) -> None:
    queue.add("a")
    assert drained(queue) == ["a"]
    queue.add("a")
    assert drained(queue) == []
    queue.done("a")
    assert drained(queue) == ["a"]


def test_a_key_that_was_not_added_again_does_not_come_again(queue: WorkQueue[str]) -> None:
    queue.add("a")
    drained(queue)
    queue.done("a")
    assert drained(queue) == []


def test_a_key_for_later_comes_when_its_time_has_come(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 5.0)
    clock.time = 4.9
    assert drained(queue) == []
    clock.time = 5.0
    assert drained(queue) == ["a"]


def test_the_earlier_of_two_times_counts(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 5.0)
    queue.add_after("a", 2.0)
    queue.add_after("a", 9.0)
    clock.time = 2.0
    assert drained(queue) == ["a"]
    queue.done("a")
    clock.time = 20.0
    assert drained(queue) == []


def test_a_key_for_later_that_is_added_now_comes_once(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 5.0)
    queue.add("a")
    assert drained(queue) == ["a"]
    queue.done("a")
    clock.time = 6.0
    assert drained(queue) == []


def test_failures_make_a_key_wait_ever_longer_until_it_succeeds(queue: WorkQueue[str]) -> None:
    assert [queue.retry("a") for _ in range(8)] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    queue.succeeded("a")
    assert queue.retry("a") == 1.0
    assert queue.retries == 9


def test_a_key_that_was_added_while_it_failed_waits_all_the_same(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a")
    drained(queue)
    queue.add("a")
    queue.retry("a", at_least=7.0)
    queue.done("a")
    assert drained(queue) == []
    clock.time = 7.0
    assert drained(queue) == ["a"]


def test_a_key_that_is_added_while_it_waits_after_a_failure_comes_at_once(queue: WorkQueue[str]) -> None:
    queue.add("a")
    drained(queue)
    queue.retry("a")
    queue.done("a")
    queue.add("a")
    assert drained(queue) == ["a"]


def test_a_key_waits_at_least_as_long_as_the_api_server_asks(queue: WorkQueue[str]) -> None:
    assert queue.retry("a", at_least=7.0) == 7.0


@pytest.fixture
def refusing(clock: Clock) -> WorkQueue[str]:
    """A queue in which refusals wait ten times as long as other failures."""
    usual, slow = Backoff(1.0, 60.0, lambda: 1.0), Backoff(10.0, 600.0, lambda: 1.0)
    return WorkQueue(clock, usual, refusals=slow)


def fail(queue: WorkQueue[str], key: str, **how: Any) -> float:
    """Work on a key, and fail."""
    queue.add_after(key, 0.0)
    assert drained(queue) == [key]
    delay = queue.retry(key, **how)
    queue.done(key)
    return delay


def test_what_is_refused_waits_for_minutes_in_the_end(refusing: WorkQueue[str]) -> None:
    delays = [fail(refusing, "a", refused=True) for _ in range(8)]
    assert delays == [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0]


def test_a_change_brings_a_refused_key_back_at_once_and_its_delays_begin_anew(
    refusing: WorkQueue[str],
) -> None:
    for _ in range(7):
        fail(refusing, "a", refused=True)
    refusing.add("a")
    assert drained(refusing) == ["a"]
    assert refusing.retry("a", refused=True) == 10.0


def test_a_reminder_brings_back_no_key_that_waits_after_a_failure(
    refusing: WorkQueue[str], clock: Clock
) -> None:
    fail(refusing, "a", refused=True)
    refusing.remind("a")
    refusing.remind("b")
    assert drained(refusing) == ["b"]
    clock.time = 10.0
    assert drained(refusing) == ["a"]


def test_a_refused_key_does_not_wait_beyond_its_deadline_but_for_the_usual_delay(
    refusing: WorkQueue[str],
) -> None:
    assert fail(refusing, "a", refused=True, at_most=7.0) == 7.0
    assert fail(refusing, "a", refused=True, at_most=0.1) == 2.0


def test_what_somebody_else_changed_during_a_refused_step_is_looked_at_after_the_usual_delay(
    refusing: WorkQueue[str],
) -> None:
    refusing.add("a")
    drained(refusing)
    # The step's own write.
    refusing.add("a")
    assert refusing.retry("a", refused=True) == 10.0
    refusing.add("a", urgent=True)
    assert refusing.retry("a", refused=True) == 2.0
    refusing.done("a")


def test_the_key_that_was_refused_the_longest_ago_is_tried_when_there_is_room_in_its_group(
    clock: Clock,
) -> None:
    usual = Backoff(100.0, 100.0, lambda: 1.0)
    queue: WorkQueue[str] = WorkQueue(clock, usual, group_of=lambda key: key[0])
    for key in ("a1", "a2", "b1"):
        fail(queue, key, refused=True)
    fail(queue, "a1", refused=True)
    queue.retry_one_refused("a")
    assert drained(queue) == ["a2"]


@pytest.fixture
def shared(clock: Clock) -> WorkQueue[str]:
    """A queue of keys such as `a1`, of the group `a`: at most three at a time, two of a group."""
    backoff = Backoff(1.0, 60.0, lambda: 1.0)
    return WorkQueue(clock, backoff, group_of=lambda key: key[0], at_once=3, at_once_of_group=2)


async def taken(queue: WorkQueue[str]) -> list[str]:
    """Take out all that may be worked on now."""
    found = []
    while True:
        getting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        if not getting.done():
            getting.cancel()
            return found
        key = getting.result()
        assert key is not None
        found.append(key)


def test_groups_take_turns(shared: WorkQueue[str]) -> None:
    async def work() -> list[str]:
        found = []
        while shared.depth:
            for key in await taken(shared):
                found.append(key)
                shared.done(key)
        return found

    for key in ("a1", "a2", "a3", "b1", "c1", "b2"):
        shared.add(key)
    assert asyncio.run(work()) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_group_of_which_nothing_is_worked_on_waits_for_no_others(shared: WorkQueue[str]) -> None:
    async def work() -> None:
        for group in "abcdefghijkl":
            for number in range(3):
                shared.add(f"{group}{number}")
        # One of each, up to four times as many as are worked on at a time.
        assert sorted(await taken(shared)) == [f"{group}0" for group in "abcdefghijkl"]
        shared.add("m0")
        assert await taken(shared) == []

    asyncio.run(work())


def test_a_group_has_no_more_than_its_share_however_much_is_free(shared: WorkQueue[str]) -> None:
    async def work() -> None:
        assert await taken(shared) == ["a1", "a2"]
        shared.add("b1")
        assert await taken(shared) == ["b1"]
        shared.add("b2")
        assert await taken(shared) == []
        shared.add("c1")
        assert await taken(shared) == ["c1"]  # however many of others are at work
        shared.done("c1")
        shared.done("a2")
        assert await taken(shared) == ["a3"]
        shared.done("a1")
        assert await taken(shared) == ["b2"]

    for key in ("a1", "a2", "a3"):
        shared.add(key)
    asyncio.run(work())


def test_the_oldest_key_counts_whatever_its_group(shared: WorkQueue[str], clock: Clock) -> None:
    for key in ("a1", "a2", "a3"):
        shared.add(key)
    asyncio.run(taken(shared))
    clock.time = 5.0
    shared.add("b1")
    clock.time = 7.0
    assert (shared.depth, shared.oldest_seconds, shared.at_work) == (2, 7.0, 2)


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_a_delay_is_between_half_and_the_whole_of_its_bound(failures: int, chance: float) -> None:
    full = Backoff(0.25, 30.0, lambda: 1.0).delay(failures)
    assert full / 2 <= Backoff(0.25, 30.0, lambda: chance).delay(failures) <= full <= 30.0


def test_what_waits_is_counted_with_its_time(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a")
    clock.time = 3.0
    queue.add("b")
    assert (queue.depth, queue.oldest_seconds, queue.longest_seconds) == (2, 3.0, 0.0)


def test_a_step_that_goes_on_is_counted_with_its_time(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a")
    drained(queue)
    clock.time = 4.0
    assert queue.longest_seconds == 4.0


def in_time(work: Callable[[WorkQueue[str]], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(20):
            await work(WorkQueue(loop.time, Backoff(0.01, 0.1, lambda: 1.0)))

    asyncio.run(main())


def test_whoever_waits_gets_the_next_key() -> None:
    async def work(queue: WorkQueue[str]) -> None:
        waiting = [asyncio.create_task(queue.get()) for _ in range(2)]
        await asyncio.sleep(0)
        queue.add("a")
        queue.add_after("b", 0.01)
        assert set(await asyncio.gather(*waiting)) == {"a", "b"}

    in_time(work)


def test_a_closed_queue_gives_nothing_more_though_keys_wait() -> None:
    async def work(queue: WorkQueue[str]) -> None:
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.close()
        assert await waiting is None
        queue.add("a")
        assert await queue.get() is None

    in_time(work)


def test_many_workers_never_work_on_a_key_at_the_same_time_and_lose_none() -> None:
    async def work(queue: WorkQueue[str]) -> None:
        now: set[str] = set()
        wanted = {f"key {number}": 5 for number in range(20)}
        all_done = asyncio.Event()

        async def worker() -> None:
            while (key := await queue.get()) is not None:
                assert key not in now
                now.add(key)
                await asyncio.sleep(0)
                now.discard(key)
                wanted[key] -= 1
                if wanted[key] > 0:
                    queue.add(key)
                elif not any(wanted.values()):
                    all_done.set()
                queue.done(key)

        workers = [asyncio.create_task(worker()) for _ in range(4)]
        for key in wanted:
            queue.add(key)
        await all_done.wait()
        queue.close()
        await asyncio.gather(*workers)

    in_time(work)


class QueueMachine(RuleBasedStateMachine):
    """The queue against a model: what is wanted, what is worked on."""

    taken = Bundle("taken")
    keys = st.sampled_from("abcd")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.queue: WorkQueue[str] = WorkQueue(self.clock, Backoff(1.0, 8.0, lambda: 1.0))
        self.wanted: set[str] = set()
        self.later: dict[str, float] = {}
        self.working: set[str] = set()

    @rule(key=keys)
    def add(self, key: str) -> None:
        self.queue.add(key)
        self.wanted.add(key)
        self.later.pop(key, None)

    @rule(key=keys, seconds=st.integers(1, 10))
    def add_after(self, key: str, seconds: int) -> None:
        self.queue.add_after(key, float(seconds))
        if key not in self.wanted or key in self.working:
            due = self.clock.time + seconds
            self.later[key] = min(due, self.later.get(key, due))

    @rule(seconds=st.integers(1, 5))
    def wait(self, seconds: int) -> None:
        self.clock.time += seconds
        _ = self.queue.depth
        for key, due in list(self.later.items()):
            if due <= self.clock.time:
                del self.later[key]
                self.wanted.add(key)

    @rule(target=taken)
    def take(self) -> list[str]:
        found = drained(self.queue)
        assert set(found) == self.wanted - self.working
        assert len(found) == len(set(found))
        self.wanted -= set(found)
        self.working |= set(found)
        return found

    @rule(found=consumes(taken))
    def finish(self, found: list[str]) -> None:
        for key in found:
            self.queue.done(key)
            self.working.discard(key)
            if key in self.wanted:
                # It comes at once: that is earlier.
                self.later.pop(key, None)

    @rule(found=consumes(taken))
    def fail(self, found: list[str]) -> None:
        for key in found:
            due = self.clock.time + self.queue.retry(key)
            self.queue.done(key)
            self.working.discard(key)
            self.wanted.discard(key)
            self.later[key] = min(due, self.later.get(key, due))

    @invariant()
    def nothing_worked_on_is_ready(self) -> None:
        assert self.queue.depth == len(self.wanted - self.working)


TestQueueMachine = QueueMachine.TestCase
