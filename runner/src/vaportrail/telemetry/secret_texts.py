"""What of an environment is secret, as texts: values, their lines and parts, and the forms they take.

A program rarely prints a secret as it stands in its variable: it prints a line of a key, one field of
a JSON document, the password of a URL, or a `repr`.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

from vaportrail.storage.store_settings import store_keys
from vaportrail.telemetry.secret_names import NAMING_VARIABLES, secret_names
from vaportrail.telemetry.values import clean

__all__ = ["escaped", "forms", "process_secrets", "secret_texts"]

_SHORTEST: Final = 8
"""Shorter texts would be found in too much that is no secret."""
_EXACT_DIGITS: Final = 16
"""A float has fewer digits, all of which its `repr` shows."""
_MOST_DIGITS: Final = 300
_NESTED: Final = 3
"""How often a secret may be escaped: a text in a `repr` of a dict that a log line quotes."""
_AT_SIGNS: Final = 8
"""A password may hold some itself: so many of a URL are each taken for its end, and the last one."""
_LONGEST_USERINFO: Final = 4096
_TOKEN_AS_USER: Final = 20
"""A user without a password is a token from this length on, if it has digits: names are shorter."""
_PAIR: Final = re.compile(r"""([A-Za-z_][\w .-]{0,63}?)\s{0,8}=\s{0,8}("[^"]*"|'[^']*'|[^;&\s]+)""")
_PEM_FRAME: Final = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")
_NEWLINES: Final = re.compile(r"\r\n|\n|\r|\\r\\n|\\n")


def secret_texts(
    environ: Mapping[str, str], exists: Callable[[str], bool] = os.path.exists
) -> dict[str, str]:
    """Return the secrets among environment variables, and what stands for each: ``[redacted:NAME]``.

    Args:
        environ: the variables.
        exists: says whether there is such a file: the path of a key's file is no secret.
    """
    counts = secret_names(environ)
    found: dict[str, str] = {}
    for name, value in sorted(environ.items()):
        if counts(name) and not (os.sep in value and exists(value)):
            parts = _parts(value, counts, exists)
        else:
            parts = _named_within(value, counts, exists)
        for part in parts:
            if len(part.strip()) >= _SHORTEST and not _PEM_FRAME.fullmatch(part):
                found.setdefault(part, f"[redacted:{name}]")
    return found


def process_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets among a process's variables, and those of the store's keys that are mounted."""
    naming = {name: environ[name] for name in NAMING_VARIABLES if name in environ}
    # A variable and a key may have one name, and be two secrets.
    return secret_texts({**naming, **store_keys()}) | secret_texts(environ)


def _parts(value: str, counts: Callable[[str], bool], exists: Callable[[str], bool]) -> Iterator[str]:
    yield value
    yield value.strip()
    lines = _NEWLINES.split(value)
    if len(lines) > 1:
        yield from (line.strip() for line in lines)
    yield from _named_within(value, counts, exists)
    for text in _fields(value, counts):
        yield from _parts(text, counts, exists)


def _named_within(value: str, counts: Callable[[str], bool], exists: Callable[[str], bool]) -> Iterator[str]:
    """Yield what a text itself calls a secret: passwords of URLs, and fields of a query or a list."""
    yield from _passwords(value)
    for name, quoted in _PAIR.findall(value):
        text = quoted.strip("\"'")
        if counts(name.replace(" ", "_")) and not (os.sep in text and exists(text)):
            yield text
            yield unquote(text)


def _passwords(value: str) -> Iterator[str]:
    for rest in value.split("://")[1:]:
        address = re.split(r"\s", rest[:_LONGEST_USERINFO], maxsplit=1)[0]
        # Written by hand, a password holds `@`, `/`, `?` and `#` as they are.
        ends = [found.start() for found in re.finditer("@", address)]
        for end in {*ends[:_AT_SIGNS], *ends[-1:]}:
            user, colon, password = address[:end].partition(":")
            if re.search("[/?#]", user):
                continue
            if not colon and len(user) >= _TOKEN_AS_USER and any(char.isdigit() for char in user):
                password = user
            yield password
            yield unquote(password)


def _fields(value: str, counts: Callable[[str], bool]) -> list[str]:
    """Return the texts that a JSON document names as secrets."""
    if not value.lstrip().startswith(("{", "[")):
        return []
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return []
    texts: list[str] = []
    left: list[tuple[bool, Any]] = [(False, document)]
    while left:
        named, item = left.pop()
        if isinstance(item, dict):
            left += [(named or counts(key), inner) for key, inner in item.items()]
        elif isinstance(item, list):
            left += [(named, inner) for inner in item]
        elif named and isinstance(item, str):
            texts.append(item)
        elif named and isinstance(item, int | float) and not isinstance(item, bool):
            texts.append(str(item))
    return texts


def escaped(text: str) -> set[str]:
    """Return a text as it stands within JSON, in ASCII and not."""
    return {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}


def forms(secret: str) -> set[str]:
    """Return the forms in which a program may print a secret: raw, escaped, quoted, in one another.

    >>> {'a"b<c>de', 'a%22b%3Cc%3Ede', 'a"b&lt;c&gt;de'} <= forms('a"b<c>de')
    True
    """
    readable = clean(secret)
    raw = os.fsencode(secret).decode("utf-8", "backslashreplace") if _is_from_bytes(secret) else readable
    levels = newest = {readable}
    for _ in range(_NESTED):
        newest = {quoted for text in newest for quoted in _quoted(text)} - levels
        levels = levels | newest
    return {
        *levels,
        *(page for text in levels for page in _pages(text)),
        raw,
        repr(readable.encode("utf-8", "replace"))[2:-1],
        quote(readable, safe=""),
        quote(readable),
        quote_plus(readable),
        quote(readable, safe="\"'<>"),
        *_floats(readable),
    } - {""}


def _floats(text: str) -> Iterator[str]:
    """Yield a long number as it stands where it was read as a float, whose last digits differ."""
    if re.fullmatch(f"[0-9]{{{_EXACT_DIGITS},{_MOST_DIGITS}}}", text) and len(repr(float(text))) > _SHORTEST:
        yield repr(float(text))


def _quoted(text: str) -> set[str]:
    """Return a text as it stands within a `repr`, alone and with both quotes around it, and within JSON."""
    return {repr(text)[1:-1], repr(f"{text}'\"")[1:-4], *escaped(text)}


def _pages(text: str) -> Iterator[str]:
    """Yield a text as it stands within HTML."""
    page = html.escape(text)
    yield page
    yield html.escape(text, quote=False)
    yield page.replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def _is_from_bytes(text: str) -> bool:
    """Return whether a variable's value holds bytes that are no UTF-8, as Python has them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return all(not "\ud800" <= char <= "\udfff" or "\udc80" <= char <= "\udcff" for char in text)
    return False
