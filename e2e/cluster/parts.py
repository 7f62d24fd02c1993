"""The programs of the cluster: Go modules, built once and kept by the content of their go.mod and go.sum."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from e2e.cluster.cache import building, cache_root, kept, key_of
from e2e.cluster.golang import TOOLCHAIN, environment, go
from e2e.cluster.progress import command, step

__all__ = ["KUBERNETES", "PARTS", "Part", "build", "path_of"]

SOURCES = Path(__file__).parent / "modules"
KUBERNETES = "1.34.4"


@dataclass(frozen=True)
class Part:
    """One program, or several of one module.

    Attributes:
        name: the folder with its `go.mod`, under `modules/`.
        packages: the import path of each program, by the name it is called here.
        defines: variables that the linker sets, by their full name.
        files: what is kept of a module beside the programs: the module's path, and the folder in it.
    """

    name: str
    packages: dict[str, str]
    defines: dict[str, str] = field(default_factory=dict)
    files: tuple[tuple[str, str], ...] = ()


_GIT = "k8s.io/component-base/version"
_KUBERAY = "github.com/ray-project/kuberay/ray-operator"

PARTS = (
    Part(
        "kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubectl",
            )
        },
        defines={
            f"{_GIT}.gitVersion": f"v{KUBERNETES}",
            f"{_GIT}.gitMajor": KUBERNETES.split(".")[0],
            f"{_GIT}.gitMinor": KUBERNETES.split(".")[1],
        },
    ),
    Part("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Part("pause", {"pause": "."}),
    Part("coredns", {"coredns": "."}),
    Part("kuberay", {"kuberay-operator": _KUBERAY}, files=((_KUBERAY, "config"),)),
    Part("collector", {"otelcol": "."}),
    Part("kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}, files=(("sigs.k8s.io/kwok", "kustomize/stage"),)),
    Part("helm", {"helm": "helm.sh/helm/v4/cmd/helm"}),
)
_BY_PROGRAM = {program: part for part in PARTS for program in part.packages}


def build(part: Part) -> Path:
    """Build a part where it is not in the cache yet; returns the folder with its programs and files."""
    target = cache_root() / "parts" / f"{part.name}-{_key(part)}"
    with building(target) as folder:
        if folder:
            with step(f"building {part.name}"):
                _compile(part, folder)
    kept(target.parent, part.name)
    return target


def path_of(program: str) -> Path:
    """Return a program by its name, built where it is not yet; raises KeyError for an unknown one."""
    return build(_BY_PROGRAM[program]) / program


def _key(part: Part) -> str:
    # The whole environment is not part of it: builds are static, and go.sum fixes what goes into them.
    flags = [environment()[name] for name in ("CGO_ENABLED", "GOFLAGS")]
    told = f"{part.packages}{part.defines}{part.files}{flags}{TOOLCHAIN}"
    return key_of([SOURCES / part.name], extra=told)


def _compile(part: Part, folder: Path) -> None:
    folder.mkdir()
    source = SOURCES / part.name
    variables = " ".join(f"-X {name}={value}" for name, value in part.defines.items())
    for program, package in part.packages.items():
        flags = ("-ldflags", f"-s -w {variables}".strip())
        command(go(), "build", *flags, "-o", folder / program, package, cwd=source, env=environment())
    for module, name in part.files:
        listed = command(go(), "list", "-m", "-f", "{{.Dir}}", module, cwd=source, env=environment())
        shutil.copytree(Path(listed.strip(), name), folder / name, copy_function=shutil.copyfile)
