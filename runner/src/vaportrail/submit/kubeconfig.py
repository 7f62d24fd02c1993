"""The kubeconfig: which cluster, as whom and in which namespace; what is not known is refused by name.

The rules are those of kubectl: several files are one, of which the first to name something wins; paths
are meant from the file that says them; what stands inline wins over what stands in a file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vaportrail.errors import UsageError

__all__ = ["Access", "Entry", "Kubeconfig", "read_kubeconfig"]

_CONFIG: Final = frozenset(
    {"apiVersion", "kind", "preferences", "clusters", "users", "contexts", "current-context", "extensions"}
)
_CLUSTER: Final = frozenset(
    {"server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority",
     "certificate-authority-data", "proxy-url", "disable-compression", "extensions"}
)  # fmt: skip
_CONTEXT: Final = frozenset({"cluster", "user", "namespace", "extensions"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapping of a kubeconfig, and where it stands.

    Attributes:
        fields: what it says.
        file: the file that it stands in.
        place: its place there, for people.
    """

    fields: Mapping[str, Any]
    file: Path
    place: str

    def fault(self, said: str) -> UsageError:
        """Return the error that says what is wrong with it."""
        return UsageError(f"kubeconfig {str(self.file)!r}: {self.place}{said}")

    def check(self, known: frozenset[str]) -> None:
        """Refuse what nobody knows: it might say as whom to act."""
        for name in self.fields:
            if name not in known:
                raise self.fault(f": {name!r} is not known here; take it out, or use kubectl")

    def text(self, name: str) -> str:
        """Return a text, empty where it is not given."""
        value = self.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.fault(f".{name}: a text is needed, this is {type(value).__name__}")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false."""
        value = self.fields.get(name)
        if value not in (None, True, False):
            raise self.fault(f".{name}: true or false is needed, this is {value!r}")
        return bool(value)

    def inside(self, name: str) -> Entry | None:
        """Return a mapping in this one."""
        value = self.fields.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.fault(f".{name}: a mapping is needed, this is {type(value).__name__}")
        return Entry(value, self.file, f"{self.place}.{name}")

    def path(self, name: str) -> Path | None:
        """Return the file that a field names."""
        given = self.text(name)
        return self.file.absolute().parent / given if given else None

    def content(self, name: str) -> bytes:
        """Return what stands in the field `name-data`, or in the file that the field `name` names."""
        inline = self.text(f"{name}-data")
        if inline:
            try:
                return base64.b64decode(inline, validate=True)
            except (binascii.Error, ValueError):
                raise self.fault(f".{name}-data is not base64") from None
        path = self.path(name)
        try:
            return b"" if path is None else path.read_bytes()
        except OSError as error:
            raise self.fault(f".{name}: {str(path)!r} cannot be read: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Access:
    """What a context says of the way to its cluster.

    Attributes:
        server: the API server's address.
        namespace: the context's, maybe empty.
        authority: certificates that the server's has to lead to, in PEM; the system's where empty.
        verify: whether the server's certificate is checked.
        server_name: the name that is asked for and checked instead of the address's.
        proxy: the address of a proxy, maybe empty.
        cluster: the cluster's entry, which a plugin may be told.
        user: the user's entry; none where the context names none.
    """

    server: str
    namespace: str
    authority: bytes
    verify: bool
    server_name: str
    proxy: str
    cluster: Entry
    user: Entry | None


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """One or several files, read as one.

    Attributes:
        named: what was asked for, for messages.
        files: what each says.
    """

    named: str
    files: tuple[Entry, ...]

    @property
    def current_context(self) -> str:
        """The first that a file names."""
        return next((name for file in self.files if (name := file.text("current-context"))), "")

    def access(self, context: str) -> Access:
        """Return what a context says.

        Raises:
            UsageError: there is no such context, or it or its cluster is not as it has to be.
        """
        found = self._find("contexts", context)
        if found is None:
            raise UsageError(
                f"--context {context!r}: kubeconfig {self.named!r} has no such context; "
                "see: kubectl config get-contexts"
            )
        found.check(_CONTEXT)
        name = found.text("cluster")
        cluster = self._find("clusters", name)
        if cluster is None:
            raise found.fault(f".cluster: there is no cluster {name!r}")
        cluster.check(_CLUSTER)
        signs_in = found.text("user")
        user = self._find("users", signs_in) if signs_in else None
        if signs_in and user is None:
            raise found.fault(f".user: there is no user {signs_in!r}")
        server = cluster.text("server").rstrip("/")
        if not server.startswith(("https://", "http://")):
            raise cluster.fault(f".server: {server!r} is no address like https://HOST:PORT")
        authority, insecure = (
            cluster.content("certificate-authority"),
            cluster.flag("insecure-skip-tls-verify"),
        )
        if authority and insecure:
            raise cluster.fault(": insecure-skip-tls-verify and a certificate-authority are both given")
        return Access(
            server, found.text("namespace"), authority, not insecure, cluster.text("tls-server-name"),
            cluster.text("proxy-url"), cluster, user,
        )  # fmt: skip

    def _find(self, kind: str, name: str) -> Entry | None:
        for file in self.files:
            found = [entry for entry in _entries(file, kind) if entry.fields["name"] == name]
            if len(found) > 1:
                raise file.fault(f"{kind}: there are {len(found)} of the name {name!r}")
            if found:
                one = kind.removesuffix("s")
                inner = found[0].inside(one)
                if inner is None:
                    raise found[0].fault(f": {one!r} is missing")
                return inner
        return None


def _entries(file: Entry, kind: str) -> Iterator[Entry]:
    entries = file.fields.get(kind) or []
    if not isinstance(entries, list):
        raise file.fault(f"{kind}: a list is needed, this is {type(entries).__name__}")
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise file.fault(f"{kind}: each needs a name")
        yield Entry(entry, file.file, f"{kind}[{entry['name']}]")


def read_kubeconfig(named: str) -> Kubeconfig:
    """Read the files of `KUBECONFIG`; those that are not there are passed over, as kubectl does.

    Raises:
        UsageError: one cannot be read, or is no kubeconfig.
    """
    paths = [Path(part).expanduser() for part in named.split(":") if part]
    return Kubeconfig(named, tuple(file for path in paths if (file := _read(path)) is not None))


def _read(path: Path) -> Entry | None:
    import yaml

    empty = Entry({}, path, "")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise empty.fault(f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise empty.fault("it is not a text in UTF-8") from None
    except yaml.YAMLError as error:
        # The line that is wrong may hold a token.
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise empty.fault(
            f"it is not YAML{where}: {getattr(error, 'problem', None) or 'unreadable'}"
        ) from None
    except (RecursionError, ValueError):
        raise empty.fault("it is not YAML") from None
    if content is None:
        return None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise empty.fault("it is no kubeconfig")
    file = Entry(content, path, "")
    for name, meant in (("apiVersion", "v1"), ("kind", "Config")):
        if file.text(name) not in ("", meant):
            raise file.fault(f"it is no kubeconfig: {name} is {file.text(name)!r}, not {meant!r}")
    for name in content.keys() - _CONFIG:
        raise file.fault(f"{name!r} is not known here; take it out, or use kubectl")
    return file
