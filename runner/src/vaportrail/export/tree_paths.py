"""Where the names of a record may be written below a folder, whatever they are."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import Final

from vaportrail.export.plain_text import UNSAFE

__all__ = ["FreePaths", "safe_path"]

_LONGEST_NAME = 200
"""Bytes; file systems take 255, and a number may be added."""
_MOST_PARTS: Final = 40
_LONGEST_PATH: Final = 2_000
"""Bytes of a logged name; systems take 4,096 for a whole path."""


def safe_path(folder: Path, name: str) -> Path:
    """Return where a logged name may be written below `folder`, whatever the name is.

    Records may come from anywhere: parts that could lead outside are written as plain text.
    """
    parts = []
    for part in PurePosixPath(name.replace("\\", "/")).parts:
        cleaned = re.sub("[/:]", "_", UNSAFE.sub("_", part))
        short = cleaned.encode()[:_LONGEST_NAME].decode(errors="ignore")
        parts.append("_" if short in ("", ".", "..", "_") else short)
    whole = "/".join(parts)
    if len(parts) > _MOST_PARTS or len(whole.encode()) > _LONGEST_PATH:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        parts = [f"{whole[:40].replace('/', '_')}-{digest[:16]}"]
    return folder.joinpath(*(parts or ["_"]))


class FreePaths:
    """Gives each name a path of its own, with a number where one is taken: two names may be written alike."""

    def __init__(self) -> None:
        self._numbers: dict[Path, int] = {}

    def free(self, path: Path) -> Path:
        """Return `path`, or its like with the next number: many that are alike take no longer each."""
        number = self._numbers.get(path, 0) + 1
        while (free := path.with_name(f"{path.stem}-{number}{path.suffix}") if number > 1 else path).exists():
            number += 1
        self._numbers[path] = number
        return free
