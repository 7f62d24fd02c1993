"""The watching thread: begun, begun again, ended; and what the probes say of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.runtime.watch_thread import WatchHost
from vaportrail_operator.runtime.workqueue import Backoff


class Scene:
    """A host whose watches do what the test says, and the beginnings it told."""

    def __init__(self, watch: Callable[[frozenset[Kind], asyncio.Event], Awaitable[None]]) -> None:
        self.threads: list[str] = []
        self.kinds = frozenset({Kind.RUN})
        self.begun: asyncio.Queue[None] = asyncio.Queue()

        async def run(kinds: frozenset[Kind], stop: asyncio.Event, connected: Callable[[], None]) -> None:
            self.threads.append(threading.current_thread().name)
            connected()
            await watch(kinds, stop)

        self.host = WatchHost(
            run,
            lambda: self.kinds,
            lambda: self.begun.put_nowait(None),
            asyncio.get_running_loop().time,
            Backoff(0.01, 0.01, lambda: 1.0),
        )


def in_time(work: Callable[[], Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(20):
            await work()

    asyncio.run(main())


async def until_told(kinds: frozenset[Kind], stop: asyncio.Event) -> None:
    await stop.wait()


def test_the_watches_have_a_thread_of_their_own_and_end_when_told() -> None:
    async def work() -> None:
        scene = Scene(until_told)
        running = asyncio.create_task(scene.host.run())
        await scene.begun.get()
        assert scene.host.down_seconds == 0.0
        scene.host.stop()
        await running
        assert scene.threads == ["watches"]

    in_time(work)


def test_watches_that_fail_are_begun_again() -> None:
    async def work() -> None:
        failures = iter([RuntimeError("in-stream error 500"), OSError("gone")])

        async def failing(kinds: frozenset[Kind], stop: asyncio.Event) -> None:
            for failure in failures:
                await asyncio.sleep(0)
                raise failure
            await stop.wait()

        scene = Scene(failing)
        running = asyncio.create_task(scene.host.run())
        while len(scene.threads) < 3:
            await scene.begun.get()
        scene.host.stop()
        await running
        assert len(scene.threads) == 3

    in_time(work)


def test_a_restart_watches_the_kinds_that_there_are_then() -> None:
    async def work() -> None:
        watched: list[frozenset[Kind]] = []

        async def note(kinds: frozenset[Kind], stop: asyncio.Event) -> None:
            watched.append(kinds)
            await stop.wait()

        scene = Scene(note)
        running = asyncio.create_task(scene.host.run())
        await scene.begun.get()
        scene.kinds = frozenset(Kind)
        scene.host.restart()
        await scene.begun.get()
        scene.host.stop()
        await running
        assert watched == [frozenset({Kind.RUN}), frozenset(Kind)]

    in_time(work)


def test_a_host_that_is_stopped_before_its_watches_begin_ends() -> None:
    async def work() -> None:
        scene = Scene(until_told)
        running = asyncio.create_task(scene.host.run())
        await asyncio.sleep(0)
        scene.host.stop()
        await running

    in_time(work)
