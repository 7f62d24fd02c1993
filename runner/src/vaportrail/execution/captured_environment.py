"""What a run ran with: Python, packages, code revision, machine. Values of variables never."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from vaportrail.authoring.callables import function_of
from vaportrail.version import revision

__all__ = ["capture_environment", "folder_of"]

_USERINFO = re.compile(r"(?<=://).*@", re.S)
"""Up to the last `@`: a password that is written by hand may hold one, and slashes."""
_QUERY = re.compile(r"[?#].*", re.S)


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
        # The version is among the packages; a checkout has many revisions of one version.
        "vaportrail_revision": revision(),
    }


def _runs_untracked(ask: Callable[..., str | None]) -> bool:
    """Return whether code that is loaded lies in the work tree, and its revision does not hold it."""
    top = ask("rev-parse", "--show-toplevel")
    if not top:
        return False
    loaded = set(_project_files(Path(top)))
    known = ask("-C", top, "ls-files", "-z", "--full-name", "--", *sorted(loaded)) if loaded else ""
    return bool(loaded - set((known or "").split("\0")))


def _project_files(top: Path) -> Iterator[str]:
    """Yield the files of loaded modules below a folder, but for those of the installation."""
    installed = [Path(place).resolve() for place in (sys.prefix, sys.base_prefix)]
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        path = Path(file).resolve() if isinstance(file, str) else top
        theirs = any(path.is_relative_to(place) for place in installed) or "site-packages" in path.parts
        if path.is_relative_to(top.resolve()) and path.suffix == ".py" and not theirs and path.is_file():
            yield path.relative_to(top.resolve()).as_posix()


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
        "dirty": bool(ask("status", "--porcelain", "--untracked-files=no")) or _runs_untracked(ask),
        # A remote's URL may hold a user name and a token.
        "remote": _QUERY.sub("", _USERINFO.sub("", url)),
    }


def folder_of(fn: Callable[..., Any]) -> Path:
    """Return the folder of a function's file; the working directory where it has none."""
    code = getattr(function_of(fn), "__code__", None)
    file = Path(code.co_filename) if code is not None else None
    return file.parent if file is not None and file.exists() else Path.cwd()
