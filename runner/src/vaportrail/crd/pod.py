"""What may be set of a run's pods, in Kubernetes' own words.

The values stay plain mappings, which go into the pods as they are. Their first level is typed, so
that a misspelt field is refused with the run, and not by the API server when a pod is made.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema
from typing_extensions import TypedDict

from vaportrail.crd.fields import (
    Identifier,
    KubernetesObject,
    Label,
    Model,
    ObjectName,
    OpenObject,
    OptionalName,
    Text,
)
from vaportrail.crd.quantity import Quantity

__all__ = ["PodSettings", "Resources", "SecretReference"]

_CLOSED = ConfigDict(extra="forbid")


class _Shaped:
    """Validates a plain mapping as a `TypedDict`."""

    def __init__(self, shape: Any) -> None:
        self._shape = shape

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(self._shape)


class _EnvVar(TypedDict, total=False):
    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    name: Required[Annotated[str, Field(min_length=1, max_length=253)]]
    value: Annotated[str, Field(max_length=8192)]
    valueFrom: OpenObject


class _EnvSource(TypedDict, total=False):
    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    name: Required[ObjectName]
    optional: bool


class _EnvFrom(TypedDict, total=False):
    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    prefix: Annotated[str, Field(max_length=253)]
    configMapRef: _EnvSource
    secretRef: _EnvSource


class _Toleration(TypedDict, total=False):
    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    key: Annotated[str, Field(max_length=317)]
    operator: Literal["", "Equal", "Exists"]
    value: Annotated[str, Field(max_length=63)]
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"]
    tolerationSeconds: int


class _Affinity(TypedDict, total=False):
    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    nodeAffinity: OpenObject
    podAffinity: OpenObject
    podAntiAffinity: OpenObject


class _Volume(TypedDict, total=False):
    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    name: Required[Identifier]
    configMap: OpenObject
    csi: OpenObject
    downwardAPI: OpenObject
    emptyDir: OpenObject
    ephemeral: OpenObject
    hostPath: OpenObject
    image: OpenObject
    nfs: OpenObject
    persistentVolumeClaim: OpenObject
    projected: OpenObject
    secret: OpenObject


class _VolumeMount(TypedDict, total=False):
    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    name: Required[Identifier]
    mountPath: Required[Annotated[str, Field(max_length=1024, pattern="^/[^:]*$")]]
    mountPropagation: Annotated[str, Field(max_length=32)]
    readOnly: bool
    recursiveReadOnly: Annotated[str, Field(max_length=32)]
    subPath: Text
    subPathExpr: Text


class SecretReference(Model):
    """A Secret of the run's namespace."""

    name: ObjectName
    """The Secret's name."""


class Resources(Model):
    """Requests and limits, as in a container."""

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] = {}
    """What is set aside, such as `{cpu: "1", memory: 2Gi}`."""
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] = {}
    """What may be used at most. Ray takes its CPUs and memory from here."""


class PodSettings(Model):
    """What may be set of a pod; each field is as in Kubernetes' own pods."""

    env: Annotated[list[Annotated[KubernetesObject, _Shaped(_EnvVar)]], Field(max_length=128)] = []
    """Environment variables."""
    env_from: Annotated[list[Annotated[KubernetesObject, _Shaped(_EnvFrom)]], Field(max_length=32)] = []
    """Secrets and ConfigMaps of which each key becomes an environment variable."""
    labels: Annotated[dict[str, Label], Field(max_length=64)] = {}
    """Further labels, as some clouds ask for to give a pod an identity."""
    annotations: Annotated[dict[str, Annotated[str, Field(max_length=8192)]], Field(max_length=64)] = {}
    """Further annotations."""
    node_selector: Annotated[dict[str, Label], Field(max_length=32)] = {}
    """Labels that a node must have."""
    tolerations: Annotated[list[Annotated[KubernetesObject, _Shaped(_Toleration)]], Field(max_length=32)] = []
    """Taints of nodes to put up with."""
    affinity: Annotated[KubernetesObject, _Shaped(_Affinity)] = {}
    """Which nodes to be on, beside which pods, and away from which."""
    priority_class_name: OptionalName = ""
    """A PriorityClass."""
    scheduler_name: OptionalName = ""
    """Another scheduler than the cluster's own."""
    runtime_class_name: OptionalName = ""
    """A RuntimeClass."""
    automount_service_account_token: bool | None = None
    """Whether there is a token of its ServiceAccount for Kubernetes' API; not unless it is said.

    A cloud's identity needs none.
    """
    image_pull_policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    """When the node pulls the image."""
    image_pull_secrets: Annotated[list[SecretReference], Field(max_length=16)] = []
    """Secrets to pull the image with."""
    volumes: Annotated[list[Annotated[KubernetesObject, _Shaped(_Volume)]], Field(max_length=32)] = []
    """Further volumes; PodSecurity may allow only some kinds."""
    volume_mounts: Annotated[
        list[Annotated[KubernetesObject, _Shaped(_VolumeMount)]], Field(max_length=32)
    ] = []
    """Where the main container has them."""
