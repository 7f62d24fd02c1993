"""The image that all of ours begin with, made from Debian's packages where no registry can be reached."""

from __future__ import annotations

import platform
from pathlib import Path

from e2e.cluster.cache import building, kept, key_of
from e2e.cluster.image_folder import images_folder, logged_run
from e2e.cluster.progress import step

__all__ = ["BASE", "bootstrapped"]

BASE = "docker.io/library/debian:trixie-slim"
"""As the Dockerfiles name it."""
_SUITE = "trixie"
# What slim images of Debian leave out, too; licences stay.
_LEFT_OUT = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/groff/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/linda/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)


def bootstrapped() -> Path:
    """Return the tar of the file system; made once, and again when the cache was removed.

    Raises:
        ImageError: `mmdebstrap` failed; the message has the end of its output.
    """
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--format=tar", "--skip=output/dev"]
    command += [f"--dpkgopt={option}" for option in _LEFT_OUT]
    key = key_of([], extra=" ".join([*command, _SUITE, platform.machine()]))
    target = images_folder() / f"debian-{key}.tar"
    with building(target) as part:
        if part:
            with step(f"image debian: making {_SUITE} from its packages"):
                logged_run("debian", [*command, _SUITE, str(part)])
    kept(images_folder(), "debian", generations=1)
    return target
