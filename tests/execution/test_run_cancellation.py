"""A run that is ended from outside hears it, wherever it is."""

from __future__ import annotations

import sys
import threading

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
