"""Reading a docker-archive: its configuration, its size unpacked, its file system; no engine is needed."""

from __future__ import annotations

import json
import posixpath
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

__all__ = ["configuration", "entries", "unpack", "unpacked_size"]

_REMOVED = ".wh."
_EMPTIED = ".wh..wh..opq"
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20


def configuration(archive: Path) -> dict[str, Any]:
    """Return the image's configuration: user, entry point, environment, labels, history."""
    with tarfile.open(archive) as outer:
        config = json.load(_member(outer, _manifest(outer)["Config"]))
    return dict(config)


def entries(archive: Path) -> dict[str, tarfile.TarInfo]:
    """Return what the image's file system holds, by path without a leading slash."""
    found: dict[str, tarfile.TarInfo] = {}
    with tarfile.open(archive) as outer:
        for layer in _layers(outer):
            # What a layer removes was there before it; the order inside the layer says nothing.
            members = [(str(PurePosixPath("/", each.name))[1:], each) for each in layer]
            for path in _removals([name for name, _ in members]):
                found = {name: info for name, info in found.items() if not _below(name, path)}
            found |= {name: info for name, info in members if not _is_mark(name) and name}
    return found


def unpacked_size(archive: Path) -> int:
    """Return the bytes of all files of the image's file system; further names of a file count nothing."""
    return sum(info.size for info in entries(archive).values() if info.isreg())


def unpack(archive: Path, folder: Path) -> None:
    """Write the image's file system into `folder`, with owners and modes; needs root.

    Raises:
        subprocess.CalledProcessError: `tar` can't write there.
        ValueError: a layer removes something outside of the image's file system.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as outer:
        for name in _manifest(outer)["Layers"]:
            with _opened(outer, name) as layer:
                removals = list(_removals([str(PurePosixPath("/", each.name))[1:] for each in layer]))
            for path in removals:
                content = [folder / path.rstrip("/")]
                if not content[0].parent.resolve().is_relative_to(folder.resolve()):
                    raise ValueError(f"{archive} removes {path}, which a link leads out of {folder}")
                if path.endswith("/"):
                    content = list(content[0].iterdir()) if content[0].is_dir() else []
                subprocess.run(["rm", "-rf", "--", *content], check=True)
            packed = ["--gzip"] if _member(outer, name).read(2) == _GZIP else []
            command = ["tar", "-x", *packed, "--numeric-owner", "--same-permissions", "--exclude=.wh.*"]
            command += ["-C", str(folder)]
            with subprocess.Popen(command, stdin=subprocess.PIPE) as tar:
                assert tar.stdin
                source = _member(outer, name)
                while chunk := source.read(_CHUNK):
                    tar.stdin.write(chunk)
            if tar.returncode:
                raise subprocess.CalledProcessError(tar.returncode, command)


def _manifest(outer: tarfile.TarFile) -> dict[str, Any]:
    return dict(json.load(_member(outer, "manifest.json"))[0])


def _member(outer: tarfile.TarFile, name: str) -> Any:
    member = outer.getmember(name)
    if member.issym():  # a layer that the archive holds already
        target = posixpath.join(posixpath.dirname(name), member.linkname)
        member = outer.getmember(posixpath.normpath(target))
    file = outer.extractfile(member)
    assert file, f"{name} is no file"
    return file


@contextmanager
def _opened(outer: tarfile.TarFile, name: str) -> Iterator[tarfile.TarFile]:
    with tarfile.open(fileobj=_member(outer, name)) as layer:
        yield layer


def _layers(outer: tarfile.TarFile) -> Iterator[list[tarfile.TarInfo]]:
    for name in _manifest(outer)["Layers"]:
        with _opened(outer, name) as layer:
            yield layer.getmembers()


def _removals(names: list[str]) -> Iterator[str]:
    """Yield the paths that a layer removes; a folder that it empties ends with a slash."""
    for name in names:
        path = PurePosixPath(name)
        if path.name == _EMPTIED:
            yield f"{path.parent}/"
        elif path.name.startswith(_REMOVED):
            yield str(path.parent / path.name.removeprefix(_REMOVED))


def _below(name: str, path: str) -> bool:
    return name.startswith(path) if path.endswith("/") else name == path or name.startswith(f"{path}/")


def _is_mark(name: str) -> bool:
    return PurePosixPath(name).name.startswith(_REMOVED)
