"""Addresses of sources as they may be told: without what lets somebody in. Pure."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["has_credentials", "shown"]

# Of Azure's `abfs[s]://container@account…` the first part is a name.
_CREDENTIALS: Final = re.compile(r"(?<=://)(?<!abfs://)(?<!abfss://)[^/?#\s]*@")
_QUERY: Final = re.compile(r"(?<=://)([^\s?#'\"]*)[?#][^\s'\"]*")


def shown(text: str) -> str:
    """Return a text with each address in it cut to scheme, host and path.

    A query may be a signature that lets everybody read, as of a pre-signed URL.

    Example:
        >>> shown("https://me:word@example.com/a.zip?X-Amz-Signature=1f2e: refused")
        'https://example.com/a.zip refused'
    """
    return _QUERY.sub(r"\1", _CREDENTIALS.sub("", text))


def has_credentials(uri: str) -> bool:
    """Return whether an address of a web server holds a user's name or password."""
    return re.match(r"https?://[^/?#\s]*@", uri) is not None
