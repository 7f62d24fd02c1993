"""The configuration files of the cluster's components.

Pure: from a layout to their contents. JSON, which is YAML too, is what most of them are written in.
"""

from __future__ import annotations

from typing import Any

from e2e.cluster.layout import CLUSTER_DOMAIN, NODE, OPERATORS_NAMESPACE, Layout

__all__ = ["configuration_files"]

_CNI_PLUGINS = "/usr/lib/cni"


def configuration_files(layout: Layout) -> dict[str, Any]:
    """Return the configuration files by name; what is no text is to be written as JSON."""
    audit = {layout.audit_policy.name: _audit_policy()}
    if layout.control_plane:
        return audit
    return {
        **audit,
        "containerd.toml": _containerd_toml(layout),
        "cni/10-e2e.conflist": _network(layout),
        "kubelet.yaml": _kubelet_configuration(layout),
        "kube-proxy.yaml": _proxy_configuration(layout),
    }


def _audit_policy() -> dict[str, Any]:
    # Who asked what, without what was sent and answered; of the operator only, so that it stays small.
    operators = [f"system:serviceaccounts:{OPERATORS_NAMESPACE}"]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "userGroups": operators}, {"level": "None"}],
    }


def _containerd_toml(layout: Layout) -> str:
    # Many containers and virtual machines have no CAP_SYS_RESOURCE, without which nobody may lower an
    # oom_score_adj: hence restrict_oom_score_adj.
    return f"""version = 2
root = "{layout.images}"
state = "{layout.state / "containerd"}"
[grpc]
address = "{layout.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/vaportrail/e2e-pause:dev"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
disable_tcp_service = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{_CNI_PLUGINS}"
conf_dir = "{layout.configuration / "cni"}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def _network(layout: Layout) -> dict[str, Any]:
    # A link of its own for each pod, not a bridge: all traffic is routed, so Services work on every kernel.
    return {
        "cniVersion": "0.4.0",
        "name": layout.name,
        "plugins": [
            {
                "type": "ptp",
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(layout.state / "addresses"),
                    "ranges": [[{"subnet": str(layout.pods)}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def _kubelet_configuration(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.credentials / "kubelet-client.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.name}",
        "clusterDNS": [layout.dns_address],
        "clusterDomain": CLUSTER_DOMAIN,
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "failSwapOn": False,
        "healthzBindAddress": layout.node_address,
        "imageGCHighThresholdPercent": 100,
        "maxPods": 200,
        "oomScoreAdj": 0,
        "resolvConf": "/etc/resolv.conf",
        "serializeImagePulls": False,
        "shutdownGracePeriod": "0s",
        "syncFrequency": "10s",
        "volumePluginDir": str(layout.volume_plugins),
    }


def _proxy_configuration(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": str(layout.pods),
        "hostnameOverride": NODE,
        "oomScoreAdj": 0,
        "clientConnection": {"kubeconfig": str(layout.kubeconfig)},
        "conntrack": {"maxPerCore": 0},
    }
