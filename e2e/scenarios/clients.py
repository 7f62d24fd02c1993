"""Clients of a collector that lose nothing: what is not acknowledged they post again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any

from e2e.scenarios.collector import make_span, post

__all__ = ["Clients"]


class Clients:
    """Threads that post one span after another, each until it is acknowledged.

    As a context: they begin when it is entered. When it is left they end, each after its last span is
    acknowledged; after an error, whether it is or not.
    """

    def __init__(self, address: str, *, count: int = 8) -> None:
        self.address = address
        self.count = count
        self.sent: list[dict[str, Any]] = []
        self.acknowledged: list[dict[str, Any]] = []
        self.failures = 0
        self._ends = self._gives_up = False
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]

    def __enter__(self) -> Clients:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._gives_up = kind is not None
        self._ends = True
        for each in self._threads:
            each.join(timeout=60)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition of what is acknowledged, or has failed, holds."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout=100), (len(self.acknowledged), self.failures)

    def _run(self) -> None:
        while not self._ends:
            span = make_span("of a client")
            self.sent.append(span)
            while not self._told(span, post(self.address, span)) and not self._gives_up:
                pass

    def _told(self, span: dict[str, Any], status: HTTPStatus) -> bool:
        with self._changed:
            if status == HTTPStatus.OK:
                self.acknowledged.append(span)
            else:
                self.failures += 1
            self._changed.notify_all()
        return status == HTTPStatus.OK
