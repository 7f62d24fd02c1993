"""What a run ran with: Python, packages, code revision, machine. Values of variables never."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Callable, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from vaportrail.authoring.callables import function_of

__all__ = ["capture_environment", "folder_of"]

_USERINFO = re.compile(r"(?<=://)[^/@]+@")


def capture_environment(code_folder: Path, git: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the environment of this process and the git state of the code it runs.

    Args:
        code_folder: a folder of the code; its git repository, where there is one, is described.
        git: what is known of the code's repository already, where its folder has none.
    """
    packages = {
        dist.metadata["Name"].lower().replace("_", "-"): dist.version
        for dist in distributions()
        if dist.metadata["Name"]
    }
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "image": os.environ.get("VAPORTRAIL_IMAGE", ""),
        "git": dict(git) if git else _git(code_folder),
        "packages": dict(sorted(packages.items())),
    }


def _git(folder: Path) -> dict[str, Any]:
    def ask(*words: str) -> str | None:
        try:
            answer = subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return answer.stdout.strip()

    revision = ask("rev-parse", "HEAD")
    if not revision:
        return {}
    url = ask("config", "--get", "remote.origin.url") or ""
    return {
        "revision": revision,
        "branch": ask("rev-parse", "--abbrev-ref", "HEAD") or "",
        "dirty": bool(ask("status", "--porcelain", "--untracked-files=no")),
        # A remote's URL may hold a user name and a token.
        "remote": _USERINFO.sub("", url),
    }


def folder_of(fn: Callable[..., Any]) -> Path:
    """Return the folder of a function's file; the working directory where it has none."""
    code = getattr(function_of(fn), "__code__", None)
    file = Path(code.co_filename) if code is not None else None
    return file.parent if file is not None and file.exists() else Path.cwd()
