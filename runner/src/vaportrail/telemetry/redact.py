"""Secrets stay out: values of secret-sounding environment variables are replaced at the write.

The replacement works on the finished JSON line, so that nothing that is ever logged, printed,
raised or passed as an argument can carry such a value into a spool.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

__all__ = ["Redactor", "redactor"]

Redactor = Callable[[str], str]
"""Replaces secret values in text."""

_SECRET_NAME = re.compile(
    r"(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|AUTH_?KEY)", re.I
)
_NOT_SECRET_NAME = re.compile(r"(_FILE|_PATH|_DIR|_URL|_NAME|_MODE|_ID)$", re.I)
_SHORTEST = 8


def redactor(environ: Mapping[str, str]) -> Redactor | None:
    """Return what replaces secret values in text or in JSON, or None where there are none.

    A variable counts as secret when its name says so (token, secret, password, credential, key)
    and its value has at least 8 characters; it is replaced by ``[redacted:NAME]``.

    >>> redactor({"DB_PASSWORD": "hunter2hunter2"})("login hunter2hunter2")
    'login [redacted:DB_PASSWORD]'
    """
    replacements: dict[str, str] = {}
    for name, value in sorted(environ.items()):
        if len(value) < _SHORTEST or not _SECRET_NAME.search(name) or _NOT_SECRET_NAME.search(name):
            continue
        for form in {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}:
            replacements.setdefault(form, f"[redacted:{name}]")
    if not replacements:
        return None
    # Longest first: a secret may contain another.
    pattern = re.compile("|".join(re.escape(v) for v in sorted(replacements, key=len, reverse=True)))
    return lambda text: pattern.sub(lambda found: replacements[found.group()], text)
