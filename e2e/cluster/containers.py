"""The container runtime of the node: its images, and what earlier clusters left in its books."""

from __future__ import annotations

import json
from pathlib import Path

from e2e.cluster.layout import Layout
from e2e.cluster.progress import Failed, command, step

__all__ = ["Containers"]


class Containers:
    """containerd, as the kubelet sees it."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._loaded = layout.images / "loaded.json"

    def answers(self) -> bool:
        """Say whether the runtime can be asked."""
        try:
            self._ctr("version")
        except Failed:
            return False
        return True

    def forget(self) -> bool:
        """Remove the containers of an earlier cluster, whose processes are gone; says whether there were any.

        The runtime reads its containers when it starts: start it again where there were any.
        """
        old = self._ctr("containers", "list", "--quiet").split()
        if old:
            self._ctr("containers", "delete", *old)
        return bool(old)

    def load(self, tag: str, archive: Path) -> None:
        """Make an image available to pods.

        Raises:
            Failed: it is no archive, or holds no image of that name.
        """
        loaded = self._read()
        loaded.pop(tag, None)
        self._loaded.write_text(json.dumps(loaded, indent=1))
        with step(f"loading {tag}"):
            told = self._ctr("images", "import", str(archive))
        if not self._has(tag):
            raise Failed(f"{archive} holds no image {tag}:\n{told}")

    def load_once(self, tag: str, archive: Path) -> None:
        """Load an image unless the archive of this name, which has its key, was loaded before."""
        if self._read().get(tag) == archive.name and self._has(tag):
            return
        self.load(tag, archive)
        self._loaded.write_text(json.dumps({**self._read(), tag: archive.name}, indent=1))

    def kill(self, container: str) -> None:
        """End a container's first process by SIGKILL, as a lack of memory would."""
        self._ctr("tasks", "kill", "--signal", "SIGKILL", container)

    def _read(self) -> dict[str, str]:
        return dict(json.loads(self._loaded.read_text())) if self._loaded.exists() else {}

    def _has(self, tag: str) -> bool:
        return tag in self._ctr("images", "list", "--quiet").split()

    def _ctr(self, *words: str) -> str:
        return command("ctr", "--address", self._layout.containerd_socket, "--namespace", "k8s.io", *words)
