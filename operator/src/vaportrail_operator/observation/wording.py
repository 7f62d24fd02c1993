"""What others say is wrong, in few words: the innermost cause first, on one line, nothing twice."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["bounded", "cause_first", "one_line", "plain_refusal"]

_LIMIT: Final = 1024

_CHAIN: Final = re.compile(r"\b(rpc error: code = |failed to \S+|error \w+ing )")
"""What an error begins with that wraps another."""
_BREAK: Final = re.compile(r': (?=(?:[^"]*"[^"]*")*[^"]*$)')
"""Between an error and what it wraps, but not within quotes."""
_SHORT: Final = 24
_PREFIX: Final = re.compile(r'(?:\S+ )?"[^"]*" is (?:forbidden: |(?=invalid: ))')


def bounded(text: object, limit: int = _LIMIT) -> str:
    """Return what somebody said, of a long text its begin and its end: these are what tells.

    Whoever may make a pod says as much as an API server takes: in an image's name, in a refusal. What is
    looked through and kept is no more than this.

    >>> bounded("a" * 9 + "z" * 9, 7)
    'aaa…zzz'
    """
    said = str(text or "")
    half = (limit - 1) // 2
    return said if len(said) <= limit else f"{said[:half]}…{said[-half:]}"


def one_line(text: str) -> str:
    """Return a text on one line.

    >>> one_line("a\\n  b")
    'a b'
    """
    return " ".join(bounded(text).split())


def cause_first(text: str) -> str:
    """Return an error that wraps others with what it comes from in front: the end is what is cut off.

    >>> cause_first("rpc error: code = NotFound desc = failed to pull image: acme/no:1: not found")
    'acme/no:1: not found: rpc error: code = NotFound desc = failed to pull image'
    """
    text = one_line(text)
    if not _CHAIN.search(text):
        return text
    parts = list(dict.fromkeys(_BREAK.split(text)))
    if len(parts) < 2:
        return text
    kept = 2 if len(parts) > 2 and len(parts[-1]) < _SHORT else 1
    return ": ".join([*parts[-kept:], *parts[:-kept]])


def plain_refusal(text: str, *said: str) -> str:
    """Return the API server's words without the object that they are about, nor what is said already.

    >>> plain_refusal('FailedCreateHeadPod\\npods "a" is forbidden: exceeded quota: b', "FailedCreateHeadPod")
    'exceeded quota: b'
    """
    lines = [line.strip() for line in bounded(text).splitlines()]
    return _PREFIX.sub("", one_line(" ".join(line for line in lines if line and line not in said)), count=1)
