"""What the models of the resources have in common."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

__all__ = ["GROUP", "VERSION", "KubernetesObject", "Model"]

GROUP: Final = "vaportrail.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "vaportrail.dev/v1alpha1"

KubernetesObject = dict[str, Any]
"""A piece of Kubernetes' own API, passed through as it is."""


class Model(BaseModel):
    """A part of a resource: camelCase outside, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        serialize_by_alias=True,
    )
