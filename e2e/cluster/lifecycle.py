"""Up, down and status of the cluster that is made of this machine's own processes."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster import credentials, mounts, network, requirements
from e2e.cluster.components import Component, components
from e2e.cluster.configuration import configuration_files
from e2e.cluster.containers import Containers
from e2e.cluster.control_groups import ControlGroups
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.layout import Layout
from e2e.cluster.parts import PARTS, build, path_of
from e2e.cluster.processes import Processes
from e2e.cluster.progress import Failed, step
from e2e.cluster.readiness import answers, await_true
from e2e.cluster.workload import Workload, workload

__all__ = ["NativeCluster"]

_DEADLINE = 120.0
_GRACE = 5.0


class NativeCluster:
    """A cluster of one node, or a control plane alone, from processes of this machine; needs root."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.processes = Processes(layout)
        self._groups = ControlGroups(layout.name)
        self._containers = Containers(layout)

    def prepare(self) -> None:
        """Install and build everything that a cluster needs, and make none; long where nothing is built yet.

        Raises:
            Failed: this is not the place for a cluster, or something could not be built.
        """
        requirements.install(requirements.NODE)
        for part in PARTS:
            build(part)
        list(workload().images())

    def up(self) -> None:
        """Bring the cluster up; returns when it can be used.

        What runs already goes on, components that ended are started again, and where none is left, such as
        after a reboot, what remains of the last cluster is removed and a new one is made.

        Raises:
            Failed: something is missing, could not be built, or is not ready in time; with the reason.
        """
        requirements.install(requirements.CONTROL_PLANE if self.layout.control_plane else requirements.NODE)
        with self._alone():
            every = components(self.layout, path_of)
            what = workload(control_plane=self.layout.control_plane)
            new = not (network.exists(self.layout) and any(each.alive for each in self.processes.all()))
            if new:
                self._remove()
                self._prepare()
            with step("cluster" if not self.layout.control_plane else "control plane"):
                self._start(every, what, new=new)

    def down(self) -> None:
        """End every process of the cluster and remove what it made; logs stay until the next one.

        Raises:
            Failed: something could not be removed.
        """
        requirements.install(requirements.CONTROL_PLANE)
        with self._alone(), step("taking the cluster down"):
            self._remove()

    def status(self) -> dict[str, bool]:
        """Return every component, and whether it runs and answers; nothing where there is no cluster."""
        if not self.layout.processes.is_dir():
            return {}
        return {
            each.name: self.processes.alive(each.name) and (each.probe is None or answers(each.probe))
            for each in components(self.layout, path_of)
        }

    def kubeconfig(self) -> Path:
        """Return the path of the administrator's kubeconfig."""
        return self.layout.kubeconfig

    def log(self, component: str) -> str:
        """Return what a component has printed, of the last cluster where this one is down.

        Raises:
            Failed: there is no such component.
        """
        log = self.layout.logs / f"{component}.log"
        if not log.is_file():
            there = ", ".join(sorted(file.stem for file in self.layout.logs.glob("*.log"))) or "none"
            raise Failed(f"there is no log of {component!r}; there are: {there}")
        return log.read_text(errors="replace")

    def load(self, tag: str, archive: Path) -> None:
        """Make an image of a docker-archive available to pods."""
        with self._alone():
            self._containers.load(tag, archive)

    def kill(self, container: str) -> None:
        """End a container by SIGKILL; `container` is its id at the runtime."""
        self._containers.kill(container)

    def _prepare(self) -> None:
        layout = self.layout
        shutil.rmtree(layout.logs, ignore_errors=True)
        for folder in (
            layout.credentials,
            layout.configuration,
            layout.logs,
            layout.processes,
            layout.images,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        layout.credentials.chmod(0o700)
        self._groups.create()
        network.create(layout)
        mounts.create(layout)
        credentials.create(layout)
        for name, content in configuration_files(layout).items():
            file = layout.configuration / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))

    def _start(self, every: list[Component], what: Workload, *, new: bool) -> None:
        first, second, third = ([each for each in every if each.stage == stage] for stage in (0, 1, 2))
        self._run(first)
        if not self.layout.control_plane:
            self._load_images(what, new=new)
        self._await(first)
        self._run(second)
        kubectl = Kubectl(self.layout.kubeconfig)
        what.apply(kubectl)
        self._run(third)
        self._await(second + third)
        what.wait(kubectl)

    def _run(self, wanted: list[Component]) -> None:
        for each in wanted:
            if not self.processes.alive(each.name):
                self.processes.start(each.name, each.command, each.env)

    def _await(self, wanted: list[Component]) -> None:
        for each in wanted:
            if each.probe:
                probe = each.probe
                watched = [each.name]
                await_true(each.name, lambda: answers(probe), self.processes, watched, deadline=_DEADLINE)  # noqa: B023

    def _load_images(self, what: Workload, *, new: bool) -> None:
        name = "containerd"
        await_true(name, self._containers.answers, self.processes, [name], deadline=_DEADLINE)
        if new and self._containers.forget():
            again = next(each for each in components(self.layout, path_of) if each.name == name)
            self.processes.stop(name, grace=_GRACE)
            self._run([again])
            await_true(name, self._containers.answers, self.processes, [name], deadline=_DEADLINE)
        for tag, archive in what.images():
            self._containers.load_once(tag, archive)

    def _remove(self) -> None:
        self._groups.kill()
        mounts.remove(self.layout)
        network.remove(self.layout)
        self._groups.remove()
        if not self.layout.state.exists():
            return
        for path in self.layout.state.iterdir():
            if path == self.layout.logs:
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time change the cluster; there is one of a name, whatever its folder."""
        state = str(self.layout.state)
        with Path("/run", f"{self.layout.name}.lock").open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.seek(0)
            owner = lock.read()
            if owner not in ("", state) and network.exists(self.layout):
                raise Failed(f"there is a cluster with E2E_STATE={Path(owner).parent}: take that down first")
            lock.truncate(0)
            lock.write(state)
            lock.flush()
            yield
