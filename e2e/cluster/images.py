"""Our images and those of the cluster's own parts, built once for what they are made of.

`python3 -m e2e.cluster.images [NAME…]` builds ours and prints their sizes.
"""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e.cluster.cache import building, kept, key_of
from e2e.cluster.image_archive import unpacked_size
from e2e.cluster.image_engines import Engine, find_engine
from e2e.cluster.image_folder import ImageError, images_folder
from e2e.cluster.progress import step

__all__ = ["IMAGES", "Image", "ImageError", "archive", "binary_image", "main"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Image:
    """An image and what it is made of."""

    name: str
    dockerfile: str
    """Below the root of the checkout, as is everything else here."""
    inputs: tuple[str, ...] = ()
    """Files and folders of the checkout that the Dockerfile copies."""
    on: Image | None = None
    """The image of ours that it is built on."""
    binary: Path | None = field(default=None)
    """A static program: the image is that and nothing else."""

    @property
    def tag(self) -> str:
        """The name that pods give."""
        return f"localhost/vaportrail/{self.name}:dev"


_PARTS = ("LICENSE", "README.md", "pyproject.toml", "src")
_VAPORTRAIL, _VAPORTRAIL_OPERATOR = (
    tuple(f"{folder}/{part}" for part in _PARTS) for folder in ("runner", "operator")
)
_COMMON = (".dockerignore", "requirements-build.txt", "scripts/sbom.py", *_VAPORTRAIL)
_RUNNER = Image("runner", "Dockerfile.runner", ("requirements-runner.txt", *_COMMON))
_OPERATOR = Image(
    "operator", "Dockerfile.operator", ("requirements-operator.txt", *_COMMON, *_VAPORTRAIL_OPERATOR)
)
_MNIST = Image("mnist", "examples/mnist/Dockerfile", (".dockerignore", "examples/mnist"), on=_RUNNER)
IMAGES = {image.name: image for image in (_RUNNER, _OPERATOR, _MNIST)}
"""Ours, by name; a later one may be built on an earlier one."""


def binary_image(name: str, binary: Path) -> Image:
    """Return the image `localhost/vaportrail/e2e-NAME:dev` of one static program.

    Raises:
        FileNotFoundError: there is no such program.
    """
    if not binary.is_file():
        raise FileNotFoundError(binary)
    return Image(f"e2e-{name}", "e2e/cluster/Dockerfile.binary", binary=binary)


def archive(image: Image) -> Path:
    """Return a docker-archive of `image`; builds it unless one of the same inputs is in the cache.

    The file's name has a key of everything it was made of: another content is another file.

    Raises:
        ImageError: it can't be built; the message has the command and the end of its output.
    """
    engine = find_engine()
    with _alone():
        target = images_folder() / f"{image.name}-{_key(image, engine)}.tar"
        with building(target) as part:
            if part is None:
                return target
            (images_folder() / f"{image.name}.log").unlink(missing_ok=True)
            with step(f"image {image.name}: building with {engine.name}"):
                engine.tidy()
                _build(image, engine)
                engine.save(image.name, image.tag, part)
        kept(images_folder(), image.name)
    return target


def _key(image: Image, engine: Engine) -> str:
    if image.binary:
        return key_of([ROOT / image.dockerfile, image.binary], extra=image.tag)
    below = _key(image.on, engine) if image.on else engine.base()
    return key_of([ROOT / image.dockerfile, *(ROOT / name for name in image.inputs)], extra=image.tag + below)


def _build(image: Image, engine: Engine) -> None:
    if image.on:
        # Its archive may be in the cache and its layers gone; where they are there, this takes a moment.
        _build(image.on, engine)
    if not image.binary:
        engine.base()  # tidying may have removed it
        engine.build(image.name, image.tag, ROOT / image.dockerfile, ROOT)
        return
    with tempfile.TemporaryDirectory(dir=images_folder()) as context:
        copy = Path(context, "binary")
        copy.write_bytes(image.binary.read_bytes())
        copy.chmod(0o755)
        # The same program is the same layer.
        os.utime(copy, (0, 0))
        engine.build(image.name, image.tag, ROOT / image.dockerfile, Path(context))


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other processes from the engine's storage and from tags that this one is about to save."""
    with (images_folder() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(names: list[str]) -> int:
    """Build the images that are named, by default all of ours; print name, unpacked size and path."""
    unknown = [name for name in names if name not in IMAGES]
    if unknown:
        print(f"no image {unknown[0]!r}; there are {', '.join(IMAGES)}", file=sys.stderr)
        return 2
    for name in names or IMAGES:
        try:
            path = archive(IMAGES[name])
        except ImageError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{IMAGES[name].tag:40} {unpacked_size(path) / 1e6:6.0f} MB  {path}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
