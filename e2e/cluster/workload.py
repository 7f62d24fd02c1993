"""What a scenario finds in the cluster: DNS, KubeRay and the object store, or kwok's nodes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.images import IMAGES, archive, binary_image
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.parts import PARTS, build, path_of
from e2e.cluster.progress import Failed

__all__ = ["Workload", "workload"]

MANIFESTS = Path(__file__).parent / "manifests"
_PATIENCE = 120
_PROGRAMS = ("pause", "coredns", "kuberay-operator", "otelcol")


@dataclass(frozen=True)
class Workload:
    """Images, manifests and what of them must be ready.

    Attributes:
        manifests: files and folders, applied in this order.
        ready: what is waited for: an object, or `--all` of a kind, and its condition.
        pods: whether pods really run, so that images are needed.
    """

    manifests: tuple[Path, ...]
    ready: tuple[tuple[str, ...], ...]
    pods: bool

    def images(self) -> Iterator[tuple[str, Path]]:
        """Build each image where it is not in the cache; yields its name and its archive."""
        if not self.pods:
            return
        programs = {name: path_of(name) for name in _PROGRAMS}
        programs["seaweedfs"] = Path(sys.executable).parent / "weed"
        for image in (*(binary_image(name, path) for name, path in programs.items()), *IMAGES.values()):
            yield image.tag, archive(image)

    def apply(self, kubectl: Kubectl) -> None:
        """Create or update every object."""
        files = [word for manifest in self.manifests for word in ("--filename", manifest)]
        # Server-side: KubeRay's definitions are too large for the annotation that the other way writes.
        kubectl("apply", "--server-side", "--force-conflicts", *files)

    def wait(self, kubectl: Kubectl) -> None:
        """Return once everything is ready.

        Raises:
            Failed: something is not in two minutes; with what the pods and their programs say.
        """
        try:
            kubectl.wait_established("rayclusters.ray.io", timeout=_PATIENCE)
            for target in self.ready:
                kubectl("wait", *target, f"--timeout={_PATIENCE}s")
        except Failed as error:
            pods = kubectl("get", "pods,nodes", "--all-namespaces", "--output=wide")
            events = kubectl("events", "--all-namespaces", "--types=Warning")
            raise Failed(f"{error}\n{pods}\n{events[-3000:]}") from error


def workload(*, control_plane: bool = False, dns: bool = True) -> Workload:
    """Return what belongs into a cluster.

    Args:
        control_plane: no pods run; nodes are played by kwok.
        dns: the cluster has no DNS of its own.
    """
    config = build(next(part for part in PARTS if part.name == "kuberay")) / "config"
    definitions = config / "crd" / "bases"
    if control_plane:
        return Workload(
            (definitions, MANIFESTS / "kwok.yaml"),
            (("node", "--all", "--for=condition=Ready"),),
            pods=False,
        )
    role = config / "rbac" / "role.yaml"
    names = ["dns", "kuberay", "object-store"] if dns else ["kuberay", "object-store"]
    return Workload(
        (*(MANIFESTS / f"{name}.yaml" for name in names), definitions, role),
        (
            ("node", "--all", "--for=condition=Ready"),
            ("deployment", "--all", "--all-namespaces", "--for=condition=Available"),
        ),
        pods=True,
    )
