"""Ports for servers that are told theirs as they start."""

from __future__ import annotations

import random
import socket
from pathlib import Path

__all__ = ["free_ports"]

_LOWEST = 15_000
_KERNELS = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody listens at.

    They lie below those that the kernel gives to whoever asks for any port: one of these that is free now
    may be the end of somebody's connection by the time that a server takes it.

    Args:
        count: how many; no two are the same.
    """
    end = int(_KERNELS.read_text().split()[0])
    candidates = list(range(_LOWEST, end))
    random.SystemRandom().shuffle(candidates)
    found: list[int] = []
    for port in candidates:
        if len(found) == count:
            return found
        if _is_free(port):
            found.append(port)
    raise RuntimeError(f"of ports {_LOWEST} to {end - 1} only {len(found)} are free, and not {count}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
