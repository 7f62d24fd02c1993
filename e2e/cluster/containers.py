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
        """Make an image available to pods; does nothing where this very archive was loaded before."""
        loaded = json.loads(self._loaded.read_text()) if self._loaded.exists() else {}
        if loaded.get(tag) == archive.name and tag in self._ctr("images", "list", "--quiet").split():
            return
        with step(f"loading {tag}"):
            self._ctr("images", "import", str(archive))
        self._loaded.write_text(json.dumps({**loaded, tag: archive.name}, indent=1))

    def _ctr(self, *words: str) -> str:
        return command("ctr", "--address", self._layout.containerd_socket, "--namespace", "k8s.io", *words)
