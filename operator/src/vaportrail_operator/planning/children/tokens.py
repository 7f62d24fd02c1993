"""The run's Secret: a token for Ray, and one for the collector."""

from __future__ import annotations

from typing import Any

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.planning.names import AUTH_TOKEN, OTLP_TOKEN, metadata_of, tokens_name
from vaportrail_operator.planning.types import CreateTokens

__all__ = ["create_tokens"]


def create_tokens(run: PipelineRun) -> CreateTokens:
    """Return the action that makes the Secret; whoever carries it out draws the tokens."""
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata_of(run, tokens_name(run)),
        "type": "Opaque",
        "immutable": True,
    }
    return CreateTokens(manifest, (AUTH_TOKEN, OTLP_TOKEN))
