"""What the images are made from, as far as it shows without building them."""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import tarfile
from pathlib import Path, PurePosixPath

import pytest

import vaportrail
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY))

from e2e.cluster import image_engines
from e2e.cluster.image_archive import configuration, entries, unpack, unpacked_size
from e2e.cluster.image_folder import ImageError
from e2e.cluster.images import IMAGES, binary_image, main

OURS = {name: REPOSITORY / image.dockerfile for name, image in IMAGES.items()}
DOCKERFILES = {**OURS, "binary": REPOSITORY / "e2e" / "cluster" / "Dockerfile.binary"}
LOCKS = [*sorted(REPOSITORY.glob("requirements*.txt")), REPOSITORY / "examples/mnist/requirements.txt"]
INDEX_HOSTS = re.compile(r"https?://|pypi|pythonhosted|deb\.debian|security\.debian|proxy\.golang|index-url")


def instructions(dockerfile: Path) -> list[str]:
    """Return a Dockerfile's instructions, each in one line."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


def last_stage(dockerfile: Path) -> list[str]:
    told = instructions(dockerfile)
    start = max(index for index, line in enumerate(told) if line.startswith("FROM "))
    return told[start:]


def versions(lock: Path) -> dict[tuple[str, str], str]:
    """Return the version of each package in a lock, by its name and the machines it is meant for."""
    found = re.findall(r"^([a-z0-9._-]+)==(\S+)(?: ; (.*?))? \\$", lock.read_text(), re.MULTILINE)
    assert found, f"{lock} holds no package"
    return {(name, marker): version for name, version, marker in found}


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_last_user_is_a_number_and_not_root(name: str) -> None:
    users = [line.split()[1] for line in last_stage(DOCKERFILES[name]) if line.startswith("USER ")]

    assert users[-1] == "65532:65532"


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_an_image_is_built_on_has_a_version_that_stays(name: str) -> None:
    told = instructions(DOCKERFILES[name])
    defaults = dict(line.removeprefix("ARG ").split("=", 1) for line in told if re.match(r"ARG \w+=", line))
    stages = {line.split()[3] for line in told if re.match(r"FROM \S+ AS ", line)}
    bases = [line.split()[1] for line in told if line.startswith("FROM ")]

    named = [re.sub(r"\$\{(\w+)\}", lambda found: defaults[found[1]], base) for base in bases]
    loose = [base for base in named if base not in {*stages, "scratch"} and not re.search(r":[\w.-]+$", base)]
    assert loose == []
    assert [base for base in named if base.endswith(":latest")] == []


@pytest.mark.parametrize("name", DOCKERFILES)
def test_everything_that_pip_installs_is_locked_or_ours(name: str) -> None:
    runs = " ".join(line for line in instructions(DOCKERFILES[name]) if line.startswith("RUN "))
    installs = [part for part in runs.split("&&") if re.search(r"\bpip\b.*\b(install|wheel)\b", part)]

    wrong = [
        part
        for part in installs
        if "--require-hashes" not in part and not ("--no-index" in part and "--no-deps" in part)
    ]
    assert wrong == []
    assert bool(installs) == (name != "binary")


@pytest.mark.parametrize("name", DOCKERFILES)
def test_no_address_of_a_registry_is_written_down(name: str) -> None:
    assert INDEX_HOSTS.findall(DOCKERFILES[name].read_text()) == []


@pytest.mark.parametrize("name", ["runner", "operator"])
def test_no_package_that_compiles_is_in_the_last_stage(name: str) -> None:
    (line,) = [line for line in last_stage(OURS[name]) if "apt-get install" in line]
    (packages,) = re.findall(r"--no-install-recommends ([a-z0-9 .+-]+?) +&&", line)

    assert set(packages.split()) <= {"ca-certificates", "python3", "wget"}


@pytest.mark.parametrize("name", ["runner", "operator"])
def test_an_image_is_labelled_with_the_version_of_the_distribution(name: str) -> None:
    assert f"ARG VERSION={vaportrail.__version__}" in instructions(OURS[name])


@pytest.mark.parametrize("name", OURS)
def test_a_bill_of_materials_is_written_last(name: str) -> None:
    runs_and_copies = [line for line in last_stage(OURS[name]) if line.startswith(("RUN ", "COPY "))]

    assert runs_and_copies[-1].startswith("RUN vaportrail-sbom --name ")


@pytest.mark.parametrize("name", OURS)
def test_whatever_is_copied_is_part_of_the_key_that_the_image_is_cached_by(name: str) -> None:
    sources = [
        source
        for line in instructions(OURS[name])
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert sources
    for source in sources:
        for file in REPOSITORY.glob(source):
            known = file.relative_to(REPOSITORY)
            # A folder is copied as far as `.dockerignore` lets it through, which names the same files.
            covered = [each for each in IMAGES[name].inputs if PurePosixPath(each).is_relative_to(known)]
            assert covered or any(known.is_relative_to(each) for each in IMAGES[name].inputs), source


@pytest.mark.parametrize("name", OURS)
def test_whatever_an_image_is_made_from_is_there_and_in_the_context(name: str) -> None:
    allowed = [
        line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    for each in set(IMAGES[name].inputs) - {".dockerignore"}:
        assert (REPOSITORY / each).exists()
        hits = [PurePosixPath(each).match(pattern) or pattern.startswith(f"{each}/") for pattern in allowed]
        assert any(hits), each


def test_the_documentation_shows_the_dockerfile_that_is_tested() -> None:
    (shown,) = re.findall(r"```dockerfile\n(.*?)```", (REPOSITORY / "docs/images.md").read_text(), re.DOTALL)
    assert shown == OURS["mnist"].read_text()


def test_locks_agree_on_every_version() -> None:
    assert len(LOCKS) >= 7
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    wrong = []
    for lock in LOCKS:
        for package, version in versions(lock).items():
            other, where = seen.setdefault(package, (version, lock.name))
            if other != version:
                wrong.append(f"{package}: {other} in {where}, {version} in {lock.name}")
    assert wrong == []


def test_the_example_asks_for_nothing_that_the_runners_lock_has_in_another_version() -> None:
    runner = {
        name: version for (name, _), version in versions(REPOSITORY / "requirements-runner.txt").items()
    }
    example = versions(REPOSITORY / "examples/mnist/requirements.txt")

    assert {
        name: version for (name, _), version in example.items() if runner.get(name, version) != version
    } == {}


def test_the_operators_lock_has_no_ray() -> None:
    assert "ray" not in {name for name, _ in versions(REPOSITORY / "requirements-operator.txt")}


# Archives, as engines write them.


def layer(**files: bytes | None) -> bytes:
    """Return a layer; a name's `__` is a slash, and what has no content is a folder."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name.replace("__", "/").replace("WH_", ".wh.").replace("OPQ", ".wh..opq"))
            info.type, info.mode = (tarfile.DIRTYPE, 0o755) if content is None else (tarfile.REGTYPE, 0o644)
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
    return made.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    layers = [
        layer(
            etc=None,
            etc__kept=b"12345",
            etc__gone=b"123",
            old=None,
            old__a=b"1",
            old__sub=None,
            old__sub__b=b"1",
        ),
        layer(etc=None, etc__WH_gone=b"", old=None, old__WH_OPQ=b"", old__new=b"12"),
        layer(etc__kept=b"1234567"),
    ]
    layers[1] = gzip.compress(layers[1])  # as some engines do
    parts = {"config.json": json.dumps({"config": {"User": "65532:65532"}}).encode()}
    parts |= {f"layer{index}.tar": content for index, content in enumerate(layers)}
    parts["manifest.json"] = json.dumps(
        [{"Config": "config.json", "Layers": [f"layer{index}.tar" for index in range(len(layers))]}]
    ).encode()
    file = tmp_path / "image.tar"
    with tarfile.open(file, "w") as tar:
        for name, content in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file


