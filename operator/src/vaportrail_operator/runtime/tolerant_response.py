"""What the watching library reads of the API server: one object too deep for it must not end every watch."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp

from vaportrail_operator.acting.decoding import decode

__all__ = ["TolerantResponse", "readable"]

_BRACKETS: Final = 400
"""So many in a line can be read however they are nested."""


def readable(line: bytes) -> bytes:
    """Return a line of JSON as it is, or without what is nested too deeply to be read.

    >>> readable(b'{"a": [1]}')
    b'{"a": [1]}'
    """
    if line.count(b"[") + line.count(b"{") < _BRACKETS:
        return line
    try:
        json.loads(line)
    except RecursionError:
        return json.dumps(decode(line.decode())).encode()
    except ValueError:
        pass  # whose fault that is, the reader says
    return line


class TolerantResponse(aiohttp.ClientResponse):
    """A response whose JSON, and whose lines of JSON, can be read whatever their depth."""

    _stream: Any = None

    @property
    def content(self) -> Any:
        """The body as a stream."""
        return self._stream

    @content.setter
    def content(self, stream: Any) -> None:
        self._stream = None if stream is None else _Lines(stream)

    async def json(self, **_: Any) -> Any:
        """Return the body's JSON."""
        return decode(await self.text())


class _Lines:
    """A stream that gives whole lines where it is read in chunks."""

    def __init__(self, stream: aiohttp.StreamReader) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        rest: list[bytes] = []
        async for chunk in self._stream.iter_chunked(size):
            *lines, last = chunk.split(b"\n")
            for line in lines:
                yield readable(b"".join([*rest, line])) + b"\n"
                rest.clear()
            rest.append(last)
        if any(rest):
            yield readable(b"".join(rest))
