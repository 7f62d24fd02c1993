"""Environment variables for the length of a block."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager

__all__ = ["variables"]


class variables(AbstractContextManager[None]):
    """Set environment variables, and put back what they were before.

    >>> with variables({"MODE": "test"}):
    ...     os.environ["MODE"]
    'test'
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        # To ask for one that is not there takes twice as long.
        self._before = {name: os.environ.get(name) for name in self._values if name in os.environ}
        os.environ.update(self._values)

    def __exit__(self, *_raised: object) -> None:
        for name in self._values:
            value = self._before.get(name)
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
