"""The cluster's components: what each is called, what it is started with, how one sees that it is ready.

Pure: from a layout and the programs' paths to command lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from e2e.cluster.layout import API_PORT, CLUSTER_DOMAIN, NODE, Layout

__all__ = ["Component", "Probe", "components"]

_ETCD = 2379
_STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)


@dataclass(frozen=True)
class Probe:
    """An address that answers 200 once a component is ready.

    Attributes:
        url: asked without a proxy, and without looking at its certificate.
    """

    url: str


@dataclass(frozen=True)
class Component:
    """A process of the cluster.

    Attributes:
        name: of its log and its process file.
        command: the program and its arguments.
        probe: when it is ready; None where what comes after it tells.
        env: what its environment has beside this process's.
        stage: 0 starts at once, 1 when the API server is ready, 2 when the manifests are applied.
    """

    name: str
    command: tuple[str, ...]
    probe: Probe | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    stage: int = 1


def components(layout: Layout, program: Callable[[str], Path]) -> list[Component]:
    """Return the components in the order they are started in.

    Args:
        layout: the cluster's names and addresses.
        program: gives the path of a program that was built.
    """
    control_plane = [
        _etcd(layout, program("etcd")),
        _api_server(layout, program("kube-apiserver")),
        _controller_manager(layout, program("kube-controller-manager")),
        _scheduler(layout, program("kube-scheduler")),
    ]
    if layout.control_plane:
        fakes = [_kuberay(layout, program("kuberay-operator")), _kwok(layout, program("kwok"))]
        return control_plane + fakes
    node = [
        _containerd(layout),
        _kubelet(layout, program("kubelet")),
        _proxy(layout, program("kube-proxy")),
    ]
    return node[:1] + control_plane + node[1:]


def _etcd(layout: Layout, path: Path) -> Component:
    client, peer = f"http://127.0.0.1:{_ETCD}", f"http://127.0.0.1:{_ETCD + 1}"
    command = (
        str(path),
        f"--data-dir={layout.state / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        f"--listen-metrics-urls=http://{layout.node_address}:{_ETCD + 2}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )
    # The API server finds out by itself when etcd is there.
    return Component("etcd", command, Probe(f"http://{layout.node_address}:{_ETCD + 2}/health"), stage=0)


def _api_server(layout: Layout, path: Path) -> Component:
    keys = layout.credentials
    command = (
        str(path),
        f"--etcd-servers=http://127.0.0.1:{_ETCD}",
        f"--cert-dir={keys}",
        f"--secure-port={API_PORT}",
        "--bind-address=0.0.0.0",
        f"--advertise-address={layout.node_address}",
        f"--service-cluster-ip-range={layout.services}",
        f"--service-account-issuer=https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
        f"--service-account-key-file={keys / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={keys / 'service-accounts.key'}",
        f"--token-auth-file={keys / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        f"--kubelet-client-certificate={keys / 'kubelet-client.crt'}",
        f"--kubelet-client-key={keys / 'kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--enable-admission-plugins=NodeRestriction",
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit}",
        "--audit-log-maxsize=32",
        "--audit-log-maxbackup=1",
    )
    return Component("kube-apiserver", command, Probe(f"{layout.server}/readyz"), stage=0)


def _controller_manager(layout: Layout, path: Path) -> Component:
    command = (
        str(path),
        *_authenticated(layout),
        f"--service-account-private-key-file={layout.credentials / 'service-accounts.key'}",
        f"--root-ca-file={layout.credentials / 'apiserver.crt'}",
        f"--cluster-cidr={layout.pods}",
        f"--flex-volume-plugin-dir={layout.volume_plugins}",
        "--allocate-node-cidrs=false",
        "--use-service-account-credentials=true",
    )
    probe = Probe(f"https://{layout.node_address}:10257/healthz")
    return Component("kube-controller-manager", command, probe)


def _scheduler(layout: Layout, path: Path) -> Component:
    probe = Probe(f"https://{layout.node_address}:10259/healthz")
    return Component("kube-scheduler", (str(path), *_authenticated(layout)), probe)


def _authenticated(layout: Layout) -> tuple[str, ...]:
    config = layout.kubeconfig
    return (
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--leader-elect=false",
    )


def _containerd(layout: Layout) -> Component:
    return Component(
        "containerd", ("containerd", "--config", str(layout.configuration / "containerd.toml")), stage=0
    )


def _kubelet(layout: Layout, path: Path) -> Component:
    command = (
        str(path),
        f"--config={layout.configuration / 'kubelet.yaml'}",
        f"--kubeconfig={layout.kubeconfig}",
        f"--hostname-override={NODE}",
        f"--node-ip={layout.node_address}",
        f"--root-dir={layout.state / 'kubelet'}",
        f"--cert-dir={layout.state / 'kubelet' / 'pki'}",
    )
    return Component("kubelet", command, Probe(f"http://{layout.node_address}:10248/healthz"))


def _proxy(layout: Layout, path: Path) -> Component:
    command = (str(path), f"--config={layout.configuration / 'kube-proxy.yaml'}")
    return Component("kube-proxy", command, Probe(f"http://{layout.node_address}:10256/livez"))


def _kuberay(layout: Layout, path: Path) -> Component:
    command = (
        str(path),
        "--enable-leader-election=false",
        "--use-kubernetes-proxy",
        "--metrics-addr=0.0.0.0:8080",
        "--health-probe-bind-address=0.0.0.0:8082",
    )
    probe = Probe(f"http://{layout.node_address}:8082/healthz")
    env = {"KUBECONFIG": str(layout.kubeconfig)}
    return Component("kuberay-operator", command, probe, env, stage=2)


def _kwok(layout: Layout, path: Path) -> Component:
    command = (
        str(path),
        f"--kubeconfig={layout.kubeconfig}",
        "--manage-all-nodes=false",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        f"--cidr={layout.pods}",
        f"--node-ip={layout.node_address}",
        "--node-lease-duration-seconds=40",
        *(f"--config={path.parent / 'kustomize' / 'stage' / stage}" for stage in _STAGES),
        "--server-address=0.0.0.0:10247",
    )
    probe = Probe(f"http://{layout.node_address}:10247/healthz")
    return Component("kwok", command, probe)
