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
