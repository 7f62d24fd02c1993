"""Secrets stay out: values of secret-sounding environment variables are replaced before the write.

The finished line is searched first, which costs next to nothing; only where it may hold a secret are
the record's texts gone through, one by one, so that numbers, keys and ids are never touched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from vaportrail.telemetry import conventions as c

__all__ = ["Redactor", "redactor"]

_SECRET_NAME: Final = re.compile(
    r"(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|AUTH_?KEY)", re.I
)
_NOT_SECRET_NAME: Final = re.compile(r"(_FILE|_PATH|_DIR|_URL|_NAME|_MODE|_ID)$", re.I)
_SHORTEST: Final = 8
# What holds a record together. A secret that is also a task's name is no secret.
_STRUCTURE: Final = frozenset(
    {
        c.TASK_RUN_ID, c.TASK_NAME, c.TASK_KIND, c.TASK_UPSTREAM, c.TASK_EDGES, c.OUTCOME, c.SPAN_PARENT,
        c.SCHEMA, c.PIPELINE_NAME, c.ARTIFACT_SHA256, c.ARTIFACT_KIND, c.LOG_IOSTREAM, c.NODE_ID,
    }
)  # fmt: skip
_TEXT_KEYS: Final = frozenset({"stringValue", "name", "message"})


class Redactor:
    """Replaces secret values in text and in OTLP records.

    Args:
        secrets: what stands for each secret, by the secret.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._replacements: dict[str, str] = {}
        lookouts: set[str] = set()
        for secret, name in secrets.items():
            once = {secret, *_escaped(secret)}
            for form in once:
                self._replacements.setdefault(form, name)
            # In the finished line a text is escaped once more, one that is JSON itself twice.
            lookouts |= once | {twice for form in once for twice in _escaped(form)}
        self._pattern = _either(self._replacements)
        self._lookout = _either(lookouts)

    def __call__(self, text: str) -> str:
        """Return text without secrets, also where they are escaped as in JSON."""
        return self._pattern.sub(lambda found: self._replacements[found.group()], text)

    def suspects(self, line: str) -> bool:
        """Return whether a finished line may hold a secret."""
        return self._lookout.search(line) is not None

    def everywhere(self, value: Any) -> Any:
        """Return JSON-like data in which every text is without secrets; keys stay as they are."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {key: self.everywhere(item) for key, item in value.items()}
        return [self.everywhere(item) for item in value] if isinstance(value, list) else value

    def record(self, value: Any, key: str = "") -> Any:
        """Return an OTLP record without secrets; what holds the record together stays as it is."""
        if isinstance(value, str):
            return self(value) if key in _TEXT_KEYS else value
        if isinstance(value, Mapping):
            if value.get("key") in _STRUCTURE:
                return value
            return {name: self.record(item, name) for name, item in value.items()}
        return [self.record(item, key) for item in value] if isinstance(value, list) else value


def _escaped(text: str) -> set[str]:
    return {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}


def _either(texts: Any) -> re.Pattern[str]:
    # Longest first: a secret may contain another.
    return re.compile("|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True)))


def redactor(environ: Mapping[str, str]) -> Redactor | None:
    """Return what replaces the secrets among environment variables, or None where there are none.

    A variable counts as secret when its name says so (token, secret, password, credential, key)
    and its value has at least 8 characters; it is replaced by ``[redacted:NAME]``.

    >>> redactor({"DB_PASSWORD": "hunter2hunter2"})("login hunter2hunter2")
    'login [redacted:DB_PASSWORD]'
    """
    secrets: dict[str, str] = {}
    for name, value in sorted(environ.items()):
        if len(value) >= _SHORTEST and _SECRET_NAME.search(name) and not _NOT_SECRET_NAME.search(name):
            secrets.setdefault(value, f"[redacted:{name}]")
    return Redactor(secrets) if secrets else None
