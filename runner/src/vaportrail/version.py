"""The version of the distribution `vaportrail`, and the revision of a checkout that it runs from."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

__version__ = "0.1.0.dev0"


@lru_cache(maxsize=1)
def revision() -> str:
    """Return the git revision of this package where it runs from a checkout; empty where it is installed."""
    import subprocess

    folder = Path(__file__).parent

    def ask(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
        )
        return done.stdout.strip()

    try:
        # An environment may lie within somebody else's repository, which does not hold this file.
        ask("ls-files", "--error-unmatch", "--", Path(__file__).name)
        changed = ask("status", "--porcelain", "--", ".")
        return ask("rev-parse", "HEAD") + ("-changed" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return ""
