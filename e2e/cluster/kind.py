"""The same cluster in Docker, by kind (https://kind.sigs.k8s.io), where both are. Not run by our CI."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from e2e.cluster.kubectl import Kubectl
from e2e.cluster.layout import layout
from e2e.cluster.progress import Failed, command, step
from e2e.cluster.workload import workload

__all__ = ["KindCluster"]

_NAME = "vaportrail-e2e"


class KindCluster:
    """A cluster of one node in a container; needs `docker` and `kind`, and no root."""

    def __init__(self) -> None:
        self._folder = layout().state.with_name("kind")

    def prepare(self) -> None:
        """Build everything that a cluster needs, and make none."""
        for program in ("docker", "kind"):
            if not shutil.which(program):
                raise Failed(f"E2E_CLUSTER=kind needs `{program}`, which is not on the PATH")
        list(workload(dns=False).images())

    def up(self) -> None:
        """Bring it up, with KubeRay, the S3 server and our images; does nothing to what is up."""
        self.prepare()
        what = workload(dns=False)
        if _NAME not in command("kind", "get", "clusters").split():
            self._folder.mkdir(parents=True, exist_ok=True)
            with step("kind create cluster"):
                self._kind("create", "cluster", "--wait=180s", f"--kubeconfig={self.kubeconfig()}")
        for tag, archive in what.images():
            self.load(tag, archive)
        kubectl = Kubectl(self.kubeconfig())
        what.apply(kubectl)
        what.wait(kubectl)

    def down(self) -> None:
        """Delete it; does nothing where there is none."""
        self._kind("delete", "cluster")
        shutil.rmtree(self._folder, ignore_errors=True)

    def status(self) -> dict[str, bool]:
        """Return the pods of the cluster's own, and whether each is ready."""
        if not self.kubeconfig().exists():
            return {}
        told = json.loads(Kubectl(self.kubeconfig())("get", "pods", "--all-namespaces", "--output=json"))
        return {pod["metadata"]["name"]: pod["status"]["phase"] == "Running" for pod in told["items"]}

    def load(self, tag: str, archive: Path) -> None:
        """Make an image of a docker-archive available to pods."""
        with step(f"loading {tag}"):
            self._kind("load", "image-archive", str(archive))

    def kill(self, container: str) -> None:
        """End a container by SIGKILL; `container` is its id at the runtime."""
        ctr = ("ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container)
        command("docker", "exec", f"{_NAME}-control-plane", *ctr)

    def kubeconfig(self) -> Path:
        """Return the path of the administrator's kubeconfig."""
        return self._folder / "kubeconfig"

    def log(self, component: str) -> str:
        """Return what a program of the node has printed."""
        return command(
            "docker", "exec", f"{_NAME}-control-plane", "journalctl", "--no-pager", "--unit", component
        )

    def _kind(self, *words: str) -> str:
        return command("kind", *words, f"--name={_NAME}")
