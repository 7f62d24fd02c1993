"""`make e2e-demo`: the page's first ten minutes on the end-to-end cluster, which has all but the operator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
from first_minutes import PAGE, Step, StepFailed, changed, perform, steps_of

from e2e.cluster.cli import Cluster, cluster
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.parts import path_of
from e2e.cluster.progress import Failed
from e2e.scenarios.bucket import ACCESS_KEY, SECRET_KEY, open_bucket
from e2e.scenarios.installation import Helm

__all__ = ["demo_steps", "main"]

RUNS, RELEASE, OPERATOR = "pipelines", "vaportrail", "vaportrail-system"
_VARIABLES = "AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}"
_LITERALS = "--from-literal=AWS_ACCESS_KEY_ID={} --from-literal=AWS_SECRET_ACCESS_KEY={}"
CHANGES = {
    "The operator": {"--create-namespace": "--create-namespace --values e2e/values.yaml"},
    "A namespace for runs": {
        "kubectl apply --namespace pipelines --filename manifests/samples/record-store.yaml": (
            "kubectl create secret generic record-store --namespace pipelines "
            + _LITERALS.format(ACCESS_KEY, SECRET_KEY)
        )
    },
    "A run": {},
    "What is left": {},
    "Its record": {
        _VARIABLES.format("development-only", "development-only-secret"): (
            _VARIABLES.format(ACCESS_KEY, SECRET_KEY)
        )
    },
}
"""The page's steps that this cluster needs, and what is different on it: its images, its bucket's keys."""


def demo_steps(page: str) -> list[Step]:
    """Return the page's steps as they are run here.

    Raises:
        ValueError: the page has changed so that they do not fit any more.
    """
    steps = {step.title: step for step in steps_of(page)}
    absent = sorted(CHANGES.keys() - steps.keys())
    if absent:
        raise ValueError(f"the page has no step {', '.join(absent)}")
    return [changed(steps[title], changes) for title, changes in CHANGES.items()]


@click.command()
def main() -> None:
    """Bring the cluster up where it is not, run the steps, and remove what they made."""
    chosen = cluster()
    try:
        with _up(chosen), _cleaned(Kubectl(chosen.kubeconfig())) as kubectl:
            s3 = kubectl.json("get", "service", "s3", "--namespace=object-store")["spec"]
            open_bucket(f"http://{s3['clusterIP']}:8333")
            seconds = perform(demo_steps(PAGE.read_text(encoding="utf-8")), env=_environment(chosen))
            # What the page shows, told in the exit status.
            kubectl.wait("pipelineruns.vaportrail.dev/mnist", "condition=Succeeded", timeout=1)
    except (Failed, StepFailed) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"\nDone after {seconds:.0f} s, of which the cluster itself is not a part.")


@contextmanager
def _up(chosen: Cluster) -> Iterator[None]:
    """Bring the cluster up; take it down again only if it was down."""
    was_up = bool(chosen.status())
    chosen.up()
    try:
        yield
    finally:
        if not was_up:
            chosen.down()


@contextmanager
def _cleaned(kubectl: Kubectl) -> Iterator[Kubectl]:
    """Remove what an earlier demo left, and in the end what this one made; gives kubectl for its runs."""
    helm = Helm(kubectl.kubeconfig, namespace=OPERATOR)

    def clean() -> None:
        kubectl("delete", "namespace", RUNS, "--ignore-not-found")
        helm("uninstall", RELEASE, "--ignore-not-found", "--wait")
        kubectl("delete", "namespace", OPERATOR, "--ignore-not-found")

    clean()
    try:
        yield Kubectl(kubectl.kubeconfig, namespace=RUNS)
    finally:
        clean()


def _environment(chosen: Cluster) -> dict[str, str]:
    folders = [str(path_of(name).parent) for name in ("helm", "kubectl")]
    # Everything that the commands call is on this machine.
    direct = dict.fromkeys(("NO_PROXY", "no_proxy"), "*")
    return {
        "KUBECONFIG": str(chosen.kubeconfig()),
        "PATH": os.pathsep.join([*folders, os.environ["PATH"]]),
        **direct,
    }


if __name__ == "__main__":
    main()
