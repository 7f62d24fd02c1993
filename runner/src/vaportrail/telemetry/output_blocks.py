"""What a process printed, in blocks: many whole lines are one record, and cost what one line would.

How output is cut does not depend on the pieces that it is read in, unless what is there is wanted at
once: whoever reads the same bytes from the same place on makes the same blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from vaportrail.telemetry.redact import Finder, cut_outside
from vaportrail.telemetry.secret_digests import WITHHELD

__all__ = ["BLOCK_BYTES", "Block", "is_passed_over", "last_state", "lines_without_secrets", "split_blocks"]

BLOCK_BYTES: Final = 64 * 1024
"""Bytes of a block, and of a line: a longer one is cut."""
_LONGEST_TEXT: Final = 1 << 19
"""Characters of a block: what stands for bytes that are no text, and for secrets, may be longer than they."""


class Block(NamedTuple):
    """Some lines of output.

    Attributes:
        text: the lines with newlines between them; None where all of them are passed over.
        end: the byte offset of the end of the last one.
        partial: it is one line, which was cut or has no end.
    """

    text: str | None
    end: int
    partial: bool


def split_blocks(
    raw: bytes,
    start: int,
    *,
    final: bool,
    waiting: bool = False,
    frames: bool = False,
    secrets: Finder | None = None,
    passed_over: tuple[str, ...] = (),
) -> Iterator[Block]:
    """Yield the lines of `raw`, which begins at byte `start` of its file, in blocks and without secrets.

    A line over 64 KiB is cut into partial ones, and no secret is cut in two. Of what overwrites itself,
    as progress bars do, a line keeps its last state.

    Args:
        raw: what was printed.
        start: where in its file that is.
        final: nothing follows it: a last line without its end is taken, too.
        waiting: blocks that may still grow are left for when there is more.
        frames: take the state of a last line without its end, as far as its frames are whole.
        secrets: what is to be replaced.
        passed_over: how lines begin that are left out.
    """
    # Behind a cut there may be the rest of a secret.
    enough = BLOCK_BYTES + (secrets.longest if secrets is not None else 0)
    at, length = 0, len(raw)
    while at < length:
        stop = raw.rfind(b"\n", at, at + BLOCK_BYTES) + 1
        if not stop:
            ahead = raw[at : at + enough]
            stop = at + _first_part(ahead, secrets, sure=final or len(ahead) == enough, frames=frames)
        elif waiting and not final and at + BLOCK_BYTES > length:
            return
        if stop == at:
            return
        yield from _finished(raw[at:stop], start + stop, secrets, passed_over)
        at = stop


def is_passed_over(raw: bytes, passed_over: tuple[str, ...]) -> bool:
    """Return whether something printed is one whole line that is left out, as Ray prints before each task."""
    return (
        raw.startswith(_encoded(passed_over))
        and raw.find(b"\n") == len(raw) - 1 < BLOCK_BYTES
        and b"\r" not in raw
    )


@lru_cache(maxsize=8)
def _encoded(beginnings: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(beginning.encode() for beginning in beginnings)


def _first_part(ahead: bytes, secrets: Finder | None, *, sure: bool, frames: bool) -> int:
    """Return where to cut a line that is too long or has no end, between frames where it has some.

    Where it is not `sure`, as it may go on, only whole `frames` can be taken, or nothing.
    """
    end = ahead.find(b"\n") + 1
    if not end and not sure:
        # What follows the last carriage return may be half a frame, and nothing half a line's end.
        return ahead.rfind(b"\r", 0, -1) + 1 if frames else 0
    line = ahead[: end or None]
    if len(line) <= BLOCK_BYTES:
        return len(line)
    cut = line.rfind(b"\r", 0, BLOCK_BYTES - 1) + 1 or BLOCK_BYTES
    return cut if secrets is None else cut_outside(secrets, line, cut)


def _finished(raw: bytes, end: int, secrets: Finder | None, passed_over: tuple[str, ...]) -> Iterator[Block]:
    """Yield whole lines, or a part of one, as a block; as several where its text would be too long."""
    whole = raw.endswith(b"\n")
    text = _text(raw[:-1] if whole else raw)
    if secrets is not None:
        text = lines_without_secrets(text, secrets)
    cut = _middle(raw) if len(text) > _LONGEST_TEXT else 0
    if cut:
        yield from _finished(raw[:cut], end - len(raw) + cut, secrets, passed_over)
        yield from _finished(raw[cut:], end, secrets, passed_over)
        return
    yield Block(_kept(text, passed_over), end, not whole)


def _middle(lines: bytes) -> int:
    """Return where about the second half of some lines begins; 0 where it is only one."""
    middle = len(lines) // 2
    return lines.find(b"\n", middle, -1) + 1 or lines.rfind(b"\n", 0, middle) + 1


def _text(lines: bytes) -> str:
    if b"\r" in lines:
        lines = b"\n".join(map(_last_frame, lines.split(b"\n")))
    return lines.decode("utf-8", "backslashreplace")


def _last_frame(line: bytes) -> bytes:
    """Return what a terminal shows last of a line; blanks only wipe a frame away and say nothing."""
    line = line.rstrip(b"\r")
    if b"\r" not in line:
        return line
    return next((frame for frame in reversed(line.split(b"\r")) if frame.strip()), b"")


def last_state(line: str) -> str:
    """Return what a terminal shows last of a line of text."""
    return _last_frame(line.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _kept(text: str, passed_over: tuple[str, ...]) -> str | None:
    if not any(begin in text for begin in passed_over):
        return text
    kept = [line for line in text.split("\n") if not line.startswith(passed_over)]
    return "\n".join(kept) if kept else None


def lines_without_secrets(text: str, secrets: Finder) -> str:
    """Return lines without secrets, line for line: there are as many as before.

    Each line is looked at by itself, so that it does not matter which others are in its block. What is
    left then is a secret of several lines, of which none is long enough to be one.
    """
    if not secrets.suspects(text):
        return text
    text = "\n".join(map(secrets, text.split("\n")))
    done, parts = 0, []
    for begin, end in secrets.find(text):
        newlines, name = text.count("\n", begin, end), secrets(text[begin:end])
        if newlines and name != WITHHELD:
            parts += [text[done:begin], "\n".join([name.replace("\n", " ")] * (newlines + 1))]
            done = end
    return "".join([*parts, text[done:]])
