#!/usr/bin/env python3
"""Compile the requirement files into locked ones: names, versions, hashes, and no address."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = (
    ("requirements-setup.txt", ["requirements-setup.in"]),
    ("requirements.txt", ["requirements.in", "runner/pyproject.toml"]),
    ("requirements-dev.txt", ["requirements-dev.in", "runner/pyproject.toml"]),
)


def main() -> int:
    for target, sources in LOCKS:
        extras = ["--extra", "run"] if "runner/pyproject.toml" in sources else []
        command = [
            sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes",
            "--python-version", "3.11", "--no-emit-index-url", "--no-emit-find-links",
            "--custom-compile-command", "make lock", *extras, *sys.argv[1:], "-o", target, *sources,
        ]  # fmt: skip
        env = {"UV_SYSTEM_CERTS": "1", **os.environ}
        subprocess.run(command, cwd=ROOT, check=True, env=env)
    return 0


if __name__ == "__main__":
    sys.exit(main())
