"""A store whose certificate is not trusted: no try mends that, so it is said at once, and by name."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

__all__ = ["certificate_problem"]

_REFUSED: Final = re.compile(r"\bInvalidCertificate\(\s*(\w+)")
_ASKED: Final = re.compile(r"\b(https://[^\s,?]+)")
_KINDS: Final = {
    "UnknownIssuer": "is of an authority that is not trusted here",
    "Expired": "has expired",
    "ExpiredContext": "has expired",
    "NotValidYet": "is not valid yet",
    "NotValidYetContext": "is not valid yet",
    "NotValidForName": "is not for that name",
    "NotValidForNameContext": "is not for that name",
}


def certificate_problem(error: BaseException) -> str:
    """Return why a server's certificate was refused, and what to do; empty where an error is another.

    Args:
        error: of obstore, which has no type for it, only words.
    """
    words = str(error)
    refused = _REFUSED.search(words)
    if refused is None:
        return ""
    asked = _ASKED.search(words)
    server = f" of {urlsplit(asked[1]).netloc}" if asked else ""
    kind = _KINDS.get(refused[1], "is refused")
    return (
        f"the certificate{server} {kind} ({refused[1]}): name a bundle of authorities that has its own in "
        "SSL_CERT_FILE; in a cluster the platform does so (runPods.caBundle)"
    )
