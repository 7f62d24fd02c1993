"""A revision of a public git repository, without git: shallow where the server lets us."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from vaportrail.cluster import source_limits
from vaportrail.cluster.addresses import shown
from vaportrail.contract.pod_messages import GitSource
from vaportrail.errors import UsageError

if TYPE_CHECKING:
    from dulwich.client import HttpGitClient
    from dulwich.objects import Blob
    from dulwich.repo import Repo

__all__ = ["fetch_git"]

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_SCHEMES: Final = ("https", "http")
_BRANCH: Final = b"refs/heads/"
_REPLY_SECONDS: Final = 30.0
"""How long a server may be silent."""


def fetch_git(source: GitSource, folder: Path) -> tuple[str, str]:
    """Put the files of a revision into `folder`.

    Args:
        source: the repository, the revision, and the folder in it that is wanted.
        folder: made; the files of `source.path` go there, the repository itself does not.

    Returns:
        The commit, and the branch where the revision is one, else an empty text.

    Raises:
        UsageError: the repository, the revision or the folder cannot be had, or is too large.
    """
    from dulwich.errors import FileFormatException, MissingCommitError, ObjectMissing
    from dulwich.index import InvalidPathError, build_index_from_tree
    from dulwich.repo import Repo

    # What dulwich raises of a tree that no git would make.
    foreign = (FileFormatException, MissingCommitError, ObjectMissing, InvalidPathError)
    _check_url(source.url)
    place = folder.with_name(f"{folder.name}.git")
    try:
        with closing(Repo.init_bare(str(place), mkdir=True)) as repository:
            commit, branch = _fetch(source, repository)
            tree = _tree(repository, commit, source)
            folder.mkdir(parents=True)
            index, limit = str(place / "index"), _Limit(source_limits.Unpacked())
            build_index_from_tree(
                str(folder), index, repository.object_store, tree, blob_normalizer=cast(Any, limit)
            )
            _check_links(folder)
    except (*foreign, ValueError, KeyError, OSError) as error:
        raise UsageError(f"source.git.url {source.url!r} cannot be unpacked: {error}") from None
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return commit, branch


def _check_links(folder: Path) -> None:
    """Refuse links that lead out: what is there is no part of the revision."""
    real = folder.resolve()
    for where, folders, names in os.walk(folder):
        for path in (Path(where, name) for name in (*folders, *names)):
            if path.is_symlink() and not path.resolve().is_relative_to(real):
                name = path.relative_to(folder).as_posix()
                raise ValueError(
                    f"{name} is a link to {str(path.readlink())!r}, which lies outside of it; "
                    "put the file itself there"
                )


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the host, or of the port
        is_one = False
    if not is_one:
        raise UsageError(
            f"source.git.url {shown(url)!r} is not the URL of a public repository, "
            "such as https://example.com/team/pipelines.git"
        )
    if "@" in parts.netloc or parts.query:
        raise UsageError(
            f"source.git.url {shown(url)!r} holds credentials or a query, which would stand in the record: "
            "use the plain URL of a public repository, or put the code into the image"
        )


@dataclass(frozen=True, slots=True)
class _Limit:
    """Sees each file before it is written; dulwich asks a normalizer of line endings so."""

    unpacked: source_limits.Unpacked

    def checkout_normalize(self, blob: Blob, _path: bytes) -> Blob:
        self.unpacked.add(blob.raw_length())
        return blob


def _fetch(source: GitSource, repository: Repo) -> tuple[str, str]:
    """Bring the revision's commit and files into a repository; return the commit and the branch."""
    from dulwich.client import HttpGitClient, HTTPProxyUnauthorized, HTTPUnauthorized
    from dulwich.errors import GitProtocolError, NotGitRepository
    from urllib3.exceptions import HTTPError

    client = HttpGitClient(source.url, timeout=_REPLY_SECONDS, quiet=True)
    try:
        there = client.get_refs(urlsplit(source.url).path.encode())
        if there.object_format not in (None, "sha1"):
            raise UsageError(
                f"source.git.url {source.url!r} is a repository of {there.object_format} objects, which "
                "cannot be read: put the code into the image or an archive"
            )
        refs = {name: value for name, value in there.refs.items() if value}
        wanted, name = _resolve(source, refs)
        branch = there.symrefs.get(name, b"") if name == b"HEAD" else name
        try:
            # At the tip, or wherever the server hands out any commit.
            _bring(client, source, repository, lambda *_args, **_depth: [wanted], depth=1)
        except (GitProtocolError, KeyError):
            _bring(client, source, repository, repository.object_store.determine_wants_all)
    except (NotGitRepository, HTTPUnauthorized):
        raise UsageError(
            f"source.git.url {source.url!r} leads to no public git repository; check it"
        ) from None
    except (GitProtocolError, HTTPProxyUnauthorized, HTTPError, OSError) as error:
        raise UsageError(f"source.git.url {source.url!r} cannot be fetched: {shown(str(error))}") from None
    finally:
        client.close()
    return _peel(repository, wanted, source), _branch(branch)


