"""What this machine must have: told at once, before anything is made; Debian's packages are installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from e2e.cluster.progress import Failed, command, step

__all__ = ["CONTROL_PLANE", "NODE", "install", "missing_capabilities"]

CONTROL_PLANE = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mount": "mount",
    "openssl": "openssl",
    "sysctl": "procps",
}
"""The programs that the control plane needs, with Debian's package of each."""

NODE = {
    **CONTROL_PLANE,
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
}
"""The programs that a node and the building of its images need, with Debian's package of each."""

_CAPABILITIES = {12: "NET_ADMIN", 21: "SYS_ADMIN", 18: "SYS_CHROOT", 19: "SYS_PTRACE"}


def install(programs: dict[str, str]) -> None:
    """Make sure that this process may do what is needed, and that the programs are there.

    Raises:
        Failed: not root, without a capability, or a program is missing and this is no Debian.
    """
    if os.geteuid() != 0:
        raise Failed(
            f"a cluster from host processes needs root, and this is uid {os.geteuid()}: run it as root, or, "
            "where Docker is, with E2E_CLUSTER=kind"
        )
    status = Path("/proc/self/status").read_text()
    if lost := missing_capabilities(status):
        raise Failed(f"root lacks CAP_{', CAP_'.join(lost)} here: start this container or machine with them")
    packages = sorted({package for name, package in programs.items() if not _there(name)})
    if not packages:
        return
    if not shutil.which("apt-get"):
        raise Failed(f"not installed, and there is no apt-get to install it: {', '.join(packages)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with step(f"installing {' '.join(packages)}"):
        command("apt-get", "update", "-qq", env=quiet)
        command("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, env=quiet)
    if lost := [name for name in programs if not _there(name)]:
        raise Failed(f"installed, and not found: {', '.join(lost)}; is /usr/sbin on the PATH?")


def missing_capabilities(status: str) -> Collection[str]:
    """Return the names of the needed capabilities that a `/proc/<pid>/status` does not list as effective."""
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    held = int(effective, 16)
    return [name for bit, name in _CAPABILITIES.items() if not held >> bit & 1]


def _there(name: str) -> bool:
    return Path(name).exists() if name.startswith("/") else shutil.which(name) is not None
