"""Where records lie: a folder, or an object store's URI, in its one form."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from vaportrail.errors import UsageError

__all__ = ["is_remote", "normalise_root"]

_SCHEMES: Final = ("s3", "gs", "az", "abfs", "abfss", "file")


def is_remote(root: str) -> bool:
    """Return whether `root` is an object store's URI and not a folder."""
    return "://" in root and not root.startswith("file://")


def normalise_root(root: str | os.PathLike[str]) -> str:
    """Return a record root in its one form: an absolute folder or a URI without a last slash.

    Raises:
        UsageError: the scheme is not one that records can lie in.
    """
    text = os.fspath(root)
    if "://" not in text:
        return str(Path(text).expanduser().absolute())
    wrong = UsageError(
        f"record root {text!r} is not a place that can hold records: "
        f"use a folder or one of {', '.join(s + '://…' for s in _SCHEMES)}"
    )
    try:
        parts = urlsplit(text)
    except ValueError:
        raise wrong from None
    if parts.scheme not in _SCHEMES or bool(parts.netloc) == (parts.scheme == "file"):
        raise wrong
    if parts.scheme == "file":
        return unquote(parts.path).rstrip("/") or "/"
    return text.rstrip("/")