def test_what_a_later_layer_removes_or_replaces_is_not_counted(archive: Path) -> None:
    assert set(entries(archive)) == {"etc", "etc/kept", "old", "old/new"}
    assert unpacked_size(archive) == len(b"1234567") + len(b"12")


def test_an_unpacked_archive_holds_what_its_entries_say(archive: Path, tmp_path: Path) -> None:
    unpack(archive, tmp_path / "root")

    there = {str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*")}
    assert there == set(entries(archive))
    assert (tmp_path / "root/etc/kept").read_bytes() == b"1234567"


def test_an_archive_tells_the_images_configuration(archive: Path) -> None:
    assert configuration(archive) == {"config": {"User": "65532:65532"}}


# What is said where nothing can be built.


def test_an_unknown_image_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rummer"]) == 2
    assert capsys.readouterr().err == "no image 'rummer'; there are runner, operator, mnist\n"


def test_a_program_that_is_not_there_makes_no_image(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        binary_image("pause", tmp_path / "pause")


def test_a_machine_without_an_engine_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("E2E_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("E2E_ENGINE", raising=False)

    with pytest.raises(ImageError, match="start docker or podman, or, on Debian, `sudo apt-get"):
        image_engines.find_engine()


def test_an_engine_that_is_named_and_fails_is_not_replaced_by_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "docker"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("E2E_CACHE", str(tmp_path / "cache"))

    monkeypatch.setenv("E2E_ENGINE", "docker")
    with pytest.raises(ImageError, match="`docker info` fails here"):
        image_engines.find_engine()
    monkeypatch.setenv("E2E_ENGINE", "kaniko")
    with pytest.raises(ImageError, match="none of docker, podman, buildah"):
        image_engines.find_engine()


def test_a_failed_command_is_told_with_the_end_of_its_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "docker"
    fake.write_text("#!/bin/sh\nfor i in $(/usr/bin/seq 100); do echo line $i; done\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("E2E_CACHE", str(tmp_path / "cache"))

    with pytest.raises(ImageError) as raised:
        image_engines.Docker().build("runner", "runner:dev", tmp_path / "Dockerfile", tmp_path)

    said = str(raised.value)
    assert said.startswith("image runner: `docker build ")
    assert "ended with 3" in said
    assert said.endswith("line 100")
    assert "line 60\n" not in said
