"""The cluster's control groups: every process is in them, whoever started it, so that all can be ended."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from e2e.cluster.progress import Failed

__all__ = ["ControlGroups"]

_MOUNT = Path("/sys/fs/cgroup")
_COMPONENTS = "components"
_PATIENCE = 20.0


class ControlGroups:
    """A control group of one name, in every hierarchy of version 1, or in the one of version 2."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._roots = [hierarchy / name for hierarchy in _hierarchies()]

    def create(self) -> None:
        """Make the groups; does nothing to those that are there.

        Raises:
            Failed: there are none here, or they can't be written to.
        """
        if not self._roots:
            raise Failed(f"there are no control groups at {_MOUNT}: this container was started without them")
        try:
            for root in self._roots:
                (root / _COMPONENTS).mkdir(parents=True, exist_ok=True)
                for group in (root, root / _COMPONENTS):
                    _inherit_cpus(group)
            if _unified():
                for group in (_MOUNT, _MOUNT / self.name):
                    _enable(group, (group / "cgroup.controllers").read_text().split())
        except OSError as error:
            raise Failed(
                f"{error.filename}: {error.strerror}; the cluster needs control groups that it may write to: "
                "run it on the machine itself, or in a container that was given them"
            ) from error

    def enter(self) -> None:
        """Move the calling process into the group of the components; its children follow."""
        for root in self._roots:
            (root / _COMPONENTS / "cgroup.procs").write_text("0")

    def processes(self) -> set[int]:
        """Return the pids of every process in the groups and below them."""
        found: set[int] = set()
        for root in self._roots:
            for folder, _, _ in os.walk(root):
                try:
                    found |= {int(pid) for pid in Path(folder, "cgroup.procs").read_text().split()}
                except OSError:  # the group went away meanwhile
                    continue
        return found - {0}  # what is in another pid namespace is told as 0

    def kill(self) -> None:
        """End every process in the groups at once, those that are started meanwhile too.

        Raises:
            Failed: some could not be ended in 20 seconds.
        """
        deadline = time.monotonic() + _PATIENCE
        while left := self.processes():
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if time.monotonic() > deadline:
                raise Failed(f"these processes can't be ended: {sorted(left)}")
            time.sleep(0.02)

    def remove(self) -> None:
        """Remove the groups and what is below them; there must be no process in them."""
        for root in self._roots:
            below = sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True)
            for group in [*below, root] if root.exists() else []:
                _remove(group)


def _unified() -> bool:
    return (_MOUNT / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    if _unified():
        return [_MOUNT]
    found = (file.parent for file in _MOUNT.glob("*/cgroup.procs"))
    return sorted(path for path in found if not path.is_symlink())


def _enable(group: Path, controllers: list[str]) -> None:
    already = (group / "cgroup.subtree_control").read_text().split()
    for name in controllers:
        if name not in already:
            (group / "cgroup.subtree_control").write_text(f"+{name}")


def _inherit_cpus(group: Path) -> None:
    """Give a group of version 1's cpuset hierarchy its parent's processors: without any it takes nobody."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (group / name).exists() and not _unified() and not (group / name).read_text().strip():
            (group / name).write_text((group.parent / name).read_text())


def _remove(group: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while group.exists():
        try:
            group.rmdir()
        except OSError:  # a process that was ended is not collected yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
