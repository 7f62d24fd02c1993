"""What output says line by line, spelled out: blocks must give back the same, however they are cut."""

from __future__ import annotations

from vaportrail.telemetry.redact import Finder

LINE_LIMIT = 64 * 1024


def lines_of_output(
    raw: bytes, secrets: Finder | None = None, passed_over: tuple[str, ...] = ()
) -> list[str]:
    """Return the lines of short-lined output, each for itself, without secrets."""
    *ended, rest = raw.split(b"\n")
    found = [*ended, rest] if rest else ended
    assert all(len(line) < LINE_LIMIT for line in found)
    texts = [_shown(line).decode("utf-8", "backslashreplace") for line in found]
    named = texts if secrets is None else [secrets(text) for text in texts]
    return [text for text in named if not text.startswith(passed_over)]


def _shown(line: bytes) -> bytes:
    """Return what a terminal shows of a line after all of it."""
    frames = line.rstrip(b"\r").split(b"\r")
    if len(frames) == 1:
        return frames[0]
    shown = [frame for frame in frames if frame.strip()]
    return shown[-1] if shown else b""
