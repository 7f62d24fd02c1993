"""The images as they are pulled: size, user, what is in them, and that they work when locked down."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from figure_log import record_figure

from e2e.cluster.image_archive import configuration, entries, unpack, unpacked_size
from e2e.cluster.images import IMAGES, archive
from e2e.cluster.oci_runtime import run_container

LIMITS_MB = {"runner": 700, "operator": 260}
COMPILERS = re.compile(r"(.*-)?(gcc|cc|g\+\+|c\+\+|cpp|clang|make|ld|as|rustc|go)(-[0-9.]+)?")
PIPELINE = """
from vaportrail import log, pipeline, task


@task
def square(x: int) -> int:
    log.metric("square", x * x)
    return x * x


@pipeline
def squares(count: int = 2) -> None:
    for x in range(count):
        square(x)
"""


@dataclass(frozen=True)
class Unpacked:
    """An image whose file system is unpacked."""

    archive: Path
    root: Path

    @property
    def config(self) -> dict[str, Any]:
        return dict(configuration(self.archive)["config"])

    def run(self, *command: str, mounts: dict[Path, str] | None = None) -> subprocess.CompletedProcess[str]:
        return run_container(self.root, self.config, *command, mounts=mounts)


@pytest.fixture(scope="module", params=["runner", "operator", "mnist"])
def image(request: pytest.FixtureRequest, unpacked: dict[str, Unpacked]) -> Unpacked:
    """Each of our images in turn."""
    return unpacked[request.param]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Unpacked]]:
    """All of our images."""
    folder = tmp_path_factory.mktemp("roots")
    try:
        made = {name: Unpacked(archive(each), folder / name) for name, each in IMAGES.items()}
        for name, each in made.items():
            unpack(each.archive, folder / name)
        yield made
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def record(unpacked: dict[str, Unpacked], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record that the runner image made, locked down, of a pipeline that is mounted into it."""
    code, records = tmp_path_factory.mktemp("code"), tmp_path_factory.mktemp("records")
    (code / "squares.py").write_text(PIPELINE)
    code.chmod(0o755)
    records.chmod(0o777)
    done = unpacked["runner"].run(
        "vaportrail", "run", "/code/squares.py:squares", "--record", "/records",
        mounts={code: "/code:ro", records: "/records"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = records.glob("runs/squares/*")
    return made


@pytest.mark.parametrize("name", LIMITS_MB)
def test_an_image_is_no_larger_than_it_may_be(name: str) -> None:
    size = unpacked_size(archive(IMAGES[name])) / 1e6

    record_figure(f"{name}_image_mb", size, "MB")
    assert size <= LIMITS_MB[name]


def test_the_counted_size_is_what_lies_on_the_disk(image: Unpacked) -> None:
    files = {file.lstat().st_ino: file.lstat().st_size for file in image.root.rglob("*") if _is_regular(file)}

    assert unpacked_size(image.archive) == sum(files.values())


def test_the_user_is_a_number_and_not_root(image: Unpacked) -> None:
    assert image.config["User"] == "65532:65532"
    assert image.run("id", "-u").stdout.strip() == "65532"


def test_the_user_has_a_name(image: Unpacked) -> None:
    assert image.run("id", "-un").stdout.strip() == "vaportrail"


def test_an_image_holds_no_compiler(image: Unpacked) -> None:
    programs = [path for path, info in entries(image.archive).items() if info.isfile() and info.mode & 0o111]

    assert [path for path in programs if COMPILERS.fullmatch(PurePosixPath(path).name)] == []


def test_no_program_gives_the_rights_of_another_user(image: Unpacked) -> None:
    assert [
        path for path, info in entries(image.archive).items() if info.isfile() and info.mode & 0o6000
    ] == []


def test_what_the_user_can_write_is_its_home_and_temporary_folders(image: Unpacked) -> None:
    writable = {path for path, info in entries(image.archive).items() if _writable(info)}

    assert writable == {"home/vaportrail", "tmp", "run/lock", "var/tmp"}


def test_an_image_has_labels_and_a_version(image: Unpacked) -> None:
    labels = image.config["Labels"]

    assert {f"org.opencontainers.image.{name}" for name in ("title", "version", "licenses")} <= set(labels)
    said = image.run("vaportrail", "--version").stdout
    assert labels["org.opencontainers.image.version"] in said


def test_it_works_with_a_read_only_file_system_and_a_temporary_folder(image: Unpacked) -> None:
    done = image.run("vaportrail", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"vaportrail, version \S+\n", done.stdout)

    assert "[Errno 30]" in image.run("python3", "-c", "open('/home/vaportrail/x', 'w')").stderr
    assert image.run("python3", "-c", "open('/tmp/x', 'w')").returncode == 0


def test_the_entry_point_is_the_command_line(image: Unpacked) -> None:
    assert image.config["Entrypoint"] == ["vaportrail"]


def test_modules_are_compiled_and_the_compiled_ones_are_current(image: Unpacked) -> None:
    code = """
import importlib.util, pathlib, struct
stale = []
folder = pathlib.Path(importlib.util.find_spec("vaportrail").origin).parents[1]
for package in ("vaportrail", "pydantic", "opentelemetry"):
    for source in (folder / package).rglob("*.py"):
        compiled = pathlib.Path(importlib.util.cache_from_source(str(source)))
        said = struct.unpack("<4sIII", compiled.read_bytes()[:16]) if compiled.exists() else None
        if said is None or said[2] != int(source.stat().st_mtime):
            stale.append(str(source))
print(stale)
"""
    assert image.run("python3", "-c", code).stdout == "[]\n"


def test_the_bill_of_materials_lists_every_debian_package(image: Unpacked) -> None:
    asked = image.run("dpkg-query", "-W", "-f", "${Package} ${Version}\\n").stdout.splitlines()

    assert sorted(asked) == sorted(_listed(image, "pkg:deb/debian/"))


def test_the_bill_of_materials_lists_every_python_distribution(image: Unpacked) -> None:
    folders = image.root.glob("opt/vaportrail/lib/python3*/site-packages/*.dist-info")
    installed = [folder.name.removesuffix(".dist-info").rpartition("-") for folder in folders]

    there = sorted(f"{re.sub(r'[-_.]+', '-', name).lower()} {version}" for name, _, version in installed)
    assert there == sorted(_listed(image, "pkg:pypi/"))


@pytest.mark.parametrize("name", ["runner", "mnist"])
def test_what_is_installed_fits_together(name: str, unpacked: dict[str, Unpacked]) -> None:
    done = unpacked[name].run("pip", "check")

    assert (done.returncode, done.stdout) == (0, "No broken requirements found.\n")


def test_the_operators_image_has_neither_ray_nor_pip(unpacked: dict[str, Unpacked]) -> None:
    listed = {line.split()[0] for line in _listed(unpacked["operator"], "pkg:pypi/")}

    assert "vaportrail" in listed
    assert listed.isdisjoint({"ray", "pip"})


def test_the_operators_image_seals(unpacked: dict[str, Unpacked]) -> None:
    done = unpacked["operator"].run("vaportrail", "seal", "--help")

    assert done.returncode == 0
    assert "Seal a run whose runner died" in done.stdout


def test_what_the_runners_image_made_the_operators_verifies(
    record: Path, unpacked: dict[str, Unpacked]
) -> None:
    done = unpacked["operator"].run("vaportrail", "verify", "/record", mounts={record: "/record:ro"})

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("verified")


def test_the_operators_image_finds_a_changed_byte(
    record: Path, unpacked: dict[str, Unpacked], tmp_path: Path
) -> None:
    damaged = shutil.copytree(record, tmp_path / "record")
    (traces,) = damaged.glob("traces-*")
    traces.write_bytes(traces.read_bytes()[:-1] + b"x")

    done = unpacked["operator"].run("vaportrail", "verify", "/record", mounts={damaged: "/record:ro"})

    assert done.returncode == 1
    assert traces.name in done.stdout + done.stderr


def test_kuberays_words_start_a_head_that_its_probes_find_healthy(unpacked: dict[str, Unpacked]) -> None:
    start = "ray start --head --num-cpus=1 --disable-usage-stats --node-ip-address=127.0.0.1"
    probe = "wget --tries 1 -T 2 -q -O- http://localhost:{} | grep success"
    raylet, gcs = (probe.format(path) for path in ("52365/api/local_raylet_healthz", "8265/api/gcs_healthz"))
    script = f"{start} && for i in $(seq 60); do {raylet} && {gcs} && exit 0; sleep 1; done; exit 1"

    done = unpacked["runner"].run("/bin/bash", "-c", "--", script)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_built_on_the_runners_runs_its_pipeline(unpacked: dict[str, Unpacked]) -> None:
    command = ["vaportrail", "run", "pipeline:mnist", "-p", "train_sizes=[400]", "--record", "/tmp/records"]
    done = unpacked["mnist"].run(*command)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 of 6 tasks succeeded" in done.stdout


def _is_regular(file: Path) -> bool:
    return file.is_file() and not file.is_symlink()


def _writable(info: Any) -> bool:
    return (info.uid == 65532 or bool(info.mode & 0o002)) and not (info.issym() or info.islnk())


def _listed(image: Unpacked, kind: str) -> list[str]:
    bill = json.loads((image.root / "usr/share/doc/vaportrail/sbom.cdx.json").read_text())
    components = [each for each in bill["components"] if each.get("purl", "").startswith(kind)]
    return [f"{each['name']} {each['version']}" for each in components]
