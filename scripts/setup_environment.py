#!/usr/bin/env python3
"""Make .venv and install locked requirements and the project itself into it.

Needs Python 3.11 and nothing else; on a Debian without `python3-venv` it installs that, as root.
Does nothing where everything is installed already. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.txt"
DISTRIBUTIONS = {"requirements.txt": ("runner",), "requirements-dev.txt": ("runner", "operator")}
"""What of this repository each lock is for."""
SUPERSETS = {"requirements.txt": "requirements-dev.txt"}


def main() -> int:
    lock = sys.argv[1]
    if sys.version_info < (3, 11):
        print(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}", file=sys.stderr)
        return 1
    installed = STAMP.read_text().splitlines() if STAMP.exists() else []
    if fingerprint(lock) in installed or (lock in SUPERSETS and fingerprint(SUPERSETS[lock]) in installed):
        return 0
    if not PYTHON.exists():
        make_venv()
    print(f"installing {lock} into .venv", flush=True)
    run(str(PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", "requirements-setup.txt")
    install = (str(PYTHON), "-m", "uv", "pip", "install", "--quiet")
    run(*install, "--require-hashes", "--compile-bytecode", "-r", lock)
    for distribution in DISTRIBUTIONS[lock]:
        run(*install, "--no-deps", "--no-build-isolation", "--editable", distribution)
    STAMP.write_text("\n".join([fingerprint(lock)]) + "\n")
    return 0


def fingerprint(lock: str) -> str:
    """Return what says that a lock was installed as it is now."""
    digest = hashlib.sha256((ROOT / lock).read_bytes())
    for distribution in DISTRIBUTIONS[lock]:
        digest.update((ROOT / distribution / "pyproject.toml").read_bytes())
    return f"{lock} {digest.hexdigest()}"


def make_venv() -> None:
    """Make the virtual environment; on Debian its module may be a package of its own."""
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], cwd=ROOT, capture_output=True, text=True)
    if made.returncode == 0:
        return
    subprocess.run(["rm", "-rf", str(VENV)], check=True)
    package = f"python{sysconfig.get_python_version()}-venv"
    if os.geteuid() != 0 or subprocess.run(["which", "apt-get"], capture_output=True).returncode:
        raise SystemExit(
            f"{made.stdout}{made.stderr}\nmaking .venv failed; on Debian: sudo apt-get install {package}"
        )
    print(f"installing {package}", flush=True)
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", package)
    run(sys.executable, "-m", "venv", str(VENV))


def run(*command: str) -> None:
    """Run a command at the root of the checkout; its failure ends this program."""
    # uv reads the certificates of the system, as pip does, only where it is told to.
    env = {"UV_SYSTEM_CERTS": "1", "UV_NO_PROGRESS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **os.environ}
    done = subprocess.run(command, cwd=ROOT, env=env)
    if done.returncode:
        raise SystemExit(f"failed with {done.returncode}: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
