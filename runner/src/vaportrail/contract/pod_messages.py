"""What the operator hands to the pods of a run, and what they hand back.

A request travels as JSON in an environment variable, a report as a container's termination
message: no pod of a run talks to the Kubernetes API. Additions only: the operator reads the reports
of runners up to two versions back.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from vaportrail.contract.otlp_signals import COUNTED
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_environment import CONTRACT_VERSION, SPOOL_FOLDER
from vaportrail.contract.run_identity import RunIdentity, RunSettings

__all__ = [
    "ArchiveSource",
    "GitSource",
    "ReceiptEntry",
    "RunReport",
    "RunRequest",
    "SealPlanReport",
    "SealReport",
    "SealRequest",
    "Source",
    "TimelineEntry",
]


_LOST: Final = "lost_"


class _Model(BaseModel):
    # What a later version adds is passed over.
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class GitSource(_Model):
    """A revision of a public git repository."""

    url: str
    revision: str = "HEAD"
    """A whole commit (40 hex digits), a tag or a branch."""
    path: str = ""
    """The folder in it that is the source."""


class ArchiveSource(_Model):
    """A `.tar.gz`, `.tar` or `.zip` in an object store or on a web server."""

    uri: str
    sha256: str
    """Hex; an archive of another content is refused."""


class Source(_Model):
    """Where the code comes from, when it is not in the image. At most one is given."""

    git: GitSource | None = None
    archive: ArchiveSource | None = None
    folder: str = ""
    """A folder that is mounted into the runner."""

    @model_validator(mode="after")
    def _at_most_one(self) -> Source:
        if sum([self.git is not None, self.archive is not None, bool(self.folder)]) > 1:
            raise ValueError("at most one of git, archive and folder can be the source")
        return self


class RunRequest(_Model):
    """What the runner is asked to do."""

    contract_version: int = CONTRACT_VERSION
    identity: RunIdentity
    """Its parameters are the user's, not validated yet: only the runner has the pipeline's code."""
    root: str
    """The record root, such as `s3://runs/ml`."""
    path: str
    """The record's place below the root; fixed by the operator before anything is made."""
    source: Source = Source()
    head: str
    """Host name of the Ray head."""
    gcs_port: int = 6379
    join_seconds: int = 600
    """How long to try to join the Ray cluster."""
    run_seconds: int = 0
    """How long the pipeline may run; 0 for ever."""

    @property
    def settings(self) -> RunSettings:
        """The run's settings, as every process of it knows them."""
        return RunSettings(self.identity, f"{SPOOL_FOLDER}/{self.identity.uid}", self.root, self.path)


class RunReport(_Model):
    """The runner's termination message: an early word, the record has the last one."""

    contract_version: int = CONTRACT_VERSION
    outcome: Outcome
    message: str = ""
    joined: str = ""
    """When it had joined the Ray cluster, RFC 3339."""
    user_code_started: str = ""
    user_code_ended: str = ""
    source_revision: str = ""
    """The commit that was run, where the source is a git repository."""
    unwritable: bool = False
    """Whether nothing could be written to the record root, so that no sealer need try."""


class TimelineEntry(_Model):
    """A stretch of the run's infrastructure."""

    name: str
    """CamelCase, such as `HeadScheduled`."""
    start: str
    """RFC 3339."""
    end: str


class ReceiptEntry(_Model):
    """Something that was made for the run, and is gone; or a group of KubeRay's of one kind."""

    object: str
    """`<Kind>/<name>`; of a group `<Kind> of <cluster>`."""
    uid: str = ""
    count: int = Field(default=1, ge=1)
    created: str
    """RFC 3339; of a group, of the first."""
    removed: str
    """RFC 3339; of a group, of the last. Empty: it is still there."""


class SealRequest(_Model):
    """What the sealer is asked to do."""

    contract_version: int = CONTRACT_VERSION
    identity: RunIdentity
    root: str
    path: str
    outcome: Outcome = Outcome.RUNNER_LOST
    """What the operator says of the run; counts only where the runner itself said nothing."""
    message: str = ""
    timeline: list[TimelineEntry] = []
    receipt: list[ReceiptEntry] = []
    environment: dict[Literal["image", "image_digest", "namespace", "operator_version"], str] = {}
    runner_started: bool = True
    """Whether the runner's container ever ran, as far as is known. Where it did and nothing was heard of
    it, nobody knows what is missing."""
    plan_sha256: str = ""
    """Of the plan that an earlier sealer of the run has fixed, hex: no other is carried out."""

    @property
    def settings(self) -> RunSettings:
        """The run's settings; a sealer has no spool of its own."""
        return RunSettings(self.identity, "", self.root, self.path)


class SealPlanReport(_Model):
    """The termination message of the sealer's first container, which fixes what is sealed."""

    contract_version: int = CONTRACT_VERSION
    sha256: str
    """Of the plan, hex: the second container carries out this one. Empty where the record stands already."""
    parts: int = 0
    size: int = 0
    """Bytes of all parts."""


class SealReport(_Model):
    """The sealer's termination message."""

    contract_version: int = CONTRACT_VERSION
    outcome: Outcome
    """The run's, as its record says."""
    message: str = ""
    uri: str
    sha256: str
    """Of the manifest, hex."""
    loss: Literal["None", "Counted", "Unknown"]
    lost: dict[str, int] = {}
    """How many records of each signal, by what they are called; a field of its own each where it travels."""
    tasks: dict[str, int] = {}
    """How many tasks ended how."""
    timings: dict[str, float] = {}
    """Seconds that the steps of the seal took."""
    late_parts: int = 0
    """Files that arrived after the seal was planned: not in the record, and kept where they are."""
    plan_sha256: str = ""
    """Of the plan that was carried out, hex; empty where the record stood already."""

    @model_validator(mode="before")
    @classmethod
    def _lost_by_signal(cls, said: Any) -> Any:
        if not isinstance(said, dict) or "lost" in said:
            return said
        fields = {signal.many: f"{_LOST}{signal.many}" for signal in COUNTED}
        return {**said, "lost": {many: said[name] for many, name in fields.items() if name in said}}

    @model_serializer(mode="wrap")
    def _a_field_a_signal(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = handler(self)
        return {**said, **{f"{_LOST}{many}": count for many, count in said.pop("lost").items()}}
