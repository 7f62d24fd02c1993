"""Where a run's code comes from: the image, a mounted folder, a git repository or an archive."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vaportrail.contract.pod_messages import Source
from vaportrail.errors import UsageError

__all__ = ["Fetched", "fetch"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Code that is on this machine.

    Attributes:
        folder: what is put on Python's path, here and in the workers; None where it is in the image.
        revision: the commit, where it is known.
        git: the revision as the record's environment has it.
    """

    folder: Path | None = None
    revision: str = ""
    git: Mapping[str, Any] = field(default_factory=dict)


def fetch(source: Source, folder: Path) -> Fetched:
    """Bring a run's code to `folder`, which must not exist yet.

    Raises:
        UsageError: it cannot be had; the message names the field, the value and the fix.

    Example:
        >>> fetch(Source(), Path("source")).folder is None
        True
    """
    if source.git is not None:
        from vaportrail.cluster.source_git import fetch_git

        commit, branch = fetch_git(source.git, folder)
        git = {"revision": commit, "branch": branch, "dirty": False, "remote": source.git.url}
        return Fetched(folder, commit, git)
    if source.archive is not None:
        from vaportrail.cluster.source_archive import fetch_archive

        fetch_archive(source.archive, folder)
        return Fetched(folder)
    if source.folder:
        _copy(Path(source.folder), folder)
        return Fetched(folder)
    return Fetched()


def _copy(mounted: Path, folder: Path) -> None:
    """Copy the files of a mounted ConfigMap: there they are links into a folder that may change."""

    def hidden(_folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name.startswith("..")]

    try:
        shutil.copytree(mounted, folder, ignore=hidden)
    except (OSError, shutil.Error) as error:
        raise UsageError(
            f"source: the folder {str(mounted)!r} cannot be read: {error}; see that it is mounted"
        ) from None
