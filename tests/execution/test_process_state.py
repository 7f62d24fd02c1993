"""What a process has only one of is put back, whatever changed it and whatever goes on meanwhile."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from vaportrail.execution import put_back as put_back_module
from vaportrail.execution.process_state import Part
from vaportrail.execution.put_back import KnownState, put_back


def temporary_folder() -> None:
    tempfile.tempdir = "/left"


def time_zone() -> None:
    os.environ["TZ"] = "Pacific/Kiritimati"
    time.tzset()


def default_timeout() -> None:
    socket.setdefaulttimeout(0.5)


def collector() -> None:
    gc.disable()
    gc.set_threshold(1, 2, 3)
    gc.set_debug(gc.DEBUG_UNCOLLECTABLE)


def profile_function() -> None:
    sys.setprofile(lambda *_: None)


def functions_of_threads() -> None:
    threading.settrace(lambda *_: None)
    threading.setprofile(lambda *_: None)
    threading.stack_size(1 << 20)


LOOP = asyncio.new_event_loop()
LOOP.close()


def event_loop() -> None:
    asyncio.set_event_loop(None)  # as `asyncio.run` leaves the thread


def event_loop_policy() -> None:
    asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())


def interpreter() -> None:
    sys.setswitchinterval(1.0)
    sys.set_int_max_str_digits(0)
    sys.set_asyncgen_hooks(lambda _: None, lambda _: None)


def signal_mask() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})


def affinity() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def loop_state() -> Any:
    policy = asyncio.get_event_loop_policy()
    return policy, vars(policy._local)  # type: ignore[attr-defined]


CHANGES: dict[Callable[[], None], Callable[[], Any]] = {
    temporary_folder: lambda: tempfile.tempdir,
    time_zone: lambda: (time.tzname, os.environ.get("TZ")),
    default_timeout: socket.getdefaulttimeout,
    collector: lambda: (gc.isenabled(), gc.get_threshold(), gc.get_debug()),
    profile_function: sys.getprofile,
    functions_of_threads: lambda: (threading.gettrace(), threading.getprofile(), threading.stack_size()),
    event_loop: loop_state,
    event_loop_policy: loop_state,
    interpreter: lambda: (sys.getswitchinterval(), sys.get_int_max_str_digits(), sys.get_asyncgen_hooks()),
    signal_mask: lambda: signal.pthread_sigmask(signal.SIG_BLOCK, []),
    affinity: lambda: os.sched_getaffinity(0),
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_part_is_as_before(change: Callable[[], None]) -> None:
    look = CHANGES[change]
    with put_back():  # whatever this test finds out
        asyncio.set_event_loop(LOOP)
        before = repr(look())
        with put_back():
            change()
            changed = repr(look())

        assert changed != before or change is affinity
        assert repr(look()) == before


def test_random_numbers_are_not_drawn_again() -> None:
    import random

    drawn = []
    for _ in range(2):
        with put_back():
            drawn.append(random.random())
    assert drawn[0] != drawn[1]


# Other threads go on meanwhile.


def test_a_variable_that_goes_while_it_is_looked_at_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VANISHES", "soon")
    decode = os.environ.decodekey  # type: ignore[attr-defined]

    def vanish(raw: bytes) -> str:
        if raw == b"VANISHES":
            os.environ._data.pop(raw, None)  # type: ignore[attr-defined]
        name: str = decode(raw)
        return name

    monkeypatch.setattr(os.environ, "decodekey", vanish)
    ran = False
    with put_back():
        os.environ["VANISHES"] = "again"
        os.environ["LEFT"] = "behind"
        ran = True
    assert ran
    assert "LEFT" not in os.environ


class MakesALogger:
    """Stands in the table of loggers; where its level is first asked for, another thread adds one."""

    propagate, disabled, handlers, filters = True, False, (), ()
    made = False

    @property
    def level(self) -> int:
        if not MakesALogger.made:
            MakesALogger.made = True
            logging.getLogger("made.meanwhile")
        return 0


def test_a_logger_that_is_made_meanwhile_disturbs_nobody() -> None:
    level = logging.root.level
    with pytest.MonkeyPatch.context() as patch:
        table = {**logging.root.manager.loggerDict, "odd": MakesALogger()}
        patch.setattr(logging.root.manager, "loggerDict", table)
        with put_back():
            logging.root.setLevel(level + 1)
    assert logging.root.level == level
    assert MakesALogger.made


def test_a_part_that_cannot_be_taken_leaves_the_block_and_the_others_alone() -> None:
    restored: list[str] = []

    def broken() -> None:
        raise RuntimeError("dictionary changed size during iteration")

    parts = [Part("broken", broken, lambda _: None), Part("whole", lambda: "before", restored.append)]
    with put_back(parts):
        pass
    assert restored == ["before"]


class Interrupted(BaseException):
    """What a time limit or a cancellation raises."""


@pytest.mark.parametrize("compared", [True, False])
def test_an_interruption_of_it_wherever_it_comes_keeps_nothing_from_being_put_back(compared: bool) -> None:
    names = ("one", "two", "three")
    at, reached, outside = 0, True, sys.getprofile()
    while reached:
        at, reached, left, within = at + 1, False, at + 1, False
        state = dict.fromkeys(names, "before")
        parts = [
            Part(name, partial(state.get, name), partial(state.__setitem__, name), compared) for name in names
        ]

        def interrupt(frame: FrameType, event: str, _arg: object) -> None:
            nonlocal left, within, reached
            if frame.f_code is EXIT:  # neither before it has begun nor when it is done
                within = event == "call"
                return
            if not within:
                return
            left -= 1
            if left == 0:
                reached = True
                sys.setprofile(None)
                raise Interrupted

        try:
            with put_back(parts):
                state.update(dict.fromkeys(names, "changed"))
                sys.setprofile(interrupt)
        except Interrupted:
            pass
        finally:
            sys.setprofile(outside)
        assert set(state.values()) == {"before"}, at
    assert at > 10


EXIT = put_back_module._PutBack.__exit__.__code__


# What is known from the block before.


def test_what_was_seen_at_the_end_of_a_block_is_what_the_next_begins_with() -> None:
    known, limit = KnownState(), sys.getrecursionlimit()
    with put_back():
        for _ in range(2):
            with put_back(known=known):
                pass
        sys.setrecursionlimit(limit + 1)  # nobody says so
        with put_back(known=known):
            pass
        assert sys.getrecursionlimit() == limit


def test_what_a_block_changed_is_put_back_whatever_is_known() -> None:
    known, limit = KnownState(), sys.getrecursionlimit()
    for more in (0, 1, 0, 1, 1):
        with put_back(known=known):
            sys.setrecursionlimit(limit + more)
        assert sys.getrecursionlimit() == limit


def known_state() -> KnownState:
    known = KnownState()
    with put_back(known=known):
        pass
    return known


def environment() -> None:
    os.environ["RAY_SET_IT"] = "between two attempts"


def streams() -> None:
    sys.stdout = sys.__stderr__  # type: ignore[assignment]


def handler() -> None:
    signal.signal(signal.SIGALRM, lambda *_: None)


def timer() -> None:
    signal.setitimer(signal.ITIMER_PROF, 3600)


PASSING: dict[Callable[[], None], Callable[[], Any]] = {
    environment: lambda: os.environ.get("RAY_SET_IT"),
    streams: lambda: sys.stdout,
    handler: lambda: signal.getsignal(signal.SIGALRM),
    timer: lambda: signal.getitimer(signal.ITIMER_PROF)[0] > 0,
}


@pytest.mark.parametrize("change", PASSING, ids=lambda change: change.__name__)
def test_what_ray_and_we_change_between_two_blocks_stays(change: Callable[[], None]) -> None:
    look = PASSING[change]
    with put_back():
        known = known_state()
        before = look()
        change()
        changed = look()
        with put_back(known=known):
            pass
        assert look() == changed != before
    assert look() == before


def test_what_a_module_sets_as_it_is_imported_between_two_blocks_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sets_a_limit.py").write_text("import sys; sys.setrecursionlimit(12345)")
    monkeypatch.syspath_prepend(tmp_path)
    with put_back():
        known = known_state()
        importlib.import_module("sets_a_limit")
        with put_back(known=known):
            pass
        assert sys.getrecursionlimit() == 12345
    del sys.modules["sets_a_limit"]


def test_what_a_thread_changes_that_was_left_stays_once_it_is_forgotten() -> None:
    limit = sys.getrecursionlimit()
    with put_back():
        known = known_state()
        known.forget()
        sys.setrecursionlimit(limit + 1)
        with put_back(known=known):
            pass
        assert sys.getrecursionlimit() == limit + 1
