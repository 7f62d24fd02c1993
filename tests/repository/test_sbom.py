"""An image's bill of materials, made of small file systems."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))

import sbom

STATUS = """\
Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib (1:1.3.dfsg+really1.3.1-1)
Version: 1:1.3.dfsg+really1.3.1-1+b1
Description: compression library - runtime
 zlib is a library. Version: 99

Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.37-2

Package: removed
Status: deinstall ok config-files
Architecture: all
Version: 1.0
"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: bash

Files: *
Copyright: 1987 Free Software Foundation
License: GPL-3+

Files: lib/*
License: GPL-2+

License: GPL-3+
 This program is free software.
 License: not a field
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 13"\nID=debian\nVERSION_ID="13"\n')
    write(tmp_path / "var/lib/dpkg/status", STATUS)
    write(tmp_path / "usr/share/doc/bash/copyright", COPYRIGHT)
    write(tmp_path / "usr/share/doc/zlib1g/copyright", "This package was debianized by hand.\n")
    distribution(tmp_path, "ray", "2.60.0", "License: Apache 2.0\nClassifier: Programming Language :: Python")
    distribution(tmp_path, "Jinja2.Ext_x", "3.1", "License-Expression: BSD-3-Clause AND MIT")
    distribution(tmp_path, "both", "1", "License: long\nClassifier: License :: OSI Approved :: MIT License")
    distribution(tmp_path, "prose", "1", "License: Permission is hereby granted\n        to any person")
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def distribution(root: Path, name: str, version: str, fields: str) -> None:
    folder = root / f"opt/vaportrail/lib/python3.13/site-packages/{name}-{version}.dist-info"
    write(folder / "METADATA", f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{fields}\n")


def bill(root: Path) -> dict[str, Any]:
    assert sbom.main(["--root", str(root), "--name", "test image"]) == 0
    return dict(json.loads((root / "usr/share/doc/vaportrail/sbom.cdx.json").read_text()))


def components(root: Path) -> dict[str, dict[str, Any]]:
    return {component["name"]: component for component in bill(root)["components"]}


def test_a_bill_says_its_format_and_what_it_is_about(root: Path) -> None:
    made = bill(root)

    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert made["metadata"]["component"] == {"type": "container", "bom-ref": "image", "name": "test image"}


def test_the_same_file_system_gives_the_same_bytes(root: Path) -> None:
    bill(root)
    first = (root / "usr/share/doc/vaportrail/sbom.cdx.json").read_bytes()
    bill(root)

    assert (root / "usr/share/doc/vaportrail/sbom.cdx.json").read_bytes() == first


def test_components_are_sorted_and_have_references_of_their_own(root: Path) -> None:
    listed = bill(root)["components"]

    assert listed[0]["type"] == "operating-system"
    purls = [component["purl"] for component in listed[1:]]
    assert purls == sorted(set(purls))
    assert [component["bom-ref"] for component in listed[1:]] == purls


def test_a_debian_package_has_its_version_release_and_source(root: Path) -> None:
    package = components(root)["zlib1g"]

    version = "1:1.3.dfsg+really1.3.1-1+b1"
    quoted = "1%3A1.3.dfsg%2Breally1.3.1-1%2Bb1"
    assert package["version"] == version
    assert package["purl"] == f"pkg:deb/debian/zlib1g@{quoted}?arch=amd64&distro=debian-13&upstream=zlib"


def test_a_package_that_was_removed_is_not_listed(root: Path) -> None:
    assert "removed" not in components(root)


def test_the_licences_of_a_machine_readable_copyright_file_are_named_once(root: Path) -> None:
    assert licences(components(root)["bash"]) == ["GPL-2+", "GPL-3+"]


def test_a_copyright_file_in_prose_names_no_licence(root: Path) -> None:
    assert "licenses" not in components(root)["zlib1g"]


def test_a_distribution_is_listed_by_its_normal_name(root: Path) -> None:
    assert components(root)["jinja2-ext-x"]["purl"] == "pkg:pypi/jinja2-ext-x@3.1"


def test_a_licence_expression_stays_one(root: Path) -> None:
    assert components(root)["jinja2-ext-x"]["licenses"] == [{"expression": "BSD-3-Clause AND MIT"}]


@pytest.mark.parametrize(("name", "said"), [("ray", ["Apache 2.0"]), ("both", ["MIT License"])])
def test_a_licence_is_named_by_classifiers_or_else_by_its_field(
    root: Path, name: str, said: list[str]
) -> None:
    assert licences(components(root)[name]) == said


def test_the_text_of_a_licence_is_not_its_name(root: Path) -> None:
    assert "licenses" not in components(root)["prose"]


def test_what_is_no_virtual_environment_is_refused(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a virtual environment"):
        sbom.main(["--root", str(root), "--venv", "/opt/other"])


def licences(component: dict[str, Any]) -> list[str]:
    return [each["license"]["name"] for each in component["licenses"]]
