"""Where a cluster lives: its folder, its network, its control groups. Names and addresses only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from e2e.cluster.cache import cache_root

__all__ = ["API_PORT", "CLUSTER_DOMAIN", "NODE", "OPERATORS_NAMESPACE", "Layout", "layout"]

NODE = "e2e-node"
"""The name of the only real node."""

OPERATORS_NAMESPACE = "vaportrail-system"
"""Where scenarios install the operator: what its ServiceAccount asks of the API server is written down."""

API_PORT = 6443
CLUSTER_DOMAIN = "cluster.local"


@dataclass(frozen=True)
class Layout:
    """A cluster's names and addresses.

    Attributes:
        name: of its network namespace and its control groups.
        state: the folder of its data, credentials, configuration, logs and process ids.
        link: the network between this machine and the cluster's network namespace: two addresses.
        pods: the pods' addresses.
        services: the Services' addresses.
        images: the container runtime's images, which outlive the cluster: unpacking them takes a minute.
        control_plane: whether there is no kubelet, and nodes and pods are played by kwok.
    """

    name: str
    state: Path
    link: IPv4Network
    pods: IPv4Network
    services: IPv4Network
    images: Path
    control_plane: bool

    @property
    def host_address(self) -> str:
        """This machine's end of the link."""
        return str(self.link[1])

    @property
    def node_address(self) -> str:
        """The cluster's end of the link: API server, kubelet."""
        return str(self.link[2])

    @property
    def dns_address(self) -> str:
        """The Service of the cluster's DNS."""
        return str(self.services[10])

    @property
    def server(self) -> str:
        """The API server's address, the same inside and outside the network namespace."""
        return f"https://{self.node_address}:{API_PORT}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def credentials(self) -> Path:
        """Keys, certificates, tokens."""
        return self.state / "credentials"

    @property
    def configuration(self) -> Path:
        """The components' configuration files."""
        return self.state / "configuration"

    @property
    def logs(self) -> Path:
        """One file a component; kept after the cluster is down, until the next one."""
        return self.state / "logs"

    @property
    def audit(self) -> Path:
        """What the operator asked of the API server, a JSON document a line."""
        return self.logs / "audit.log"

    @property
    def audit_policy(self) -> Path:
        """What of that is written down."""
        return self.configuration / "audit.yaml"

    @property
    def processes(self) -> Path:
        """One file a component: which process it is."""
        return self.state / "processes"

    @property
    def volume_plugins(self) -> Path:
        """A folder that controller manager and kubelet insist on, and nobody fills."""
        return self.state / "volume-plugins"

    @property
    def mounts(self) -> Path:
        """The file that stands for the cluster's mount namespace."""
        return self.state / "namespaces" / "mounts"

    @property
    def containerd_socket(self) -> Path:
        """The container runtime's socket."""
        return self.state / "containerd.sock"


def layout(*, control_plane: bool = False) -> Layout:
    """Return the layout of the cluster of this machine, or of its control plane without a kubelet.

    The two can be up at the same time. `$E2E_STATE` moves the folder that both live under.
    """
    folder = Path(os.environ.get("E2E_STATE", "/var/lib/vaportrail-e2e")).resolve()
    if control_plane:
        name, below, networks = (
            "vt-e2e-cp",
            "control-plane",
            ("10.245.1.0/30", "10.243.0.0/16", "10.97.0.0/16"),
        )
    else:
        name, below, networks = "vt-e2e", "cluster", ("10.245.0.0/30", "10.244.0.0/24", "10.96.0.0/16")
    link, pods, services = (IPv4Network(network) for network in networks)
    images = cache_root() / "containerd"
    return Layout(name, folder / below, link, pods, services, images, control_plane)
