"""The run's Secret: a token for Ray, and one for the collector."""

from __future__ import annotations

from typing import Any

from vaportrail.crd.fields import API_VERSION
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.names import (
    AUTH_TOKEN,
    OTLP_TOKEN,
    collector_name,
    metadata_of,
    tokens_name,
)
from vaportrail_operator.planning.types import CreateTokens

__all__ = ["create_tokens"]


def create_tokens(run: PipelineRun) -> CreateTokens:
    """Return the action that makes the Secret; whoever carries it out draws the tokens.

    It goes as both the run and the collector's Service have gone: not before the collector has done its
    work, and not never, though nobody may look whether it is there.
    """
    owner = {"apiVersion": API_VERSION, "kind": run.kind, "name": run.metadata.name, "uid": run.metadata.uid}
    metadata = metadata_of(run, tokens_name(run), owned=False)
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**metadata, "ownerReferences": [owner]},
        "type": "Opaque",
        "immutable": True,
    }
    return CreateTokens(manifest, (AUTH_TOKEN, OTLP_TOKEN), (Kind.SERVICE, collector_name(run)))
