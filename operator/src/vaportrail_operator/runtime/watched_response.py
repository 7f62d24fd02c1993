"""What the watching library is given of the API server's replies: whose they are, and nothing else of them.

It works on each object before it hands it on: it copies it, compares it, looks for notes and finalizers of
its own. An annotation, a depth or a size that it fails at would keep that object from ever being heard of.
So what a watch says is taken here, line by line, and of a list, item by item.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, ClassVar, Final

import aiohttp
from yarl import URL

from vaportrail_operator.acting.decoding import decode, decode_list

__all__ = ["PARTIAL", "WatchedResponse", "ask_for_less", "watched_response"]

PARTIAL: Final = "PartialObjectMetadata"
"""The kind of an object of which only the place and the version are said; Kubernetes' own word."""
_ACCEPT: Final = f"application/json;as={PARTIAL}List;g=meta.k8s.io;v=v1,application/json"
_SAID: Final = ("ADDED", "MODIFIED", "DELETED")
_KEPT: Final = ("name", "namespace", "uid", "resourceVersion")

Take = Callable[[URL, Mapping[str, Any]], None]
"""Is given whom the watch asked, and an event."""


def partial(raw: Any) -> dict[str, Any]:
    """Return an object without what its author has put into it.

    >>> partial({"kind": "Pod", "metadata": {"name": "a", "annotations": {}}, "spec": {}})
    {'kind': 'PartialObjectMetadata', 'metadata': {'name': 'a'}}
    """
    found = raw.get("metadata") if isinstance(raw, Mapping) else None
    metadata = found if isinstance(found, Mapping) else {}
    return {"kind": PARTIAL, "metadata": {name: metadata[name] for name in _KEPT if name in metadata}}


def ask_for_less() -> aiohttp.TraceConfig:
    """Return what has lists asked for without spec and status: a page of them may be as large as memory."""

    async def begin(_: object, __: object, request: aiohttp.TraceRequestStartParams) -> None:
        if request.method == "GET" and "limit" in request.url.query:
            request.headers["Accept"] = _ACCEPT

    tracing = aiohttp.TraceConfig()
    tracing.on_request_start.append(begin)
    return tracing


class WatchedResponse(aiohttp.ClientResponse):
    """A response whose JSON, and whose lines of JSON, can be read whatever is in them."""

    takes: ClassVar[tuple[Take, ...]] = ()
    _stream: Any = None

    @property
    def content(self) -> Any:
        """The body as a stream."""
        return self._stream

    @content.setter
    def content(self, stream: Any) -> None:
        self._stream = None if stream is None else _Lines(stream, self._handed_on)

    async def json(self, **_: Any) -> Any:
        """Return the body's JSON, of the items of a list only what `partial` does."""
        text, items = await self.text(), []
        if not text.lstrip().startswith("{"):
            return decode(text)
        found = decode_list(text, lambda item: items.append(partial(item)))
        return {**found, "items": items} if items else found

    def _handed_on(self, line: bytes) -> bytes:
        """Take an event in, and return what is handed on of it; what is no event stays as it is."""
        if not line.strip():
            return line
        try:
            event = decode(line.decode())
        except ValueError:
            return line  # whose fault that is, the reader says
        if not isinstance(event, Mapping) or event.get("type") not in _SAID:
            return json.dumps(event).encode()
        for take in self.takes:
            take(self.url, event)
        return json.dumps({"type": event["type"], "object": partial(event.get("object"))}).encode()


def watched_response(take: Take) -> type[WatchedResponse]:
    """Return the class of the responses whose events are taken so.

    Args:
        take: told of each event before it is handed on; it raises nothing.
    """
    return type("WatchedResponse", (WatchedResponse,), {"takes": (take,)})


class _Lines:
    """A stream that gives whole lines where it is read in chunks."""

    def __init__(self, stream: aiohttp.StreamReader, heard: Callable[[bytes], bytes]) -> None:
        self._stream, self._handed_on = stream, heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        rest: list[bytes] = []
        async for chunk in self._stream.iter_chunked(size):
            *lines, last = chunk.split(b"\n")
            for line in lines:
                yield self._handed_on(b"".join([*rest, line])) + b"\n"
                rest.clear()
            rest.append(last)
        if any(rest):
            yield self._handed_on(b"".join(rest))
