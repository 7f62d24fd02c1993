"""Text of a record as text, whatever is in it: on a terminal, in a file, as a file's name.

A record may come from anybody, and a terminal and a viewer of texts obey what they are given: control
characters and those that turn the direction of text.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["UNSAFE", "plain", "text_lines"]

UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""C0, DEL, C1, marks, breaks and overrides of direction, lone surrogates."""
_NAMES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MORE: Final = "    "
"""Before each further line of a text: it is not taken for a line of ours."""


def plain(text: str) -> str:
    r"""Return text in which nothing acts on a terminal: what would is shown as an escape.

    >>> print(plain("a\x1b[31mb\n"))
    a\x1b[31mb\n
    """
    return UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    number = ord(character)
    return _NAMES.get(character) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")


def text_lines(text: str) -> list[str]:
    r"""Return the lines of a text that may have some, tabs as spaces; all but the first are indented.

    >>> text_lines("one\ntwo")
    ['one', '    two']
    """
    first, *more = text.rstrip("\n").expandtabs().split("\n")
    return [first, *(f"{_MORE}{line}" for line in more)]
