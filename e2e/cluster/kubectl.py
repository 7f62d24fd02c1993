"""kubectl, as the administrator of a cluster."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from e2e.cluster.parts import path_of
from e2e.cluster.progress import Failed, command

__all__ = ["Kubectl"]


class Kubectl:
    """Runs kubectl with a kubeconfig; what fails raises `Failed` with kubectl's own words."""

    def __init__(self, kubeconfig: Path, *, namespace: str | None = None) -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self._program = path_of("kubectl")

    def __call__(self, *words: str | Path, text: str | None = None) -> str:
        """Run it with these arguments, and `text` as its standard input; returns what it printed."""
        env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        options: list[str | Path] = ["--kubeconfig", self.kubeconfig]
        if self.namespace:
            options += ["--namespace", self.namespace]
        return command(self._program, *options, *words, text=text, env=env)

    def json(self, *words: str) -> Any:
        """Run it with `--output json`; returns what it printed, parsed."""
        return json.loads(self(*words, "--output", "json"))

    def create(self, *objects: dict[str, Any]) -> None:
        """Create objects, all in one call."""
        self(
            "create",
            "--filename",
            "-",
            text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
        )

    def wait_established(self, definition: str, *, timeout: float = 120) -> None:
        """Wait until a custom resource's definition is served.

        `kubectl wait --for=condition=Established` gives up where its conditions are still null.

        Raises:
            Failed: it is not within so many seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            conditions = self.json("get", f"crd/{definition}").get("status", {}).get("conditions") or []
            if any((each["type"], each["status"]) == ("Established", "True") for each in conditions):
                return
            if time.monotonic() > deadline:
                raise Failed(f"{definition} is not established within {timeout:g} s: {conditions}")
            time.sleep(0.2)

    def wait(self, target: str, condition: str, *, timeout: float = 120) -> None:
        """Wait until an object has a condition, as `kubectl wait --for` takes it."""
        self("wait", target, f"--for={condition}", f"--timeout={timeout:.0f}s")
