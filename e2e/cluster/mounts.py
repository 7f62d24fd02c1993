"""The cluster's mounts: everything that kubelet and container runtime mounted below its folder."""

from __future__ import annotations

from pathlib import Path

from e2e.cluster.progress import command

__all__ = ["below", "remove_below"]


def below(folder: Path, mountinfo: str) -> list[str]:
    """Return the mount points below a folder, the last mounted first.

    Args:
        folder: an absolute path without symbolic links.
        mountinfo: the text of a `/proc/<pid>/mountinfo` (proc(5)).
    """
    points = [_unescaped(line.split()[4]) for line in mountinfo.splitlines()]
    return [point for point in reversed(points) if Path(point).is_relative_to(folder)]


def remove_below(folder: Path) -> None:
    """Unmount everything below a folder; the processes that used it are gone already."""
    for point in below(folder, Path("/proc/self/mountinfo").read_text()):
        command("umount", point)


def _unescaped(field: str) -> str:
    return field.encode("ascii", "backslashreplace").decode("unicode_escape")
