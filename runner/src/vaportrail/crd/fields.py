"""What the models of the resources have in common: their base, and the kinds of text they hold."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

__all__ = [
    "API_VERSION",
    "ARCHIVE_ENDINGS",
    "GROUP",
    "VERSION",
    "Identifier",
    "KubernetesObject",
    "Label",
    "Model",
    "ObjectName",
    "OpenObject",
    "Seconds",
    "Text",
    "immutable",
    "rule",
]

GROUP: Final = "vaportrail.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "vaportrail.dev/v1alpha1"

ARCHIVE_ENDINGS: Final = (".tar.gz", ".tgz", ".tar", ".zip")
"""Of the names of archives that the runner can unpack."""

RULES: Final = "x-kubernetes-validations"
LIST_TYPE: Final = "x-kubernetes-list-type"
LIST_KEYS: Final = "x-kubernetes-list-map-keys"
MAP_TYPE: Final = "x-kubernetes-map-type"

KubernetesObject = dict[str, Any]
"""A piece of Kubernetes' own API, passed through as it is."""

OpenObject = Annotated[KubernetesObject, Field(max_length=64)]
"""The same, of which not even the first level is looked at."""

# Patterns are what RE2 (the API server), Rust (pydantic) and Python read alike.
_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DNS_LABEL: Final = f"^{_NAME}$"
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=rf"^{_NAME}(\.{_NAME})*$")]
"""The name of an object of Kubernetes."""
OptionalName = Annotated[str, Field(max_length=253, pattern=rf"^({_NAME}(\.{_NAME})*)?$")]
"""The same, or nothing."""
Identifier = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
"""A DNS label, such as a volume's name."""
LABEL_VALUE: Final = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
Label = Annotated[str, Field(max_length=63, pattern=LABEL_VALUE)]
"""The value of a label."""
Text = Annotated[str, Field(max_length=1024)]
"""Free text of moderate length."""
Seconds = Annotated[int, Field(ge=0, le=2**31 - 1)]
PositiveSeconds = Annotated[int, Field(ge=1, le=2**31 - 1)]


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


def rule(expression: str, message: str, field: str = "") -> JsonValue:
    """Return a rule that the API server checks.

    Args:
        expression: in CEL; what is not true is refused.
        message: what to do, in words.
        field: what is at fault, below the place where the rule stands.
    """
    made: dict[str, JsonValue] = {"rule": expression, "message": message, "reason": "FieldValueForbidden"}
    return {**made, "fieldPath": f".{field}"} if field else made


def immutable(field: str, *, required: bool = False, open_map: bool = False) -> JsonValue:
    """Return the rule that a field of `spec` is never changed, added or removed.

    Args:
        field: its name.
        required: whether it is always there.
        open_map: whether its values may be anything: CEL's type of `spec` then lacks it, and only a
            dynamic look finds it. Equality there sees every change inside. (On a map that merely
            preserves unknown fields it would not: a key that takes another's place goes unseen.)
    """
    new, old = (f"dyn({name})" if open_map else name for name in ("self", "oldSelf"))
    same = f"{new}.{field} == {old}.{field}"
    if not required:
        same = f"has({new}.{field}) == has({old}.{field}) && (!has({new}.{field}) || {same})"
    return rule(same, f"spec.{field} cannot be changed; delete this run and create another", field)
