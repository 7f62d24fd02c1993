"""HTML from anywhere as HTML that runs nothing, loads nothing and reads as it was meant."""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["sanitise", "shows_something"]

_TAGS: Final = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "div", "span", "br", "hr", "pre", "code", "blockquote"),
    *("a", "b", "strong", "i", "em", "u", "s", "del", "ins", "small", "sub", "sup", "mark", "kbd", "samp"),
    *("var", "abbr", "cite", "q", "dfn", "time", "bdi", "wbr", "tt", "strike", "big", "center", "font"),
    *("ul", "ol", "li", "dl", "dt", "dd", "details", "summary", "figure", "figcaption", "img"),
    *("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td"),
    *("section", "article", "header", "footer", "main", "aside", "nav", "address"),
}
_ATTRIBUTES: Final = {
    "*": {"class", "id", "title", "lang", "dir", "style", "align"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan", "headers", "valign"},
    "th": {"colspan", "rowspan", "headers", "valign", "scope"},
    "col": {"span"},
    "colgroup": {"span"},
    "ol": {"start", "type", "reversed"},
    "li": {"value"},
    "details": {"open"},
    "time": {"datetime"},
    "font": {"color"},
}
# These go with what is in them: it is no text that was meant to be read.
_CUT: Final = {
    *("script", "style", "iframe", "object", "embed", "noscript", "noembed", "noframes", "template"),
    *("svg", "math", "title", "head", "select", "textarea", "audio", "video", "canvas", "xmp", "plaintext"),
}
# None of them can hold an address or lay itself over other cells.
_STYLES: Final = {
    *("color", "background-color", "text-align", "vertical-align", "font-weight", "font-style"),
    *("text-decoration", "white-space", "width"),
}
_NUMBER: Final = re.compile(r"[0-9]{1,5}")
_IMAGE: Final = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*")
_LINK: Final = re.compile(r"(https?://|mailto:|#)[^\x00-\x20]*", re.IGNORECASE)
_NUMBERS: Final = {"width", "height", "colspan", "rowspan", "span", "start", "value"}
_PLAIN_STYLE: Final = re.compile(r"[A-Za-z0-9 #%.,;:()'\-]*")


def sanitise(source: Any) -> str:
    """Return HTML without scripts, handlers, styles of pages, forms, frames and outside addresses.

    Every tag in it is closed, so nothing that follows it is swallowed or torn out of its place.

    Args:
        source: HTML of any kind; bytes are UTF-8.
    """
    import nh3

    text = source.decode("utf-8", "replace") if isinstance(source, bytes) else str(source)
    return nh3.clean(
        text,
        tags=_TAGS,
        clean_content_tags=_CUT,
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto", "data"},
        filter_style_properties=_STYLES,
        link_rel="noopener noreferrer",
        strip_comments=True,
    )


def shows_something(clean: str) -> bool:
    """Return whether sanitised HTML shows a text or an image."""
    return '<img src="' in clean or bool(re.sub(r"<[^>]*>|&nbsp;|\s", "", clean))


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Return what an attribute may say, or None to take it out."""
    if name in _NUMBERS:
        allowed = bool(_NUMBER.fullmatch(value))
    elif name == "src":
        allowed = tag == "img" and bool(_IMAGE.fullmatch(value))
    elif name == "href":
        allowed = bool(_LINK.fullmatch(value))
    elif name == "style":
        allowed = bool(_PLAIN_STYLE.fullmatch(value)) and "url(" not in value.lower()
    else:
        allowed = True
    return value if allowed else None
