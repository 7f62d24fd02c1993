#!/usr/bin/env python3
"""Write an image's bill of materials: every Debian package and Python distribution in it, as CycloneDX 1.6.

Runs while an image is built, in the file system that the image will have, as `vaportrail-sbom`. The same
file system gives the same bytes: sorted, without times and serial numbers. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from email.parser import HeaderParser
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = ["bill_of_materials", "debian_components", "main", "python_components"]

OUTPUT = "usr/share/doc/vaportrail/sbom.cdx.json"
_LONGEST_NAME = 100
"""Some distributions put the whole text of their licence where its name belongs."""


def main(arguments: list[str] | None = None) -> int:
    """Write the bill of materials of the file system below `--root`; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--name", default="image", help="what the image is called")
    parser.add_argument("--root", type=Path, default=Path("/"), help="the file system (default: /)")
    parser.add_argument("--venv", default="opt/vaportrail", help="the virtual environment, below the root")
    given = parser.parse_args(arguments)
    bill = bill_of_materials(given.root, given.venv, name=given.name)
    target = given.root / OUTPUT
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(bill, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(bill['components'])} components in {target}")
    return 0


def bill_of_materials(root: Path, venv: str, *, name: str) -> dict[str, Any]:
    """Return the CycloneDX document of a file system.

    Raises:
        FileNotFoundError: it has no list of Debian packages, or no such virtual environment.
    """
    release = _os_release(root / "etc/os-release")
    distro = f"{release['ID']}-{release['VERSION_ID']}"
    system = {
        "type": "operating-system",
        "bom-ref": f"os:{distro}",
        "name": release["ID"],
        "version": release["VERSION_ID"],
    }
    found = [*debian_components(root, distro), *python_components(root / venv.lstrip("/"))]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": "image", "name": name}},
        "components": [system, *sorted(found, key=lambda component: component["purl"])],
    }


def debian_components(root: Path, distro: str) -> Iterator[dict[str, Any]]:
    """Yield a component for each installed Debian package.

    Args:
        root: the file system.
        distro: its distribution and release, such as `debian-13`.
    """
    paragraphs = (root / "var/lib/dpkg/status").read_text(encoding="utf-8").strip().split("\n\n")
    for paragraph in paragraphs:
        fields = HeaderParser().parsestr(paragraph)
        if fields["Status"] != "install ok installed":
            continue
        name, version = fields["Package"], fields["Version"]
        purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={fields['Architecture']}&distro={distro}"
        if fields["Source"]:
            # Security advisories name the source: "source" or "source (version)".
            purl += f"&upstream={quote(fields['Source'].partition(' ')[0])}"
        licences = _debian_licences(root / "usr/share/doc" / name / "copyright")
        yield _component(name, version, purl, [{"license": {"name": each}} for each in licences])


def python_components(venv: Path) -> Iterator[dict[str, Any]]:
    """Yield a component for each distribution that is installed in a virtual environment."""
    folders = sorted(venv.glob("lib/python3*/site-packages"))
    if not folders:
        raise FileNotFoundError(f"{venv} is not a virtual environment")
    for distribution in distributions(path=[str(folder) for folder in folders]):
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        purl = f"pkg:pypi/{quote(name)}@{quote(distribution.version)}"
        yield _component(name, distribution.version, purl, _python_licences(distribution))


def _component(name: str, version: str, purl: str, licences: list[dict[str, Any]]) -> dict[str, Any]:
    component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return {**component, "licenses": licences} if licences else component


def _python_licences(distribution: Distribution) -> list[dict[str, Any]]:
    fields = distribution.metadata
    for expression in fields.get_all("License-Expression", []):
        return [{"expression": expression}]
    prefix = "License :: OSI Approved :: "
    names = {
        each.removeprefix(prefix) for each in fields.get_all("Classifier", []) if each.startswith(prefix)
    }
    for text in fields.get_all("License", []):
        if not names and "\n" not in text.strip() and 0 < len(text.strip()) <= _LONGEST_NAME:
            names = {text.strip()}
    return [{"license": {"name": name}} for name in sorted(names)]


def _debian_licences(copyright_file: Path) -> list[str]:
    """Return the short names in a machine-readable copyright file; nothing where it is prose."""
    if not copyright_file.is_file():
        return []
    text = copyright_file.read_text(encoding="utf-8", errors="replace")
    if not text.lstrip().startswith("Format:"):
        return []
    return sorted({name.strip() for name in re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE)})


def _os_release(file: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in file.read_text(encoding="utf-8").splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, value in pairs}


if __name__ == "__main__":
    sys.exit(main())
