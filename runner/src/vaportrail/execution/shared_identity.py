"""Who a run is, as each of its processes and whoever seals it may know: without the runner's secrets."""

from __future__ import annotations

import os
from dataclasses import replace

from vaportrail.contract.run_identity import RunIdentity
from vaportrail.telemetry.redact import redactor

__all__ = ["without_secrets"]


def without_secrets(identity: RunIdentity) -> RunIdentity:
    """Return who a run is as every process of it may know: whoever seals it has not this environment."""
    secrets = redactor(os.environ)
    if secrets is None:
        return identity
    tags = {secrets(name): secrets(value) for name, value in identity.tags.items()}
    parameters = secrets.tree(identity.parameters)
    return replace(identity, name=secrets(identity.name), tags=tags, parameters=parameters)
