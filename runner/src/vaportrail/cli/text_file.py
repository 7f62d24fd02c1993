"""Text files that a command is given."""

from __future__ import annotations

from pathlib import Path

from vaportrail.errors import UsageError

__all__ = ["read_text"]


def read_text(file: Path) -> str:
    """Return the text of a file.

    Raises:
        UsageError: it cannot be read, or is no text in UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{str(file)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{str(file)!r} is not a text in UTF-8") from None
