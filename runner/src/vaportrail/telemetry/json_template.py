"""JSON texts that differ in a few values: put together once, and filled in from then on."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

__all__ = ["Holes", "JsonTemplate"]


class Holes:
    """Stand-ins for the values that are not known yet: no text has them by chance."""

    def __init__(self) -> None:
        self.marks: dict[str, str] = {}
        """The names of the holes by what stands for them in the text."""
        self.texts: list[str] = []

    def text(self, name: str) -> str:
        """Return what stands for a text."""
        mark = uuid.uuid4().hex
        self.marks[f'"{mark}"'] = name
        self.texts.append(name)
        return mark

    def number(self, name: str) -> int:
        """Return what stands for an integer."""
        mark = uuid.uuid4().int >> 66 | 1 << 61
        self.marks[str(mark)] = name
        return mark


class JsonTemplate:
    """A JSON text with holes.

    Args:
        make: returns the text, by whatever else makes such texts; it asks what it is given for a stand-in
            of each value that is filled in later.
        quote: returns a text as JSON.

    >>> from json import dumps
    >>> tree = lambda holes: {"task": holes.text("task"), "attempt": holes.number("attempt")}
    >>> JsonTemplate(lambda holes: dumps(tree(holes)), quote=dumps).fill(task="train-1", attempt=2)
    '{"task": "train-1", "attempt": 2}'
    """

    def __init__(self, make: Callable[[Holes], str], quote: Callable[[str], str]) -> None:
        holes = Holes()
        text = make(holes).replace("%", "%%")
        for mark, name in holes.marks.items():
            text = text.replace(mark, f"%({name})s")
        self._text, self._texts = text, holes.texts
        self._quote = quote

    def fill(self, **values: Any) -> str:
        """Return the text with these values; each hole has one."""
        for name in self._texts:
            values[name] = self._quote(values[name])
        return self._text % values
