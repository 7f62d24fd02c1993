"""A process's secrets as digests, beside its spool: for those who read what it printed after its death.

The sealer and the shipper have not the environment of the process whose output they finish. What they
need is a file that names no secret: of each its length, of its first characters whether they are
letters or digits, and a keyed digest. It is as private as the spool, and goes with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import string
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from vaportrail.telemetry.redact import Redactor

__all__ = [
    "DIGESTS",
    "DIGESTS_LIMIT",
    "WITHHELD",
    "SecretDigests",
    "Withheld",
    "read_digests",
    "write_digests",
]

DIGESTS: Final = "digests"
"""The ending of such a file; its stem is the writer's, as for all files of a spool."""
DIGESTS_LIMIT: Final = 16 << 20
"""Bytes: an environment has at most a few megabytes."""
_FORMAT: Final = 1
_SHAPED: Final = 8
"""Of so many first characters the class tells where a search is worth a digest."""
_CLASSES: Final = {"l": string.ascii_lowercase, "u": string.ascii_uppercase, "d": string.digits}
_CLASS_OF: Final = bytes(
    next((ord(name) for name, chars in _CLASSES.items() if chr(code) in chars), ord("o"))
    for code in range(256)
)
"""The class of each character of ASCII; all others are of `o`, too."""
_RUN: Final = re.compile(r"(.)\1*", re.DOTALL)
"""One character, again and again."""
_SIZE: Final = 16
LENGTH_LIMIT: Final = 2**19
"""Characters of a secret: a variable has at most 128 KiB, and thrice that in a URL."""
KINDS_LIMIT: Final = 4096
"""Shapes and lengths that differ: each is looked for in each line."""
WORK_LIMIT: Final = 2**26
"""Characters of a line that are digested or compared; ours take no thousandth of it."""
WITHHELD: Final = "<withheld: it may hold secrets>"


class Withheld:
    """Replaces all that a process wrote whose secrets are not known any more."""

    longest: Final = 0

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the whole of a text."""
        if text:
            yield 0, len(text)

    def suspects(self, text: str) -> bool:
        """Return whether there is a text at all."""
        return bool(text)

    def __call__(self, text: str) -> str:
        """Return what stands for any text."""
        return WITHHELD if text else text


class SecretDigests:
    """Finds and replaces secrets of which only digests are known.

    Args:
        key: of the digests.
        names: what stands for each secret, by shape, length and digest.
    """

    def __init__(self, key: bytes, names: Mapping[tuple[str, int, str], str]) -> None:
        self._key = key
        self._names: defaultdict[tuple[str, int], dict[str, str]] = defaultdict(dict)
        # Longest first: where two fill a run, the longer one names it.
        for (shape, length, digest), name in sorted(names.items(), key=lambda each: -each[0][1]):
            self._names[shape, length][digest] = name
        # A character has at most four bytes.
        self.longest = 4 * max((length for _, length in self._names), default=0)

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where secrets begin and end, from left to right."""
        for begin, end, _ in self._found(text):
            yield begin, end

    def suspects(self, text: str) -> bool:
        """Return whether a text holds a secret."""
        return bool(self._found(text))

    def __call__(self, text: str) -> str:
        """Return text without secrets."""
        done, parts = 0, []
        for begin, end, name in self._found(text):
            parts += [text[done:begin], name]
            done = end
        return "".join([*parts, text[done:]])

    def _found(self, text: str) -> list[tuple[int, int, str]]:
        found: list[tuple[int, int, str]] = []
        work, shapes = 0, _shapes(text)
        for (shape, length), known in self._names.items():
            at, last = 0, max(0, len(text) - length + len(shape))
            while (begin := shapes.find(shape.encode(), at, last)) != -1:
                end = begin + length
                work += length
                if work > WORK_LIMIT:  # nobody's secrets are like that
                    return [(0, len(text), WITHHELD)]
                looked_at = text[begin:end]
                if looked_at[0] == looked_at[-1] and (run := _RUN.match(text, begin)):
                    end = max(end, run.end())  # a ruler or a filler: the same wherever one looks
                at = end - length + 1  # one after begin, so that those that overlap are found
                name = known.get(_digest(self._key, looked_at))
                if name is not None:
                    found.append((begin, end, name))
        # Longest first: a secret may contain another.
        found.sort(key=lambda each: (each[0], -each[1]))
        apart: list[tuple[int, int, str]] = []
        for each in found:
            if not apart or each[0] >= apart[-1][1]:
                apart.append(each)
            else:  # of two that overlap no end may stay
                begin, end, name = apart[-1]
                apart[-1] = (begin, max(end, each[1]), name)
        return apart


def write_digests(path: Path, redact: Redactor) -> None:
    """Write the digests of all that `redact` replaces, in the place of those that are there."""
    key = os.urandom(_SIZE)
    listed = [[*_kind(form), _digest(key, form), name] for form, name in sorted(redact.replacements.items())]
    content = json.dumps({"format": _FORMAT, "key": key.hex(), "secrets": listed})
    partial = path.with_suffix(f".{DIGESTS}.part")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(content)
    partial.replace(path)


def read_digests(raw: bytes) -> SecretDigests | None:
    """Return what a file of digests knows, or None where it is damaged, of another version or not ours."""
    if len(raw) > DIGESTS_LIMIT:
        return None
    try:
        said: dict[str, Any] = json.loads(raw)
        if said["format"] != _FORMAT:
            return None
        names = {(s, n, d): name for s, n, d, name in said["secrets"]}
        key = bytes.fromhex(said["key"])
        if (
            len(key) != _SIZE
            or len({(shape, length) for shape, length, _ in names}) > KINDS_LIMIT
            or not all(_sound(*each, name) for each, name in names.items())
        ):
            return None
        return SecretDigests(key, names)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _sound(shape: Any, length: Any, digest: Any, name: Any) -> bool:
    return (
        type(length) is int
        and 0 < length <= LENGTH_LIMIT
        and type(shape) is str
        and len(shape) == min(length, _SHAPED)
        and re.fullmatch("[ludo]+", shape) is not None
        and type(digest) is str
        and type(name) is str
    )


def _kind(text: str) -> tuple[str, int]:
    return _shapes(text[:_SHAPED]).decode(), len(text)


def _shapes(text: str) -> bytes:
    """Return the class of each character."""
    return text.encode("ascii", "replace").translate(_CLASS_OF)


def _digest(key: bytes, text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=_SIZE).hexdigest()
