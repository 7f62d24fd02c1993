"""The program: up, down, status, logs, load-image, kubeconfig."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Protocol

import click

from e2e.cluster.kind import KindCluster
from e2e.cluster.layout import layout
from e2e.cluster.lifecycle import NativeCluster
from e2e.cluster.progress import Failed

__all__ = ["Cluster", "cluster", "main"]


class Cluster(Protocol):
    """What the program and the scenarios do with a cluster, whichever it is made of."""

    def prepare(self) -> None:
        """Install and build everything that a cluster needs, and make none."""

    def up(self) -> None:
        """Bring it up; does nothing to what is up."""

    def down(self) -> None:
        """Take it down; does nothing where it is down."""

    def status(self) -> dict[str, bool]:
        """Return its components, and whether each works."""

    def load(self, tag: str, archive: Path) -> None:
        """Make an image of a docker-archive available to pods."""

    def kill(self, container: str) -> None:
        """End a container by SIGKILL; `container` is its id at the runtime."""

    def kubeconfig(self) -> Path:
        """Return the path of the administrator's kubeconfig."""

    def log(self, component: str) -> str:
        """Return what a component has printed."""


def cluster(*, control_plane: bool = False) -> Cluster:
    """Return the cluster that `$E2E_CLUSTER` names: `native` (the default), or `kind`.

    Raises:
        Failed: it names another, or a control plane alone is asked of kind.
    """
    chosen = os.environ.get("E2E_CLUSTER") or "native"
    if chosen == "native":
        return NativeCluster(layout(control_plane=control_plane))
    if chosen != "kind":
        raise Failed(f"E2E_CLUSTER={chosen} is neither `native` nor `kind`")
    if control_plane:
        raise Failed("a control plane without a kubelet is native only: unset E2E_CLUSTER")
    return KindCluster()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--control-plane", is_flag=True, help="No kubelet: nodes and pods are played by kwok.")
@click.pass_context
def program(context: click.Context, control_plane: bool) -> None:
    """A real Kubernetes on this machine, with KubeRay, an S3 server and our images.

    E2E_CLUSTER=kind makes it in Docker, by kind. E2E_CACHE and E2E_STATE move the folders of what is built
    and of what runs.
    """
    context.obj = cluster(control_plane=control_plane)


@program.command()
@click.pass_obj
def up(chosen: Cluster) -> None:
    """Bring the cluster up; build what is not built yet."""
    begun = time.monotonic()
    chosen.up()
    click.echo(f"ready after {time.monotonic() - begun:.1f} s")
    click.echo(f"export KUBECONFIG={chosen.kubeconfig()}")


@program.command()
@click.pass_obj
def down(chosen: Cluster) -> None:
    """Take the cluster down; nothing of it is left but its logs, the built parts and the images."""
    chosen.down()


@program.command()
@click.pass_obj
def status(chosen: Cluster) -> None:
    """Print each component, and whether it works; exit code 1 unless all do."""
    told = chosen.status()
    for name, works in told.items():
        click.echo(f"{name:24} {'up' if works else 'DOWN'}")
    if not told:
        click.echo("there is no cluster")
    sys.exit(0 if told and all(told.values()) else 1)


@program.command()
@click.argument("component", required=False)
@click.pass_obj
def logs(chosen: Cluster, component: str | None) -> None:
    """Print what COMPONENT has printed; without one, list the components."""
    click.echo(chosen.log(component) if component else "\n".join(chosen.status()))


@program.command("load-image")
@click.argument("tag")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def load_image(chosen: Cluster, tag: str, archive: Path) -> None:
    """Make the image TAG of the docker-archive ARCHIVE available to pods (imagePullPolicy: Never)."""
    chosen.load(tag, archive)


@program.command()
@click.pass_obj
def kubeconfig(chosen: Cluster) -> None:
    """Print the path of the administrator's kubeconfig."""
    click.echo(chosen.kubeconfig())


def main() -> None:
    """Run the program; what fails is told in words, with exit code 1."""
    try:
        program()
    except Failed as error:
        click.echo(str(error), err=True)
        sys.exit(1)
