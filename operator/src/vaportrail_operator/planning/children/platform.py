"""What the platform sets, put into a finished pod: whom it runs as, whom it trusts, what it goes through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.validation.pod_rules import OWN_VOLUMES
from vaportrail_operator.planning.children.pod_settings import appended
from vaportrail_operator.planning.children.pod_template import variable
from vaportrail_operator.planning.names import collector_name, head_service_name
from vaportrail_operator.planning.run_pods import RunPods

__all__ = ["on_the_platform"]

_CA: Final = {"name": f"{OWN_VOLUMES}ca", "mountPath": "/vaportrail/ca", "readOnly": True}
_CA_FILE: Final = "/vaportrail/ca/ca.crt"
_TRUSTING: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""By these Python, Go, Rust and OpenSSL are told of a bundle, and Python's `requests`."""
_WITHIN: Final = ("localhost", "127.0.0.1", "::1", ".svc", ".cluster.local")


def on_the_platform(spec: Mapping[str, Any], run: PipelineRun, run_pods: RunPods) -> dict[str, Any]:
    """Return a pod's specification with what holds for all pods of runs.

    A variable that a container has already stays as it is; volumes and mounts are the operator's own.
    """
    made = dict(spec)
    context = {**spec["securityContext"], **run_pods.user}
    if "fsGroup" not in context:
        context.pop("fsGroupChangePolicy", None)
    made["securityContext"] = context
    if run_pods.topology_spread:
        made["topologySpreadConstraints"] = [dict(each) for each in run_pods.topology_spread]
    if run_pods.ca_config_map:
        bundle = {"name": run_pods.ca_config_map, "items": [{"key": run_pods.ca_key, "path": "ca.crt"}]}
        made["volumes"] = [*spec["volumes"], {"name": _CA["name"], "configMap": bundle}]
    env = list(_variables(run, run_pods))
    for containers in ("initContainers", "containers"):
        if containers in spec:
            made[containers] = [_container(each, env, run_pods) for each in spec[containers]]
    return made


def _container(made: Mapping[str, Any], env: list[dict[str, Any]], run_pods: RunPods) -> dict[str, Any]:
    mounts = [*made["volumeMounts"], *([dict(_CA)] if run_pods.ca_config_map else [])]
    return {**made, "env": appended(env, made["env"], "name"), "volumeMounts": mounts}


def _variables(run: PipelineRun, run_pods: RunPods) -> Iterator[dict[str, Any]]:
    if run_pods.ca_config_map:
        yield from (variable(name, _CA_FILE) for name in _TRUSTING)
    proxy = {name: run_pods.proxy[name] for name in ("http", "https") if run_pods.proxy.get(name)}
    if not proxy:
        return
    own = (collector_name(run), head_service_name(run))
    given = filter(None, run_pods.proxy.get("no", "").split(","))
    proxy["no"] = ",".join(dict.fromkeys([*_WITHIN, *own, *given]))
    for name, value in proxy.items():
        yield variable(f"{name.upper()}_PROXY", value)
        # Some programs know the one, some the other.
        yield variable(f"{name}_proxy", value)
    # Ray's own connections are gRPC, by addresses of pods, which no list of names can hold.
    yield variable("grpc_proxy", "")
