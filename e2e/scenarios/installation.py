"""The operator, installed by Helm as a user installs it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster.kubectl import Kubectl
from e2e.cluster.parts import path_of
from e2e.cluster.progress import Failed, command
from e2e.scenarios.objects import Object

__all__ = ["NAMESPACE", "Helm", "installed", "operator_pod"]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "vaportrail"
VALUES = ROOT / "e2e" / "values.yaml"
NAMESPACE = "vaportrail-system"
RELEASE = "vaportrail"


class Helm:
    """Runs helm with a kubeconfig; what fails raises `Failed` with helm's own words."""

    def __init__(self, kubeconfig: Path, *, namespace: str) -> None:
        self._options = ["--kubeconfig", str(kubeconfig), "--namespace", namespace]
        self._program = path_of("helm")

    def __call__(self, *words: str | Path) -> str:
        """Run it with these arguments; returns what it printed."""
        env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        return command(self._program, *self._options, *words, env=env)


@contextmanager
def installed(
    administrator: Kubectl, *values: str, namespace: str = NAMESPACE, file: Path = VALUES
) -> Iterator[Kubectl]:
    """Install the chart and wait until the operator is ready; gives kubectl for its namespace.

    Args:
        administrator: may do everything.
        values: `--set` words, such as ``"watchNamespaces={team-a}"``.
        namespace: of the release; made where it is not there, and removed again.
        file: of values.
    """
    helm = Helm(administrator.kubeconfig, namespace=namespace)
    settings = [word for value in values for word in ("--set", value)]
    try:
        helm(
            "install", RELEASE, CHART, "--create-namespace", "--values", file, *settings,
            "--wait", "--timeout=120s",
        )  # fmt: skip
        yield Kubectl(administrator.kubeconfig, namespace=namespace)
    except Failed as error:
        seen = Kubectl(administrator.kubeconfig, namespace=namespace)
        told = [seen("get", "pods", "--output=wide"), seen("events")]
        raise Failed("\n".join([str(error), *told])) from error
    finally:
        helm("uninstall", RELEASE, "--ignore-not-found", "--wait", "--timeout=60s")
        administrator("delete", "namespace", namespace, "--ignore-not-found")


def operator_pod(namespace: Kubectl) -> Object:
    """Return the pod that the operator runs in, as kubectl prints it."""
    pods = namespace.json("get", "pods")["items"]
    (pod,) = [each for each in pods if not each["metadata"].get("deletionTimestamp")]
    found: Object = pod
    return found
