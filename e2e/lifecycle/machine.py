"""What a cluster could leave on this machine, and how a process of it is ended."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from e2e.cluster.layout import layout
from e2e.cluster.mounts import FOLDERS, TUNABLES
from e2e.cluster.processes import Started

__all__ = ["Machine", "differences", "kill", "machine"]

Machine = dict[str, list[str]]
"""What is there, by kind."""

_OUTSIDE = (
    *FOLDERS,
    "/usr/libexec/kubernetes",
    "/etc/cni",
    "/etc/containerd",
    "/run/netns",
    "/var/run/secrets",
)
"""Folders that a node's programs are known to write to."""


def machine() -> Machine:
    """Return what a cluster could leave on this machine, by kind."""
    interfaces = json.loads(_told("ip", "-json", "link", "show"))
    chains = [line for line in _told("iptables-save").splitlines() if line.startswith((":", "-A"))]
    ours = layout().state.parent
    return {
        "processes": sorted(_processes()),
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "network namespaces": sorted(path.name for path in Path("/run/netns").glob("*")),
        "interfaces": sorted(each["ifname"] for each in interfaces),
        "routes": sorted(_told("ip", "-4", "route", "show", "table", "all").splitlines()),
        "iptables": sorted(chain.split("[")[0] for chain in chains),
        "control groups": sorted(str(path) for path in Path("/sys/fs/cgroup").rglob("*vt-e2e*")),
        "kernel": [
            f"{name}={Path('/proc/sys', name).read_text()}" for name in (*TUNABLES, "net/ipv4/ip_forward")
        ],
        "files": sorted(str(path) for path in ours.glob("*/*") if path.name != "logs"),
        "other folders": sorted(str(path) for folder in _OUTSIDE for path in _walk(Path(folder))),
    }


def _told(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def _walk(folder: Path) -> Iterator[Path]:
    if folder.exists():
        yield folder
        yield from folder.rglob("*")


def _processes() -> Iterator[str]:
    """Yield the processes that are in a cluster's control groups, or not in this machine's own network."""
    here = Path("/proc/self/ns/net").readlink()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            elsewhere = (folder / "ns" / "net").readlink() != here
            if elsewhere or "/vt-e2e" in (folder / "cgroup").read_text():
                yield f"{folder.name} {(folder / 'comm').read_text().strip()}"
        except OSError:  # it ended meanwhile
            continue


def differences(before: Machine, after: Machine) -> Machine:
    """Return what is there now and was not before, or the other way round, by kind."""
    found = {kind: sorted(set(after[kind]) ^ set(before[kind])) for kind in before}
    return {kind: new for kind, new in found.items() if new}


def kill(one: Started) -> None:
    """End a process at once; returns when it is gone."""
    watched = os.pidfd_open(one.pid)
    os.kill(one.pid, signal.SIGKILL)
    select.select([watched], [], [])  # readable once it has ended
    os.close(watched)
