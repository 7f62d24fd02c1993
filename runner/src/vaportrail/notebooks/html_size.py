"""Whether a parser of HTML has little to do with a text, however hostile: known before it is parsed.

A parser's time, and what it makes of a text, grow with the square of what is open at once: each element
looks through those around it, and formatting that was never closed is made again in each paragraph.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["reads_quickly"]

_MOST_TAGS: Final = 20_000
_DEEPEST: Final = 200
_MOST_REPEATED: Final = 4_000_000
"""Characters of formatting that may be made again."""
_RAW: Final = "script|style|title|textarea|iframe|xmp|noembed|noframes"
_TOKEN: Final = re.compile(
    rf"<!--.*?(?:-->|\Z)|<(?P<raw>{_RAW})(?=[\s/>]).*?(?:</(?P=raw)|\Z)|<[!?][^>]*"
    r"|<(?P<close>/?)(?P<name>[a-z][^\s/>]*)(?P<rest>(?:=\s*\"[^\"]*\"|=\s*'[^']*'|[^>\"'])*+)(?P<end>.?)",
    re.IGNORECASE | re.DOTALL,
)
_VOID: Final = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "param",
    "source",
    "track",
    "wbr",
}
_FORMATTING: Final = {
    "a",
    "b",
    "big",
    "code",
    "em",
    "font",
    "i",
    "nobr",
    "s",
    "small",
    "strike",
    "strong",
    "tt",
    "u",
}
_FOREIGN: Final = {"svg", "math"}
_HTML_WITHIN: Final = {"foreignobject", "desc", "annotation-xml", "mi", "mo", "mn", "ms", "mtext"}
# A parser leaves a drawing when one of these begins in it.
_LEAVES: Final = {
    "b",
    "big",
    "blockquote",
    "body",
    "br",
    "center",
    "code",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "hr",
    "i",
    "img",
    "li",
    "listing",
    "menu",
    "meta",
    "nobr",
    "ol",
    "p",
    "pre",
    "ruby",
    "s",
    "small",
    "span",
    "strong",
    "strike",
    "sub",
    "sup",
    "table",
    "tt",
    "u",
    "ul",
    "var",
}
_CELLS: Final = {"td", "th"}
_ROWS: Final = {"tr", *_CELLS}
_GROUPS: Final = {"thead", "tbody", "tfoot", *_ROWS}
# What ends without a tag of its own when one of these begins.
_ENDS: Final = {
    "p": {"p"},
    "li": {"p", "li"},
    "dt": {"p", "dt", "dd"},
    "dd": {"p", "dt", "dd"},
    "td": {"p", *_CELLS},
    "th": {"p", *_CELLS},
    "tr": {"p", *_ROWS},
    **{key: {"p", *_GROUPS} for key in ("thead", "tbody", "tfoot")},
}
_ENDED_BY_PARENT: Final = {"p", "li", "dt", "dd", "col", "colgroup", "caption", *_GROUPS}


def reads_quickly(text: str) -> bool:
    """Return whether a text has few enough tags, which stand in each other in an orderly way.

    What it counts as open is never less than what a parser has open: a closing tag closes what was
    opened last, or nothing.

    >>> reads_quickly("<p>one <b>word</b>"), reads_quickly("<div>" * 1000)
    (True, False)
    """
    if len(re.findall(r"<[a-z/]", text, re.IGNORECASE)) > 2 * _MOST_TAGS or "<![CDATA[" in text:
        return False
    stack: list[tuple[str, int]] = []
    weight = repeated = 0
    for token in _TOKEN.finditer(text):
        drawing = any(name in _FOREIGN for name, _ in stack)
        if drawing and token["raw"] and "<" in token.group()[1:].removesuffix(f"</{token['raw']}"):
            return False  # there it holds tags
        if token["raw"] and "<!--" in token.group() and token.group().lower().count("<script") > 1:
            return False
        if token["name"] is None:
            continue
        if token["end"] != ">":  # a quote where none belongs: nobody knows where this tag ends
            return False
        name = token["name"].lower()
        if drawing and name in _LEAVES:
            return False
        ends = _ENDED_BY_PARENT if token["close"] else _ENDS.get(name, set())
        if token["close"]:
            depth = len(stack)
            while depth and stack[depth - 1][0] in ends - {name}:
                depth -= 1
            if depth and stack[depth - 1][0] == name:
                weight -= sum(size for _, size in stack[depth - 1 :])
                del stack[depth - 1 :]
        else:
            while stack and stack[-1][0] in ends:
                stack.pop()
            alone = drawing and token["rest"].endswith("/") and stack[-1][0] not in _HTML_WITHIN
            if name not in _VOID and not alone:
                size = len(token.group()) if name in _FORMATTING else 0
                stack.append((name, size))
                weight += size
        repeated += weight
        if len(stack) > _DEEPEST or repeated > _MOST_REPEATED:
            return False
    return True
