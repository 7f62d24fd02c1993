"""What the operator was installed with, read from its environment variables."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vaportrail.crd.quantity import parse_quantity
from vaportrail.errors import UsageError
from vaportrail_operator.planning.run_pods import RunPods, read_run_pods
from vaportrail_operator.planning.types import OperatorSettings
from vaportrail_operator.version import __version__

__all__ = ["VARIABLES", "Environment", "read_environment"]

VARIABLES = {
    "VAPORTRAIL_OPERATOR_IMAGE": "image of the sealer pods: the operator's own (required)",
    "VAPORTRAIL_COLLECTOR_IMAGE": "image of the collector pods, an otelcol-contrib (required)",
    "VAPORTRAIL_IMAGE_PULL_POLICY": "of those two: Always, IfNotPresent (default) or Never",
    "VAPORTRAIL_IMAGE_PULL_SECRETS": "names of Secrets for those two, comma separated",
    "VAPORTRAIL_COLLECTOR_RESOURCES": "of the collector's container, as JSON",
    "VAPORTRAIL_SEALER_RESOURCES": "of the sealer's container, as JSON",
    "VAPORTRAIL_RUN_PODS": "what holds for all pods of runs: the chart's runPods, as JSON",
    "VAPORTRAIL_WATCH_NAMESPACES": "namespaces to watch, comma separated; empty: all",
    "VAPORTRAIL_LOG_LEVEL": "DEBUG, INFO (default), WARNING or ERROR",
    "VAPORTRAIL_PORT": "of /metrics, /healthz and /readyz (default 8080)",
    "VAPORTRAIL_LEASE": "name of the Lease in VAPORTRAIL_NAMESPACE (default vaportrail-operator)",
    "VAPORTRAIL_NAMESPACE": "the operator's namespace (required)",
    "VAPORTRAIL_POD_NAME": "the operator's identity on the Lease (default: host name and process id)",
}
"""Each variable, and what it says."""

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PORTS = range(65536)


@dataclass(frozen=True, slots=True)
class Environment:
    """The operator's settings.

    Attributes:
        settings: what plans follow from.
        namespaces: to watch; none: all.
        log_level: of our own loggers.
        port: of the probes and metrics.
        namespace: the operator's own.
        identity: on the Lease.
        lease: the Lease's name.
    """

    settings: OperatorSettings
    namespaces: tuple[str, ...]
    log_level: str
    port: int
    namespace: str
    identity: str
    lease: str


def read_environment(variables: Mapping[str, str]) -> Environment:
    """Return the settings.

    Raises:
        UsageError: some variables are missing or wrong; names all of them, one a line.
    """
    problems: list[str] = []

    def required(name: str) -> str:
        value = variables.get(name, "").strip()
        if not value:
            problems.append(f"{name} is not set: it is the {VARIABLES[name].removesuffix(' (required)')}")
        return value

    def chosen(name: str, choices: tuple[str, ...], default: str) -> str:
        value = variables.get(name, "").strip() or default
        if value not in choices:
            problems.append(f"{name} is {value!r}: use one of {', '.join(choices)}")
        return value

    def listed(name: str) -> tuple[str, ...]:
        return tuple(part for each in variables.get(name, "").split(",") if (part := each.strip()))

    def resources(name: str) -> Mapping[str, Any]:
        text = variables.get(name, "").strip()
        try:
            value = json.loads(text) if text else {}
        except ValueError as error:
            problems.append(f'{name} is not JSON ({error}): use {{"requests": {{"cpu": "100m"}}}}')
            return {}
        if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
            problems.append(f'{name} is {text}: use {{"requests": {{…}}, "limits": {{…}}}}')
            return {}
        problems.extend(f"{name}: {problem}" for problem in _no_quantities(value))
        return value

    def run_pods(name: str) -> RunPods:
        try:
            return read_run_pods(variables.get(name, ""))
        except ValueError as error:
            problems.append(f"{name}: {error}")
            return RunPods()

    def port(name: str, default: int) -> int:
        text = variables.get(name, "").strip() or str(default)
        if not text.isdecimal() or int(text) not in _PORTS:
            problems.append(f"{name} is {text!r}: use a number from 0 to 65535")
            return default
        return int(text)

    namespaces = listed("VAPORTRAIL_WATCH_NAMESPACES")
    wrong = [each for each in namespaces if not _LABEL.fullmatch(each)]
    if wrong:
        problems.append(f"VAPORTRAIL_WATCH_NAMESPACES: {', '.join(wrong)} cannot be names of namespaces")
    found = Environment(
        settings=OperatorSettings(
            operator_image=required("VAPORTRAIL_OPERATOR_IMAGE"),
            collector_image=required("VAPORTRAIL_COLLECTOR_IMAGE"),
            image_pull_policy=chosen("VAPORTRAIL_IMAGE_PULL_POLICY", _PULL_POLICIES, "IfNotPresent"),
            image_pull_secrets=listed("VAPORTRAIL_IMAGE_PULL_SECRETS"),
            version=__version__,
            collector_resources=resources("VAPORTRAIL_COLLECTOR_RESOURCES"),
            sealer_resources=resources("VAPORTRAIL_SEALER_RESOURCES"),
            run_pods=run_pods("VAPORTRAIL_RUN_PODS"),
        ),
        namespaces=namespaces,
        log_level=chosen("VAPORTRAIL_LOG_LEVEL", _LEVELS, "INFO"),
        port=port("VAPORTRAIL_PORT", 8080),
        namespace=required("VAPORTRAIL_NAMESPACE"),
        identity=variables.get("VAPORTRAIL_POD_NAME", "").strip() or f"{socket.gethostname()}-{os.getpid()}",
        lease=variables.get("VAPORTRAIL_LEASE", "").strip() or "vaportrail-operator",
    )
    if problems:
        raise UsageError("\n".join(problems))
    return found


def _no_quantities(resources: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for kind, amounts in resources.items():
        for name, amount in amounts.items():
            try:
                # Other than in a run's, a fraction may be a number: it is what Helm makes of it.
                parse_quantity(str(amount) if isinstance(amount, float) else amount)
            except ValueError as error:
                yield f"{kind}.{name} is {amount!r}: {error}"
