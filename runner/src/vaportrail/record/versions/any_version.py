"""Reading a manifest of whatever version of the format."""

from __future__ import annotations

from typing import Final

from pydantic_core import from_json

from vaportrail.errors import RecordError, UnsupportedVersion
from vaportrail.record.manifest import LAYOUT, Manifest
from vaportrail.record.versions.draft import upgraded

__all__ = ["read_manifest"]

_MAJOR: Final = 1
_REASON_LENGTH: Final = 500


def read_manifest(raw: bytes, where: str) -> Manifest:
    """Return the manifest in `raw`, whatever version of the format it is of.

    Raises:
        UnsupportedVersion: it was written by a newer major version.
        RecordError: it is not a manifest.
    """
    try:
        content = from_json(raw)
        major = int(str(content["schema"]).split(".")[0])
        layout = content.get("layout")
    except (AttributeError, ValueError, KeyError, TypeError):
        raise RecordError(f"{where} is not a manifest of a Vaportrail record") from None
    if major > _MAJOR or (layout is not None and layout != LAYOUT):
        version = f"{str(content['schema'])[:40]}" + (f", layout {str(layout)[:40]}" if layout else "")
        raise UnsupportedVersion(
            f"{where} has format {version}, this version reads up to {_MAJOR}.x: "
            "upgrade the package vaportrail"
        )
    try:
        if layout is None:
            return upgraded(content)
        return Manifest.model_validate(content)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise RecordError(f"{where} is not a valid manifest: {reason[:_REASON_LENGTH]}") from None
