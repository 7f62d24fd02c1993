"""The Go toolchain: the machine's own where it is new enough, else the one that comes as a Go module."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from e2e.cluster import requirements
from e2e.cluster.cache import building, cache_root
from e2e.cluster.progress import command, step

__all__ = ["MINIMUM", "TOOLCHAIN", "environment", "go"]

MINIMUM = (1, 26)
_MACHINE = {"aarch64": "arm64"}.get(platform.machine(), "amd64")
TOOLCHAIN = f"v0.0.1-go1.26.8.linux-{_MACHINE}"
"""The version of the module `golang.org/toolchain` that is installed where there is no new enough Go."""


def go() -> Path:
    """Return a `go` that is new enough; installs one into the cache where there is none.

    The Go project serves its own toolchains as modules (https://go.dev/doc/toolchain), checked against the
    same checksum database as every other module, so that an old `go`, such as Debian's, is enough to get one.

    Raises:
        Failed: there is no Go at all, and it can't be installed.
    """
    installed = _installed()
    for candidate in installed:
        if _version(candidate) >= MINIMUM:
            return candidate
    if not installed:
        requirements.install({"go": "golang-go"})
        installed = _installed()
    target = cache_root() / "go" / TOOLCHAIN
    with building(target) as folder:
        if folder:
            _download(installed[0], folder)
    return target / "bin" / "go"


def environment() -> dict[str, str]:
    """Return the environment of a build: static, reproducible, with the toolchain as it was chosen."""
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
    }


def _installed() -> list[Path]:
    found = [shutil.which("go"), "/usr/local/go/bin/go"]
    return [Path(name) for name in found if name and Path(name).exists()]


def _version(binary: Path) -> tuple[int, int]:
    told = subprocess.run([binary, "env", "GOVERSION"], capture_output=True, text=True, env=environment())
    match = re.match(r"go(\d+)\.(\d+)", told.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _download(old: Path, folder: Path) -> None:
    with step(f"the Go toolchain {TOOLCHAIN}"):
        folder.mkdir()
        (folder / "go.mod").write_text("module toolchain\n")
        plain = {name: value for name, value in environment().items() if name != "GOFLAGS"}
        command(old, "mod", "download", f"golang.org/toolchain@{TOOLCHAIN}", cwd=folder, env=plain)
        modules = Path(command(old, "env", "GOMODCACHE", cwd=folder, env=plain).strip())
        shutil.rmtree(folder)
        shutil.copytree(modules / f"golang.org/toolchain@{TOOLCHAIN}", folder)
        for path in [folder, *folder.rglob("*")]:
            # Modules hold no executables and are read-only.
            tool = path.parent.name == "bin" or "pkg/tool" in str(path.parent)
            path.chmod(0o755 if path.is_dir() or tool else 0o644)
