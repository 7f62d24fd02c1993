"""Which versions of their contract the operator and a run's pods read: images may be older or newer."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from vaportrail.contract.pod_environment import CONTRACT_VERSION

__all__ = ["OLDEST_READ", "unread_version"]

OLDEST_READ: Final = max(1, CONTRACT_VERSION - 2)
"""An operator is upgraded while runs are alive, whose images stay as they are."""


class _Versioned(BaseModel):
    model_config = ConfigDict(extra="ignore")

    contract_version: int = CONTRACT_VERSION


def unread_version(message: str) -> str:
    """Return in words why a request or report is of a version that is not read here; else ``""``.

    Its version is looked at before anything else of it: what another version says may look like an error
    in it. Of what is no message at all nothing is said here.

    Args:
        message: as JSON.

    Example:
        >>> unread_version('{"contract_version": 999}')[:33]
        'it is of contract version 999, an'
        >>> unread_version('{"contract_version": 1}'), unread_version("Killed")
        ('', '')
    """
    try:
        version = _Versioned.model_validate_json(message).contract_version
    except ValidationError:
        return ""
    if OLDEST_READ <= version <= CONTRACT_VERSION:
        return ""
    known = (
        f"{OLDEST_READ} to {CONTRACT_VERSION}" if OLDEST_READ < CONTRACT_VERSION else f"{CONTRACT_VERSION}"
    )
    return (
        f"it is of contract version {version:.9g}, and {known} is read here; "
        "use images of the operator's release (spec.image, or the chart's values)"
    )
