"""A local folder as an archive under the record root, named by its content."""

from __future__ import annotations

import fnmatch
import gzip
import hashlib
import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vaportrail.errors import UsageError
from vaportrail.storage.store import Store

__all__ = ["Archive", "pack", "upload"]

LIMIT: Final = 100 * 2**20
"""Bytes of the files of a source."""
SOURCES: Final = "sources"
_GIT_SECONDS: Final = 60
_SKIPPED: Final = (
    ".git", ".hg", ".svn", ".venv", "venv", ".env", ".env.*", ".envrc", "__pycache__", "*.pyc",
    "*.egg-info", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints",
    ".tox", ".DS_Store", "vaportrail-runs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Archive:
    """A packed folder.

    Attributes:
        content: a `.tar.gz`; the same files always give the same bytes.
        sha256: its hash.
        files: how many files are in it.
    """

    content: bytes
    sha256: str
    files: int

    @property
    def path(self) -> str:
        """Its place below a record root."""
        return f"{SOURCES}/{self.sha256}.tar.gz"


def pack(folder: Path) -> Archive:
    """Return the files of a folder as an archive.

    Left out are version control, virtual environments, caches, records and `.env*`; in a git work tree
    also what git ignores, in a submodule or another repository within it what is ignored there. Owners
    and times are not kept.

    Raises:
        UsageError: the folder is not there, is empty or too large, holds what no archive can hold or a
            link to what is not packed, or git cannot say what it ignores.
    """
    if not folder.is_dir():
        raise UsageError(f"--source {str(folder)!r} is not a folder")
    names = sorted(_files(folder))
    _check_links(folder, names)
    size = sum((folder / name).stat().st_size for name in names)
    if not names or size > LIMIT:
        found = f"holds {size / 2**20:.0f} MiB" if names else "holds no file"
        raise UsageError(
            f"--source {str(folder)!r} {found}; give the folder of the code, at most {LIMIT // 2**20} MiB: "
            "data belongs in the bucket"
        )
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in names:
            _add(archive, folder, name)
    content = buffer.getvalue()
    return Archive(content, hashlib.sha256(content).hexdigest(), len(names))


def upload(archive: Archive, store: Store) -> bool:
    """Put an archive below a record root unless it is there; returns whether this call put it there."""
    return store.create(archive.path, archive.content)


def _add(archive: tarfile.TarFile, folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
    archive.addfile(entry, io.BytesIO(content))


def _files(folder: Path, inside: str = "") -> Iterator[str]:
    """Yield what is to be packed of `folder`, or of a repository `inside` of it, as paths with `/`."""
    top = folder / inside
    known = _seen_by_git(top)

    def seen(path: Path) -> bool:
        return known is None or path.relative_to(top).as_posix() in known

    for where, folders, names in os.walk(top):
        below = [Path(where, name) for name in folders if not _is_skipped(name)]
        folders.clear()
        for path in below:
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                if seen(path):
                    raise UsageError(f"{relative} is a link to a folder; put the folder itself there")
            elif seen(path) and _is_repository(path / ".git"):
                # A submodule or a clone: from outside git names the folder alone.
                yield from _files(folder, relative)
            else:
                folders.append(path.name)
        for path in (Path(where, name) for name in names if not _is_skipped(name)):
            relative = path.relative_to(folder).as_posix()
            if not seen(path):
                continue
            if not path.is_file():
                raise UsageError(f"{relative} is neither a file nor a link to one; remove it")
            yield relative


def _check_links(folder: Path, names: list[str]) -> None:
    """See that no link brings in what lies elsewhere or is left out."""
    real, packed = folder.resolve(), frozenset(names)
    for name in names:
        if not (folder / name).is_symlink():
            continue
        target = (folder / name).resolve()
        if not target.is_relative_to(real) or target.relative_to(real).as_posix() not in packed:
            raise UsageError(
                f"{name} is a link to {str(target)!r}, which is not packed; put the file itself there, or "
                "remove the link"
            )


def _is_skipped(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _SKIPPED)


def _seen_by_git(folder: Path) -> frozenset[str] | None:
    """Return the files, and the folders with repositories of their own, that git does not ignore.

    None outside of a work tree.
    """
    here = folder.resolve()
    if not any(_is_repository(place / ".git") for place in (here, *here.parents)):
        return None
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        said = subprocess.run(command, capture_output=True, check=True, timeout=_GIT_SECONDS).stdout
    except subprocess.CalledProcessError as error:
        raise _without_output(folder, error.stderr.decode(errors="replace")) from None
    except (OSError, subprocess.SubprocessError) as error:
        raise _without_output(folder, str(error)) from None
    # A clone that is no submodule is named with a slash at its end.
    return frozenset(os.fsdecode(name).rstrip("/") for name in said.split(b"\0") if name)


def _is_repository(path: Path) -> bool:
    # A file leads to it, as in a submodule or a second work tree.
    return path.is_file() or (path / "HEAD").exists()


def _without_output(folder: Path, why: str) -> UsageError:
    return UsageError(
        f"--source {str(folder)!r} is in a git work tree, but git does not say which files it ignores, and "
        f"they may be secrets: {' '.join(why.split())}; let git read it (git config --global --add "
        "safe.directory FOLDER where the owner is another), or pack a copy that is in no work tree"
    )
