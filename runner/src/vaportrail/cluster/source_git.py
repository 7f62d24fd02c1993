"""A revision of a public git repository, without git: shallow where the server lets us."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from vaportrail.errors import UsageError
from vaportrail.handover import GitSource

if TYPE_CHECKING:
    from dulwich.repo import BaseRepo

__all__ = ["fetch_git"]

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_SCHEMES: Final = ("https", "http", "git")


def fetch_git(source: GitSource, folder: Path) -> str:
    """Put the files of a revision into `folder` and return its commit.

    Args:
        source: the repository, the revision, and the folder in it that is wanted.
        folder: made; the files of `source.path` go there, the repository itself does not.

    Raises:
        UsageError: the repository, the revision or the folder cannot be had.
    """
    from dulwich.index import build_index_from_tree
    from dulwich.repo import Repo

    parts = urlsplit(source.url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise UsageError(
            f"source.git.url {_shown(source.url)!r} is not the URL of a public repository, "
            "such as https://example.com/team/pipelines.git"
        )
    if parts.username or parts.password:
        raise UsageError(
            f"source.git.url {_shown(source.url)!r} holds credentials, which would stand in the record: "
            "use a public repository, or put the code into the image"
        )
    place = folder.with_name(f"{folder.name}.git")
    try:
        with closing(Repo.init_bare(str(place), mkdir=True)) as repository:
            commit = _fetch(source, repository)
            tree = _tree(repository, commit, source)
            folder.mkdir(parents=True)
            build_index_from_tree(str(folder), str(place / "index"), repository.object_store, tree)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return commit


def _fetch(source: GitSource, repository: BaseRepo) -> str:
    """Bring the revision's commit and files into a repository; return the commit."""
    from dulwich.client import get_transport_and_path
    from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
    from urllib3.exceptions import HTTPError

    client, path = get_transport_and_path(source.url, quiet=True)
    try:
        refs = client.get_refs(path.encode()).refs
        wanted = _resolve(source, {name: value for name, value in refs.items() if value})
        try:
            # At the tip, or wherever the server hands out any commit.
            client.fetch(path, repository, lambda *_args, **_kwargs: [wanted], depth=1)
        except (GitProtocolError, HangupException, KeyError):
            client.fetch(path, repository)
    except NotGitRepository:
        raise UsageError(
            f"source.git.url {_shown(source.url)!r} leads to no public git repository; check it"
        ) from None
    except (GitProtocolError, HangupException, HTTPError, OSError) as error:
        raise UsageError(
            f"source.git.url {_shown(source.url)!r} cannot be fetched: {_shown(str(error))}"
        ) from None
    finally:
        client.close()
    return _peel(repository, wanted, source)


def _resolve(source: GitSource, refs: Mapping[bytes, bytes]) -> Any:
    """Return the object that a revision names: HEAD, a branch, a tag or a whole commit."""
    name = source.revision.encode()
    for candidate in (name, b"refs/heads/" + name, b"refs/tags/" + name):
        if candidate in refs and (candidate == b"HEAD" or candidate.startswith(b"refs/")):
            return refs[candidate]
    if _COMMIT.fullmatch(source.revision):
        return name
    short = {ref.rpartition(b"/")[2].decode(errors="replace") for ref in refs if not ref.endswith(b"^{}")}
    known = ", ".join(sorted(short - {"HEAD"})[:10]) or "none"
    raise UsageError(
        f"source.git.revision {source.revision!r} is no branch, tag or whole commit (40 hex digits) of "
        f"{source.url}; its branches and tags: {known}"
    )


def _peel(repository: BaseRepo, wanted: bytes, source: GitSource) -> str:
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


def _tree(repository: BaseRepo, commit: str, source: GitSource) -> Any:
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


def _shown(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)
