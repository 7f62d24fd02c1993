"""Container engines: buildah, docker or podman, whichever works, behind the few things images need of one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.cache import key_of
from e2e.cluster.debian_base import BASE, bootstrapped
from e2e.cluster.image_folder import ImageError, images_folder, logged_run

__all__ = ["Engine", "find_engine"]

_STORAGE_LIMIT = 12 * 1024**2  # KiB: layers of builds long past
# Settings of pip that a build needs where a network has certificates or mirrors of its own.
_PIP = ("cert", "index-url", "extra-index-url", "trusted-host", "default-timeout")


@dataclass(frozen=True)
class Engine:
    """What is common to the engines, in Docker's words; each image's output goes into a log of its own.

    Building a tag again replaces it. Nothing here is safe to do twice at a time: `images.archive` locks.
    """

    name: str

    @property
    def program(self) -> list[str]:
        """The engine's command up to where its subcommand belongs."""
        return [self.name]

    def works(self) -> bool:
        """Say whether the engine is here and answers: a client without its server does not."""
        if not shutil.which(self.name):
            return False
        with suppress(subprocess.TimeoutExpired):
            asked = subprocess.run([*self.program, "info"], capture_output=True, timeout=30)
            return asked.returncode == 0
        return False

    def base(self) -> str:
        """Return a key of the content of the image `BASE`, which is here from now on.

        Raises:
            ImageError: it is not here and can't be had.
        """
        if not self.image_id(BASE):
            self.run("debian", "pull", BASE)
        return self.image_id(BASE)

    def image_id(self, tag: str) -> str:
        """Return the id of what `tag` names, empty where it names nothing."""
        command = [*self.program, *self.inspection, tag]
        asked = subprocess.run(command, capture_output=True, text=True)
        return asked.stdout.strip() if asked.returncode == 0 else ""

    @property
    def inspection(self) -> list[str]:
        """The subcommand that prints the id of an image."""
        return ["image", "inspect", "--format", "{{.Id}}"]

    @property
    def build_command(self) -> list[str]:
        """The subcommand that builds, without what it builds."""
        return ["build"]

    def build(self, image: str, tag: str, dockerfile: Path, context: Path) -> None:
        """Build `tag`, with the layers of earlier builds where they fit.

        Raises:
            ImageError: the build failed.
        """
        words = [*self.build_command, *_secrets(), "--file", str(dockerfile), "--tag", tag, str(context)]
        self.run(image, *words)

    def save(self, image: str, tag: str, target: Path) -> None:
        """Write `tag` into a docker-archive.

        Raises:
            ImageError: it can't be written.
        """
        self.run(image, "save", "--output", str(target), tag)

    def tidy(self) -> None:
        """Remove what builds left behind, as far as it is ours alone."""

    def run(self, image: str, *words: str) -> None:
        """Run a subcommand; its output is appended to the log of `image`.

        Raises:
            ImageError: it failed.
        """
        logged_run(image, [*self.program, *words])


@dataclass(frozen=True)
class Docker(Engine):
    """Docker, with BuildKit. Its storage is the user's: nothing is removed, no base image made."""

    name: str = "docker"