def _bring(
    client: HttpGitClient,
    source: GitSource,
    repository: Repo,
    wants: Callable[..., Any],
    depth: int | None = None,
) -> None:
    """Bring what is wanted into a repository, as long as it is not too large."""
    limit, path = source_limits.PACKED_LIMIT, urlsplit(source.url).path
    with TemporaryFile(dir=repository.path) as file:

        def write(data: bytes) -> int:
            if file.tell() + len(data) > limit:
                raise UsageError(
                    f"source.git.url {source.url!r} has more than {limit} bytes at {source.revision!r}; "
                    "keep data out of it"
                )
            return file.write(data)

        client.fetch_pack(path, wants, repository.get_graph_walker(), write, depth=depth)
        if file.tell():
            file.seek(0)
            repository.object_store.add_thin_pack(file.read, None)


def _resolve(source: GitSource, refs: Mapping[Any, bytes]) -> tuple[Any, Any]:
    """Return the object that a revision names, and the ref: HEAD, a branch or a tag; none for a commit."""
    name = source.revision.encode()
    for candidate in (name, _BRANCH + name, b"refs/tags/" + name):
        if candidate in refs and (candidate == b"HEAD" or candidate.startswith(b"refs/")):
            return refs[candidate], candidate
    if _COMMIT.fullmatch(source.revision):
        return name, b""
    short = {ref.rpartition(b"/")[2].decode(errors="replace") for ref in refs if not ref.endswith(b"^{}")}
    known = ", ".join(sorted(short - {"HEAD"})[:10]) or "none"
    raise UsageError(
        f"source.git.revision {source.revision!r} is no branch, tag or whole commit (40 hex digits) of "
        f"{source.url}; its branches and tags: {known}"
    )


def _branch(ref: bytes) -> str:
    return ref.removeprefix(_BRANCH).decode(errors="replace") if ref.startswith(_BRANCH) else ""


def _peel(repository: Repo, wanted: bytes, source: GitSource) -> str:
    """Return the commit that an object is, or that a tag of it names."""
    from dulwich.objects import Commit, ObjectID, Tag

    try:
        found = repository.object_store[ObjectID(wanted)]
        while isinstance(found, Tag):
            found = repository.object_store[found.object[1]]
    except KeyError:
        raise UsageError(
            f"source.git.revision {source.revision!r} is not in {source.url}; push it, or give another"
        ) from None
    if not isinstance(found, Commit):
        raise UsageError(f"source.git.revision {source.revision!r} of {source.url} is no commit; give one")
    return found.id.decode()


def _tree(repository: Repo, commit: str, source: GitSource) -> Any:
    """Return the id of the tree of the folder that is wanted."""
    from dulwich.errors import NotTreeError
    from dulwich.object_store import tree_lookup_path
    from dulwich.objects import Commit, ObjectID

    found = repository.object_store[ObjectID(commit.encode())]
    assert isinstance(found, Commit)
    inside = source.path.strip("/")
    if not inside or inside == ".":
        return found.tree
    try:
        mode, tree = tree_lookup_path(repository.object_store.__getitem__, found.tree, inside.encode())
    except (KeyError, NotTreeError):
        mode, tree = 0, None
    if not S_ISDIR(mode):
        raise UsageError(
            f"source.git.path {source.path!r} is no folder of {source.url} at {commit[:12]}; "
            "check its spelling"
        )
    return tree
