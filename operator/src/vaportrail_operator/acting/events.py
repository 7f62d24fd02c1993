"""Kubernetes Events: what they say, and a name for each that is the same where they say the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from vaportrail.crd.fields import API_VERSION
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.pipelineschedule import PipelineSchedule
from vaportrail_operator.acting.endpoints import EVENTS
from vaportrail_operator.observation.fields import metadata_of
from vaportrail_operator.planning.types import (
    Action,
    Create,
    CreateTokens,
    Delete,
    DeleteRun,
    KubernetesEvent,
    Sweep,
)

__all__ = ["event_of", "subject_of"]

_CONTROLLER = "vaportrail.dev/operator"
_NOTE_LIMIT = 1024


def event_of(
    about: PipelineRun | PipelineSchedule,
    event: KubernetesEvent,
    *,
    instance: str,
    now: datetime,
    subject: str = "",
) -> Mapping[str, Any]:
    """Return the Event that says a note; the same note of the same object has the same name.

    Args:
        about: what it is about.
        event: what it says.
        instance: of the operator.
        now: when.
        subject: what the note is about, where its words are another's, and may differ each time: notes of
            one reason and subject are the same.
    """
    metadata = about.metadata
    said = "\0".join((metadata.uid, event.type, event.reason, subject or event.message))
    name = f"{metadata.name}.{hashlib.sha256(said.encode()).hexdigest()[:16]}"
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": name, "namespace": metadata.namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": event.type,
        "reason": event.reason,
        "note": event.message.encode()[:_NOTE_LIMIT].decode(errors="ignore"),
        "action": "Reconcile",
        "reportingController": _CONTROLLER,
        "reportingInstance": instance,
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": about.kind,
            "namespace": metadata.namespace,
            "name": metadata.name,
            "uid": metadata.uid,
        },
    }


def subject_of(action: Action) -> str:
    """Return what an action is about, as an Event names it."""
    match action:
        case Create(manifest=manifest) | CreateTokens(manifest=manifest):
            return f"{manifest['kind']}/{metadata_of(manifest)['name']}"
        case Delete():
            return f"{action.kind}/{action.name}"
        case Sweep() | DeleteRun():
            return type(action).__name__
