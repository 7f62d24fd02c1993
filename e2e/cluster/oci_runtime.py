"""One container of an unpacked image by `runc`, as locked down as our pods: no engine, no cluster."""

from __future__ import annotations

import json
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["run_container"]

_TIMEOUT = 240


def run_container(
    root: Path, config: Mapping[str, Any], *command: str, mounts: Mapping[Path, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in an image's file system and return what became of it; needs root.

    The file system is read-only but for a tmpfs at /tmp, no capability is left, no privilege can be
    gained, and the network is a loopback of its own.

    Args:
        root: the unpacked image.
        config: the image's configuration, as its archive has it.
        command: what to run in place of the image's entry point.
        mounts: folders of this machine and where they are seen inside; with `:ro` at the end, read-only.

    Raises:
        subprocess.TimeoutExpired: it did not end within four minutes; it is gone now.
    """
    with tempfile.TemporaryDirectory() as bundle:
        subprocess.run(["runc", "spec"], cwd=bundle, check=True)
        hosts = Path(bundle, "hosts")  # engines and kubelets write it; no image has one
        hosts.write_text("127.0.0.1 localhost\n")
        file = Path(bundle, "config.json")
        spec = json.loads(file.read_text())
        mounted = {hosts: "/etc/hosts:ro", **(mounts or {})}
        file.write_text(json.dumps(_locked_down(spec, root, config, command, mounted)))
        container = f"vaportrail-{uuid.uuid4().hex[:12]}"
        try:
            return subprocess.run(
                ["runc", "run", "--bundle", bundle, container],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT,
            )  # fmt: skip
        finally:
            # One that ended by itself is gone already, which is an error to `runc`.
            subprocess.run(["runc", "delete", "--force", container], capture_output=True)


def _locked_down(
    spec: dict[str, Any],
    root: Path,
    config: Mapping[str, Any],
    command: tuple[str, ...],
    mounts: Mapping[Path, str],
) -> dict[str, Any]:
    uid, gid = (int(number) for number in config["User"].split(":"))
    spec["root"] = {"path": str(root), "readonly": True}
    spec["process"] |= {
        "terminal": False,
        "user": {"uid": uid, "gid": gid},
        "args": list(command),
        "env": config["Env"],
        "cwd": config["WorkingDir"],
        "noNewPrivileges": True,
        "capabilities": {
            kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")
        },
    }
    options = ["nosuid", "nodev", "mode=1777"]
    spec["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": options})
    for source, inside in mounts.items():
        target, _, access = inside.partition(":")
        spec["mounts"].append(
            {
                "destination": target,
                "type": "bind",
                "source": str(source),
                "options": ["rbind", access or "rw"],
            }
        )
    return spec
