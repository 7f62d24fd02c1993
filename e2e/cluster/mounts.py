"""The cluster's mount namespace: what its programs mount, and where they would write outside its folder."""

from __future__ import annotations

from pathlib import Path

from e2e.cluster.layout import Layout
from e2e.cluster.progress import command

__all__ = ["FOLDERS", "TUNABLES", "below", "create", "remove"]

FOLDERS = (
    "/opt/containerd",
    "/run/containerd",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
)
"""Where kubelet, containerd and CNI plugins write whatever they are configured with."""

TUNABLES = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
"""Settings of this machine's kernel, below /proc/sys, that the kubelet would change."""


def create(layout: Layout) -> None:
    """Make the mount namespace; in it those folders and settings are the cluster's own.

    Where a folder is not there, an empty one is made to mount on.
    """
    own = layout.state / "outside"
    own.mkdir()
    script, made = [], []
    # Without a kubelet and a container runtime there is nobody to write there.
    folders, tunables = ((), ()) if layout.control_plane else (FOLDERS, TUNABLES)
    for folder in folders:
        (own / folder.strip("/")).mkdir(parents=True)
        if not Path(folder).exists():
            Path(folder).mkdir(parents=True)
            made.append(folder)
        script.append(f"mount --bind '{own}{folder}' {folder}")
    (own / "made").write_text("\n".join(made))
    for name in tunables:
        setting, copy = Path("/proc/sys", name), own / "sysctl" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(setting.read_text())
        script.append(f"mount --bind '{copy}' {setting}")
    # The kubelet's mounts must reach the container runtime and its containers.
    script.append("mount --make-rshared /")
    private = layout.mounts.parent
    private.mkdir()
    command("mount", "--bind", private, private)
    command("mount", "--make-private", private)
    layout.mounts.touch()
    command("unshare", f"--mount={layout.mounts}", "--propagation=private", "sh", "-ec", "\n".join(script))


def remove(layout: Layout) -> None:
    """Remove the mount namespace, with every mount in it; the processes that used it are gone already."""
    for point in below(layout.state, Path("/proc/self/mountinfo").read_text()):
        command("umount", point)
    made = layout.state / "outside" / "made"
    for folder in made.read_text().split() if made.exists() else []:
        if Path(folder).exists() and not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def below(folder: Path, mountinfo: str) -> list[str]:
    """Return the mount points below a folder, the last mounted first.

    Args:
        folder: an absolute path without symbolic links.
        mountinfo: the text of a `/proc/<pid>/mountinfo` (proc(5)).
    """
    points = [_unescaped(line.split()[4]) for line in mountinfo.splitlines()]
    return [point for point in reversed(points) if Path(point).is_relative_to(folder)]


def _unescaped(field: str) -> str:
    return field.encode("ascii", "backslashreplace").decode("unicode_escape")
