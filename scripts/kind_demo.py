#!/usr/bin/env python3
"""`make kind-demo`: the commands of docs/kubernetes.md's first ten minutes, on a new cluster of kind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from first_minutes import PAGE, StepFailed, perform, steps_of

CLUSTER = "vaportrail"
NEEDED = {
    "docker": "https://docs.docker.com/engine/install",
    "kind": "https://kind.sigs.k8s.io",
    "kubectl": "https://kubernetes.io/docs/tasks/tools",
    "helm": "https://helm.sh/docs/intro/install",
    "curl": "your distribution's packages",
}
"""The programs that the page's commands are, and where each comes from."""


def main() -> int:
    missing = [name for name in NEEDED if not shutil.which(name)]
    for name in missing:
        print(f"`{name}` is not on the PATH: {NEEDED[name]}", file=sys.stderr)
    if missing:
        print("Without Docker, as root on Debian: make e2e-demo", file=sys.stderr)
        return 1
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        print("`docker info` fails: start Docker, or see to it that you may use it", file=sys.stderr)
        return 1
    there = subprocess.run(["kind", "get", "clusters"], capture_output=True, text=True).stdout.split()
    if CLUSTER in there:
        print(f"there is a cluster {CLUSTER}: kind delete cluster --name {CLUSTER}", file=sys.stderr)
        return 1
    try:
        seconds = perform(steps_of(PAGE.read_text(encoding="utf-8")))
    except StepFailed as error:
        print(f"\n{error}", file=sys.stderr)
        print(f"The cluster is still there: kind delete cluster --name {CLUSTER}", file=sys.stderr)
        return 1
    print(
        f"""
Done after {seconds:.0f} s. The cluster is still there; try next:

  kubectl describe --namespace pipelines pipelineruns.vaportrail.dev mnist
  kubectl apply --namespace pipelines --filename manifests/samples/hello.yaml
  kind delete cluster --name {CLUSTER}
"""
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
