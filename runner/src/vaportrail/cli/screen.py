"""What commands print: text of a record shown as text, whatever is in it, with colours of our own.

A record may come from anybody, and a terminal obeys what it is sent. So every line of every command
goes through here, on a terminal and piped alike: control characters and those that turn the direction
of text are shown as escapes, and no text makes a line of its own.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import click

from vaportrail.export.plain_text import UNSAFE, plain, text_lines

if TYPE_CHECKING:
    from vaportrail.contract.outcome import Outcome
    from vaportrail.telemetry.redact import Redactor

__all__ = [
    "json_text",
    "plain",
    "say",
    "say_json",
    "say_json_pieces",
    "say_text",
    "show_usage",
    "style",
    "style_outcome",
    "text_lines",
]

_COLOURS: Final = {"succeeded": "green", "failed": "red", "skipped": "yellow", "running": "cyan"}
_NONCE: Final = secrets.token_hex(8)
"""Nobody who wrote a record knows it, so that no record can colour anything."""
_STYLED: Final = re.compile(rf"\ufdd0{_NONCE}<([^<>]*)>")


def style(text: str, *, fg: str = "", bold: bool = False, dim: bool = False) -> str:
    """Return text in a colour; it takes effect where it is said, and goes where output is no terminal."""
    how = f"{fg},{'b' if bold else ''},{'d' if dim else ''}"
    return f"\ufdd0{_NONCE}<{how}>{text}\ufdd0{_NONCE}<>"


def style_outcome(outcome: Outcome, text: str) -> str:
    """Return text in the colour of an outcome."""
    return style(text, fg=_COLOURS[outcome.traits.shown_as], bold=not outcome.ok)


def say(line: str = "", *, err: bool = False) -> None:
    """Print one line; what is said beside a command's answer repeats what it was told: without secrets."""
    click.echo(_shown(_without_secrets(line) if err else line), err=err)


def say_text(text: str, *, err: bool = False) -> None:
    """Print a text that may have several lines."""
    for line in text_lines(_without_secrets(text) if err else text):
        say(line, err=err)


def _without_secrets(text: str) -> str:
    redact = _redactor(tuple(os.environ.items()))
    return text if redact is None else redact(text)


@lru_cache(maxsize=1)
def _redactor(variables: tuple[tuple[str, str], ...]) -> Redactor | None:
    # Help and answers do without, and come sooner.
    from vaportrail.telemetry.redact import redactor

    return redactor(dict(variables))


def say_json(value: Any) -> None:
    """Print a value as JSON on one line; a text is JSON already, and may have more lines."""
    click.echo(json_text(value if isinstance(value, str) else json.dumps(value)))


def say_json_pieces(pieces: Iterable[str]) -> None:
    """Print JSON that may be too long for one text, piece by piece."""
    for piece in pieces:
        click.echo(json_text(piece), nl=False)
    click.echo()


def json_text(text: str) -> str:
    """Return JSON text in which what acts on a terminal is written as JSON's own escapes."""
    return UNSAFE.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    character = found.group()
    # Within JSON a line's end or a tab stands between values only.
    return character if character in "\n\t" else f"\\u{ord(character):04x}"


def _shown(line: str) -> str:
    parts = _STYLED.split(line)
    shown = [plain(parts[0])]
    for how, text in zip(parts[1::2], parts[2::2], strict=True):
        shown += [_codes(how), plain(text)]
    return "".join(shown)


def _codes(how: str) -> str:
    if not how:
        return click.style("", reset=True)
    fg, bold, dim = how.split(",")
    return click.style("", fg=fg or None, bold=bool(bold) or None, dim=bool(dim) or None, reset=False)


def show_usage(error: click.ClickException) -> None:
    """Print what is wrong with a command line: it repeats what it was given."""
    text = io.StringIO()
    error.show(text)
    for line in _without_secrets(text.getvalue()).rstrip("\n").split("\n"):
        say(line, err=True)
