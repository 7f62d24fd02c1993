"""Who a run is, and what every process of it needs to know.

This module imports nothing but the standard library: every worker and every notebook's kernel
starts with it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

__all__ = ["FORMAT_VERSION", "RunIdentity", "RunSettings"]

FORMAT_VERSION: Final = "1.0"
"""Version of the record's format, `MAJOR.MINOR`."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Who a run is; fixed before anything starts.

    Attributes:
        uid: the run's UUID.
        pipeline: the pipeline's name, a segment of the record's path.
        name: what the user calls this run; the record's directory name unless given.
        created_unix_nano: when the run was asked for, nanoseconds since the epoch.
        parameters: the validated parameters in JSON form; hidden ones read ``"<hidden>"``.
        tags: free text by name.
        entrypoint: what was run, such as ``"mnist.pipeline:mnist"``.
        scheduled_time: when it was due, RFC 3339, however late it began; empty where no schedule made it.
        previous_scheduled_time: when the run before it was due that succeeded last, if there was one.
    """

    uid: str
    pipeline: str
    name: str
    created_unix_nano: int
    parameters: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    entrypoint: str = ""
    scheduled_time: str = ""
    previous_scheduled_time: str = ""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What every process of a run needs to know; travels with each attempt.

    Attributes:
        identity: who the run is.
        spool: the spool folder on this host.
        root: the record root, a folder or an object store's URI.
        path: the record's place below the root.
        incarnation: the runner's incarnation, from 1.
    """

    identity: RunIdentity
    spool: str
    root: str
    path: str
    incarnation: int = 1

    @property
    def record_uri(self) -> str:
        """The record's own URI (or folder)."""
        return f"{self.root.rstrip('/')}/{self.path}"

    def to_json(self) -> str:
        """Return the settings as JSON text."""
        raw = asdict(self)
        for name in ("scheduled_time", "previous_scheduled_time"):
            # What an older reader does not know is told only where it says something.
            if not raw["identity"][name]:
                del raw["identity"][name]
        return json.dumps(raw)

    @classmethod
    def from_json(cls, text: str) -> RunSettings:
        """Return the settings in `text`.

        Raises:
            ValueError: the text is not settings.
        """
        try:
            raw = json.loads(text)
            return cls(**{**raw, "identity": RunIdentity(**raw["identity"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"these are not a run's settings: {error}") from error