@dataclass(frozen=True)
class Buildah(Engine):
    """Buildah, in a storage of its own that nothing else uses."""

    name: str = "buildah"

    @property
    def program(self) -> list[str]:
        """Buildah or Podman with that storage."""
        # What is mounted is forgotten by a reboot, and so must be the notes about it.
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        storage = images_folder() / "storage"
        return [self.name, "--root", str(storage), "--runroot", str(images_folder() / f"run-{boot}")]

    def base(self) -> str:
        """See `Engine`; made from Debian's packages where that is possible, so that no registry is needed."""
        if not shutil.which("mmdebstrap"):
            return super().base()
        archive = bootstrapped()
        key = key_of([archive])
        if not self.image_id(f"localhost/vaportrail/debian:{key}"):
            self.load_base(archive, (BASE, f"localhost/vaportrail/debian:{key}"))
        return key

    def load_base(self, archive: Path, tags: Sequence[str]) -> None:
        """Make an image of a file system's tar."""
        container = subprocess.run(
            [*self.program, "from", "scratch"], capture_output=True, text=True, check=True
        ).stdout.strip()
        self.run("debian", "add", "--quiet", container, str(archive), "/")
        self.run("debian", "config", "--cmd", "bash", container)
        for tag in tags:
            self.run("debian", "commit", "--quiet", container, tag)
        self.run("debian", "rm", container)

    @property
    def inspection(self) -> list[str]:
        """See `Engine`."""
        return ["inspect", "--type", "image", "--format", "{{.FromImageID}}"]

    @property
    def build_command(self) -> list[str]:
        """See `Engine`."""
        return ["bud", "--layers", "--isolation", "chroot", "--network", "host", "--pull-never"]

    def save(self, image: str, tag: str, target: Path) -> None:
        """See `Engine`."""
        self.run(image, "push", tag, f"docker-archive:{target}:{tag}")

    def tidy(self) -> None:
        """Remove containers of builds that were interrupted; start anew where the storage grew too large."""
        current = self.program[-1]
        for stale in images_folder().glob("run-*"):
            if str(stale) != current:
                shutil.rmtree(stale, ignore_errors=True)
        if not (images_folder() / "storage").exists():
            return
        self.run("tidy", "rm", "--all")
        used = subprocess.run(["du", "-sk", images_folder() / "storage"], capture_output=True, text=True)
        if int(used.stdout.split()[0]) > _STORAGE_LIMIT:
            self.run("tidy", "rmi", "--all", "--force")


@dataclass(frozen=True)
class Podman(Buildah):
    """Podman, in a storage of its own."""

    name: str = "podman"

    def load_base(self, archive: Path, tags: Sequence[str]) -> None:
        """See `Buildah`."""
        for tag in tags:
            self.run("debian", "import", "--change", "CMD bash", str(archive), tag)

    @property
    def inspection(self) -> list[str]:
        """See `Engine`."""
        return ["image", "inspect", "--format", "{{.Id}}"]

    @property
    def build_command(self) -> list[str]:
        """See `Engine`."""
        return ["build", "--layers", "--isolation", "chroot", "--network", "host", "--pull=never"]

    def save(self, image: str, tag: str, target: Path) -> None:
        """See `Engine`."""
        self.run(image, "save", "--format", "docker-archive", "--output", str(target), tag)


_ENGINES: tuple[Engine, ...] = (Docker(), Podman(), Buildah())


def find_engine() -> Engine:
    """Return the engine that `$E2E_ENGINE` names, by default the first that works.

    Raises:
        ImageError: there is none, or the one that is named does not work.
    """
    named = os.environ.get("E2E_ENGINE")
    if named and named not in {engine.name for engine in _ENGINES}:
        raise ImageError(f"E2E_ENGINE={named} is none of {', '.join(engine.name for engine in _ENGINES)}")
    for engine in _ENGINES:
        if named in (None, "", engine.name) and engine.works():
            return engine
    if named:
        raise ImageError(f"E2E_ENGINE={named}, but `{named} info` fails here")
    raise ImageError(
        "no container engine works here: start docker or podman, "
        "or, on Debian, `sudo apt-get install buildah mmdebstrap`"
    )


def _secrets() -> Iterable[str]:
    """Return the options that let pip inside a build reach its index as it does outside."""
    settings = {name: os.environ.get(f"PIP_{name.upper().replace('-', '_')}") for name in _PIP}
    certificates = settings["cert"] or os.environ.get("SSL_CERT_FILE")
    if certificates and Path(certificates).is_file():
        settings["cert"] = "/run/secrets/certificates"
        yield from ("--secret", f"id=certificates,src={certificates}")
    lines = [f"{name} = {value}" for name, value in settings.items() if value]
    if lines:
        file = images_folder() / "pip.conf"
        file.touch(mode=0o600)  # an index's address may hold a password
        file.write_text("\n".join(["[global]", *lines]) + "\n")
        yield from ("--secret", f"id=pip.conf,src={file}")
