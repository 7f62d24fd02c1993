"""What is slow to build, kept outside the checkout by content: the same inputs are never built twice."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["building", "cache_root", "kept", "key_of"]

_IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache"}


def cache_root() -> Path:
    """Return the folder of everything built: `$E2E_CACHE`, by default under the user's cache folder."""
    named = os.environ.get("E2E_CACHE")
    if named:
        return Path(named).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vaportrail-e2e"


def key_of(paths: Iterable[Path], *, extra: str = "") -> str:
    """Return 16 hexadecimal digits that change with any name, mode or byte under `paths`.

    Args:
        paths: files, and folders that are walked; each must exist.
        extra: anything else that the result depends on: versions, flags, other keys.
    """
    digest = hashlib.sha256(extra.encode())
    for path in paths:
        for file in _files(path):
            digest.update(f"\0{file.relative_to(path.parent)}\0{file.stat().st_mode & 0o111:o}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(path)
    return sorted(file for file in path.rglob("*") if file.is_file() and not _IGNORED & set(file.parts))


@contextmanager
def building(target: Path) -> Iterator[Path | None]:
    """Build `target` at most once: yields where to build it, or None where it exists already.

    What was built at the yielded path is renamed to `target` when the block ends without an error, so
    that a half-built one is never taken for a whole one. Two processes do not build the same target at
    the same time: the second waits, and finds it built.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            os.utime(target)
            yield None
            return
        part = target.with_name(f".{target.name}.part")
        _remove(part)
        try:
            yield part
            part.rename(target)
        finally:
            _remove(part)


def kept(folder: Path, name: str, *, generations: int = 3) -> None:
    """Remove all but the most recently used `generations` of what is called `name-<key>`."""
    found = sorted(
        folder.glob(f"{name}-????????????????*"), key=lambda path: path.stat().st_mtime, reverse=True
    )
    for old in found[generations:]:
        _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
