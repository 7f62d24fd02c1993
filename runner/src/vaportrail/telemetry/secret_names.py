"""Which names say that what they name is a secret: of environment variables, keys and parameters.

By whole words, so that `SORT_KEY`, `PASSENGERS` and `MONKEY` are none, and the paths of a record do
not read as redacted because of `PWD`. What a name's last word says is no secret itself, such as
`TOKEN_FILE`, is none either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

__all__ = [
    "ADDED_VARIABLE",
    "NAMING_VARIABLES",
    "TAKEN_OUT_VARIABLE",
    "is_secret_field",
    "is_secret_name",
    "secret_names",
]

ADDED_VARIABLE: Final = "VAPORTRAIL_SECRET_NAMES"
"""Names (globs, with commas or spaces between them) that count as secret, too."""
TAKEN_OUT_VARIABLE: Final = "VAPORTRAIL_NOT_SECRET_NAMES"
"""Names that do not count, whatever else says that they do."""
NAMING_VARIABLES: Final = (ADDED_VARIABLE, TAKEN_OUT_VARIABLE)

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET: Final = frozenset(
    {
        "TOKEN", "TOKENS", "SECRET", "SECRETS", "PASSWORD", "PASSWORDS", "PASSWD", "PASSPHRASE",
        "PASSCODE", "CREDENTIAL", "CREDENTIALS",
    }
)  # fmt: skip
"""Whole words that name a secret wherever they stand."""
_SECRET_END: Final = (
    "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY", "ACCESSKEY", "PRIVATEKEY", "SECRETKEY",
    "ACCOUNTKEY", "AUTHKEY", "SIGNINGKEY", "ENCRYPTIONKEY", "APIKEYS", "ACCESSKEYS", "PRIVATEKEYS",
    "SECRETKEYS", "PASSWORDS",
)  # fmt: skip
"""What written together with something else names a secret as well, such as `PGPASSWORD`."""
_SECRET_LAST: Final = frozenset(
    {
        "KEY", "KEYS", "PASS", "PWD", "PW", "PAT", "DSN", "AUTH", "AUTHORIZATION", "JWT", "COOKIE", "COOKIES",
        "WEBHOOK",
    }
)  # fmt: skip
"""Whole words that name a secret at a name's end."""
_SECRET_PAIRS: Final = frozenset({("CONNECTION", "STRING"), ("AUTH", "CONFIG"), ("WEBHOOK", "URL")})
"""Two last words that together name a secret."""
_NO_SECRET_PASS: Final = frozenset(
    {"COMPASS", "BYPASS", "OVERPASS", "UNDERPASS", "SURPASS", "TRESPASS", "ENCOMPASS", "ASKPASS"}
)
"""Words that end as `DBPASS` does, and name none."""
_VARIANT: Final = frozenset(
    {
        "PROD", "PRODUCTION", "DEV", "DEVELOPMENT", "STAGING", "TEST", "LIVE", "OLD", "NEW", "PRIMARY",
        "SECONDARY", "BASE64", "B64", "PEM", "JSON", "V",
    }
)  # fmt: skip
"""What may follow such a word: which of several it is, or its form."""
_MANY: Final = frozenset({"KEY", "KEYS", "PASS", "PWD", "PW"})
"""Words after which two letters say which of several it is: `STRIPE_KEY_EU`."""
_NO_VARIANT: Final = frozenset({"ID", "FN", "BY", "OF", "IN", "TO", "DB", "PW"})
"""Two letters that say something else."""
_NO_SECRET_LAST: Final = frozenset(
    {
        "FILE", "FILES", "PATH", "PATHS", "DIR", "FOLDER", "NAME", "NAMES", "MODE", "URL", "URI",
        "ENDPOINT", "HOST", "PORT", "TYPE", "ALGORITHM", "ALG", "LENGTH", "SIZE", "COUNT", "LIMIT",
        "TTL", "TIMEOUT", "EXPIRY", "EXPIRATION", "SECONDS", "ENABLED", "REQUIRED", "POLICY",
        "PROVIDER", "HEADER", "PREFIX", "SUFFIX", "VERSION", "REGION", "SCOPE", "SCOPES", "AUDIENCE",
        "ISSUER", "USER", "USERNAME", "ID",
    }
)  # fmt: skip
"""Last words of names that tell of a secret, and are none."""
_NO_SECRET_KEY: Final = frozenset(
    {
        "SORT", "PRIMARY", "FOREIGN", "PARTITION", "PUBLIC", "JOIN", "GROUP", "CACHE", "OBJECT",
        "INDEX", "UNIQUE", "ROW", "HASH", "RANGE", "PAD", "EOS", "BOS", "UNK", "MASK", "SEP", "CLS",
    }
)  # fmt: skip
"""What stands before KEY or TOKEN where that is one of a table, an index or a text."""
_COUNTED: Final = frozenset(
    {
        "MAX", "MIN", "MEAN", "NUM", "N", "TOTAL", "NEW", "INPUT", "OUTPUT", "PROMPT", "COMPLETION",
        "CONTEXT",
    }
)  # fmt: skip
"""What stands before TOKENS where they are counted."""


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Return whether a name's words say that it names a secret.

    >>> [is_secret_name(name) for name in ("STORAGE_KEY", "dbPassword", "SORT_KEY", "TOKEN_FILE", "PWD")]
    [True, True, False, False, False]
    """
    if name.upper() in ("PWD", "OLDPWD"):  # the shell's own
        return False
    words = [word.upper() for word in _WORD.findall(name)]
    while words and _is_variant(words):
        words.pop()
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if (before, last) in _SECRET_PAIRS:
        return True
    if last in _NO_SECRET_LAST:
        return last == "ID" and before == "SECRET"
    if last in ("KEY", "KEYS", "TOKEN", "TOKENS") and before in _NO_SECRET_KEY:
        return False
    if last == "TOKENS" and before in _COUNTED:
        return False
    return (
        last in _SECRET_LAST
        or (last.endswith("PASS") and last not in _NO_SECRET_PASS)
        or any(word in _SECRET or word.endswith(_SECRET_END) for word in words)
    )


def _is_variant(words: list[str]) -> bool:
    """Return whether the last of a name's words says which of several the name is."""
    last = words[-1]
    if last.isdigit() or last in _VARIANT:
        return True
    return len(last) == 2 and last not in _NO_VARIANT and len(words) > 1 and words[-2] in _MANY


def secret_names(environ: Mapping[str, str]) -> Callable[[str], bool]:
    """Return what says of a name whether it counts, with the names that an environment adds and takes out."""
    added, out = (_globs(environ.get(name, "")) for name in NAMING_VARIABLES)

    def counts(name: str) -> bool:
        upper = name.upper()
        if any(fnmatchcase(upper, glob) for glob in out):
            return False
        return is_secret_name(name) or any(fnmatchcase(upper, glob) for glob in added)

    return counts


def is_secret_field(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether the name of an object's field says that its value is a secret, whatever the value.

    As for variables, but for `key` and `keys` alone: most often they name a column or an object's place.

    >>> [is_secret_field(name, {}) for name in ("access_key", "key", "max_tokens")]
    [True, False, False]
    """
    return name.upper() not in ("KEY", "KEYS") and secret_names(environ)(name)


def _globs(text: str) -> list[str]:
    return text.upper().replace(",", " ").split()
