"""The cluster's network namespace, and the link and routes by which this machine reaches into it."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from e2e.cluster.layout import Layout
from e2e.cluster.progress import Failed, command

__all__ = ["create", "exists", "remove"]


def exists(layout: Layout) -> bool:
    """Say whether the cluster has its network namespace."""
    listed: list[dict[str, Any]] = json.loads(command("ip", "-json", "netns", "list") or "[]")
    return any(each["name"] == layout.name for each in listed)


def create(layout: Layout) -> None:
    """Make the network namespace, with a link to this machine and routes to its pods and Services.

    Bridges, chains of iptables, routes and sysctls of the cluster are all inside, and go with it. There is
    no route from it to anywhere but this machine's end of the link.

    Raises:
        Failed: this machine already has a route to one of the networks, or its name server is in one.
    """
    for network in (layout.link, layout.pods, layout.services):
        _refuse_taken(network)
    outside, inside = f"{layout.name}-h", f"{layout.name}-n"
    command("ip", "netns", "add", layout.name)
    within = ("ip", "-n", layout.name)
    command("ip", "link", "add", outside, "type", "veth", "peer", inside, "netns", layout.name)
    command("ip", "addr", "add", f"{layout.host_address}/{layout.link.prefixlen}", "dev", outside)
    command("ip", "link", "set", outside, "up")
    command(*within, "addr", "add", f"{layout.node_address}/{layout.link.prefixlen}", "dev", inside)
    command(*within, "link", "set", "lo", "up")
    command(*within, "link", "set", inside, "up")
    command("ip", "netns", "exec", layout.name, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    for network in (layout.pods, layout.services):
        command("ip", "route", "add", str(network), "via", layout.node_address, "dev", outside)
    # Without any route to a Service's address, a connection from the node itself has no source address.
    command(*within, "route", "add", str(layout.services), "via", layout.host_address, "dev", inside)
    command(*within, "route", "add", "unreachable", "default")


def remove(layout: Layout) -> None:
    """Remove the network namespace with everything in it; does nothing where there is none.

    The link goes with it, and the routes with the link.
    """
    outside = f"{layout.name}-h"
    links: list[dict[str, Any]] = json.loads(command("ip", "-json", "link", "show") or "[]")
    if any(link["ifname"] == outside for link in links):
        command("ip", "link", "delete", outside)
    if exists(layout):
        command("ip", "netns", "delete", layout.name)


def _refuse_taken(network: IPv4Network) -> None:
    for line in Path("/etc/resolv.conf").read_text().splitlines():
        words = line.split()
        if words[:1] == ["nameserver"] and ":" not in words[1] and IPv4Address(words[1]) in network:
            raise Failed(f"this machine's name server {words[1]} is in {network}, which the cluster needs")
    routes: list[dict[str, Any]] = json.loads(command("ip", "-json", "-4", "route", "show", "table", "all"))
    for route in routes:
        if route["dst"] == "default" or route.get("type") in ("broadcast", "multicast"):
            continue
        if IPv4Network(route["dst"], strict=False).overlaps(network):
            raise Failed(
                f"this machine has a route to {route['dst']} ({route.get('dev', 'no device')}), and "
                f"the cluster needs {network}: take down what uses it"
            )
