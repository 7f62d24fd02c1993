"""As whom a request is sent: what the user of a kubeconfig says, as headers and a client's certificate."""

from __future__ import annotations

import base64
import json
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from vaportrail.submit.exec_plugin import ask_plugin
from vaportrail.submit.kubeconfig import Access, Entry

__all__ = ["Credentials", "credentials_of"]

_USER: Final = frozenset(
    {"client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile",
     "as", "as-uid", "as-groups", "as-user-extra", "username", "password", "auth-provider", "exec",
     "extensions"}
)  # fmt: skip
_HEADER_BYTES: Final = "!#$&'*+-.^_`|~"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request carries.

    Attributes:
        headers: names and values; a name may come more than once.
        certificate: of the client, in PEM; maybe empty.
        key: of that certificate.
    """

    headers: tuple[tuple[str, str], ...] = ()
    certificate: bytes = b""
    key: bytes = b""


def credentials_of(access: Access) -> Credentials:
    """Return as whom the user of a context acts; asks his plugin where he has one.

    Raises:
        UsageError: the entry is not as it has to be, or gives no credentials.
    """
    user = access.user
    if user is None:
        return Credentials()
    user.check(_USER)
    token, basic = _token(user), _basic(user)
    if token and basic:
        raise user.fault(": a token and a username are both given; only one can be used")
    certificate, key = user.content("client-certificate"), user.content("client-key")
    plugin, provider = user.inside("exec"), user.inside("auth-provider")
    if plugin is not None and provider is not None:
        raise user.fault(": exec and auth-provider are both given; only one can be used")
    if not token and not basic and plugin is not None:
        asked = ask_plugin(plugin, access)
        token = asked.token
        certificate, key = asked.certificate or certificate, asked.key or key
    if not token and not basic and provider is not None:
        token = _provided(provider)
    if bool(certificate) != bool(key):
        raise user.fault(": a client-certificate needs its client-key, and the other way round")
    signs_in = f"Bearer {_sendable(user, token)}" if token else basic
    authorization = (("Authorization", signs_in),) if signs_in else ()
    return Credentials((*authorization, *_impersonation(user)), certificate, key)


def _token(user: Entry) -> str:
    path = user.path("tokenFile")
    if path is None:
        return user.text("token")
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise user.fault(f".tokenFile: {str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise user.fault(f".tokenFile: {str(path)!r} is not a text in UTF-8") from None


def _sendable(user: Entry, token: str) -> str:
    if not all("!" <= letter <= "~" for letter in token):
        raise user.fault(
            ": the kubeconfig's token cannot be sent: it holds a space, a line break or no ASCII"
        )
    return token


def _basic(user: Entry) -> str:
    name, password = user.text("username"), user.text("password")
    if not name and not password:
        return ""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def _provided(provider: Entry) -> str:
    """Return the token that the one provider which kubectl still has keeps in the file."""
    name, settings = provider.text("name"), provider.inside("config")
    if name != "oidc":
        raise provider.fault(f": the auth-provider {name!r} is not known here; use its exec plugin")
    token = settings.text("id-token") if settings is not None else ""
    if not token or _expired(token):
        raise provider.fault(
            ": the auth-provider 'oidc' gives no credentials: its id-token is missing or has expired; let "
            "kubectl renew it (kubectl get namespaces), or use an exec plugin"
        )
    return token


def _expired(token: str) -> bool:
    part = token.partition(".")[2].partition(".")[0]
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"]) <= time.time()
    except (ValueError, KeyError, TypeError):
        return True


def _impersonation(user: Entry) -> Iterator[tuple[str, str]]:
    who, uid = user.text("as"), user.text("as-uid")
    groups = _texts(user, "as-groups", user.fields.get("as-groups"))
    extra = user.inside("as-user-extra")
    if not who and (uid or groups or (extra is not None and extra.fields)):
        raise user.fault(": as-uid, as-groups and as-user-extra need a user to act as; give `as`")
    said = [("Impersonate-User", who), ("Impersonate-Uid", uid), *(("Impersonate-Group", g) for g in groups)]
    for name, values in (extra.fields if extra is not None else {}).items():
        header = f"Impersonate-Extra-{urllib.parse.quote(str(name), safe=_HEADER_BYTES)}"
        said += [(header, value) for value in _texts(user, f"as-user-extra.{name}", values)]
    for header, value in said:
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
            raise user.fault(f": {header} cannot be sent: it holds a control character")
        if value:
            # A header holds bytes, which Python takes as Latin-1; other clients send UTF-8.
            yield header, value.encode().decode("latin-1")


def _texts(user: Entry, name: str, values: Any) -> list[str]:
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise user.fault(f".{name}: a list of texts is needed")
    return values
