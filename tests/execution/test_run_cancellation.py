"""A run that is ended from outside hears it, wherever it is."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from vaportrail.execution.run_cancellation import Cancellation, RunCancelled

DEADLINE = 30.0


def test_a_cancellation_within_the_block_ends_it() -> None:
    cancellation = Cancellation()

    with pytest.raises(RunCancelled), cancellation.armed():
        cancellation.request()


def test_a_cancellation_before_the_block_ends_it() -> None:
    cancellation = Cancellation()
    cancellation.request()

    with pytest.raises(RunCancelled), cancellation.armed():
        pass


def test_a_cancellation_while_an_object_is_destroyed_ends_the_block_all_the_same() -> None:
    cancellation, hook = Cancellation(), sys.unraisablehook

    class Dying:
        def __del__(self) -> None:
            cancellation.request()

    def body() -> None:
        Dying()
        threading.Event().wait(DEADLINE)

    with pytest.raises(RunCancelled), cancellation.armed():
        body()
    assert sys.unraisablehook is hook


def test_a_block_of_another_thread_hears_what_came_before_it() -> None:
    cancellation, heard = Cancellation(), []
    cancellation.request()

    def body() -> None:
        try:
            with cancellation.armed():
                pass
        except RunCancelled as error:
            heard.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join(DEADLINE)
    assert len(heard) == 1


def test_the_signals_handler_is_as_before_the_block_also_where_one_is_on_its_way() -> None:
    cancellation = Cancellation()

    class Dying:
        def __del__(self) -> None:
            cancellation.request()

    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(number))
    try:
        mine = signal.getsignal(signal.SIGUSR1)
        with cancellation.armed():
            Dying()
        after = signal.getsignal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert after is mine
    assert heard == []
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_a_signal_that_waits_as_the_block_ends_is_no_longer_heard() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(number))
    try:
        cancellation = Cancellation()
        with cancellation.armed():
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
            cancellation._wake()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert heard == []


@pytest.fixture
def users_handler() -> Iterator[list[int]]:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(number))
    yield heard
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_that_is_none_of_the_runs_reaches_the_handler_from_before(users_handler: list[int]) -> None:
    with Cancellation().armed():
        os.kill(os.getpid(), signal.SIGUSR1)
        assert users_handler == [signal.SIGUSR1]


def test_a_signal_of_somebody_else_that_waits_as_the_block_ends_is_heard_after_it(
    users_handler: list[int],
) -> None:
    with Cancellation().armed():
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        signal.raise_signal(signal.SIGUSR1)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert users_handler == [signal.SIGUSR1]


def test_a_handler_that_the_body_sets_is_kept_and_called_as_it_cleans_up(users_handler: list[int]) -> None:
    cancellation, heard = Cancellation(), []

    def body() -> None:
        signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(number))
        try:
            cancellation.request()
        finally:
            os.kill(os.getpid(), signal.SIGUSR1)

    with pytest.raises(RunCancelled), cancellation.armed():
        cancellation.call(body)
    assert (heard, users_handler) == ([signal.SIGUSR1], [])


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_signal_of_somebody_else_ends_nothing_where_nobody_heard_it_before(handler: Any) -> None:
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with Cancellation().armed():
            os.kill(os.getpid(), signal.SIGUSR1)
        assert signal.getsignal(signal.SIGUSR1) is handler
    finally:
        signal.signal(signal.SIGUSR1, before)
