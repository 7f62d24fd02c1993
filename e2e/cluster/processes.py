"""The cluster's processes: in its network namespace and control group, known by pid and start time."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.control_groups import ControlGroups
from e2e.cluster.layout import Layout
from e2e.cluster.progress import Failed

__all__ = ["Processes", "Started", "start_time"]

_TAIL = 15
# No child of this process: it outlives it, and who waits for it does not matter.
_DETACHED = 'setsid "$@" >>"$0" 2>&1 </dev/null & echo $!'


@dataclass(frozen=True)
class Started:
    """A process that was started, and what tells it from a later one with the same pid."""

    name: str
    pid: int
    began: str

    @property
    def alive(self) -> bool:
        """Whether it is still there, and not only waiting to be collected."""
        return bool(self.began) and start_time(self.pid) == self.began


class Processes:
    """The components of one cluster."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._groups = ControlGroups(layout.name)

    def start(
        self, name: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None
    ) -> Started:
        """Start a component; its output is appended to its log.

        It is in the cluster's control group before it runs, so that whatever it starts is in it too.
        """
        layout = self._layout
        log = layout.logs / f"{name}.log"
        with log.open("a") as output:
            output.write(f"$ {' '.join(map(str, command))}\n")
        enter = ("nsenter", f"--net=/run/netns/{layout.name}", f"--mount={layout.mounts}")
        told = subprocess.run(
            ["sh", "-c", _DETACHED, log, *enter, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            # Nothing else of this process's: a proxy or a setting of etcd's would be taken for theirs.
            env={"PATH": os.environ["PATH"], "HOME": str(layout.state), **(env or {})},
            preexec_fn=self._groups.enter,
            cwd=layout.state,
        )
        pid = int(told.stdout)
        started = Started(name, pid, start_time(pid))
        (layout.processes / name).write_text(f"{started.pid} {started.began}\n")
        return started

    def all(self) -> list[Started]:
        """Return every component that was started, ended ones too, in no order."""
        if not self._layout.processes.is_dir():
            return []
        read = ((file.name, file.read_text().split()) for file in self._layout.processes.iterdir())
        return [Started(name, int(words[0]), words[1]) for name, words in read if len(words) == 2]

    def get(self, name: str) -> Started:
        """Return a component that was started.

        Raises:
            KeyError: there is none of that name.
        """
        return {started.name: started for started in self.all()}[name]

    def alive(self, name: str) -> bool:
        """Say whether a component runs."""
        return any(started.alive for started in self.all() if started.name == name)

    def check(self, names: Collection[str]) -> None:
        """Raise Failed if a component has ended, with the end of what it printed."""
        for name in names:
            if not self.alive(name):
                raise Failed(f"{name} has ended; the end of its log:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = _TAIL) -> str:
        """Return the last lines of a component's log."""
        log = self._layout.logs / f"{name}.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "no log"

    def stop(self, name: str, *, grace: float) -> None:
        """Ask a component to end, and end it where it does not within `grace` seconds."""
        for started in self.all():
            if started.name == name:
                _end(started, grace)
        (self._layout.processes / name).unlink(missing_ok=True)


def start_time(pid: int) -> str:
    """Return the clock ticks after boot at which a process started, empty where there is none (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _end(started: Started, grace: float) -> None:
    deadline = time.monotonic() + grace
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not started.alive:
            return
        os.kill(started.pid, number)
        while started.alive and (number == signal.SIGKILL or time.monotonic() < deadline):
            time.sleep(0.02)
