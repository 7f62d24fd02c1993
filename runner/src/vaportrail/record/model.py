"""What all models of a record share: times, numbers, and that a later minor version may add fields."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from vaportrail.record.times import from_rfc3339

__all__ = ["Number", "RecordModel", "Time"]


_ON_ANY_DAY: Final = (
    r"^[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])T"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{9}Z$"
)
"""Times as our sealer writes them, on a day that every month has: there is nothing more to check in them."""


def _check_time(text: str) -> str:
    if text:
        from_rfc3339(text)
    return text


Time = Annotated[
    Annotated[str, StringConstraints(pattern=_ON_ANY_DAY)] | Annotated[str, AfterValidator(_check_time)],
    Field(union_mode="left_to_right"),
    WithJsonSchema({"type": "string"}),
]
"""A time as RFC 3339; empty where it is not known."""
Number = Annotated[
    float,
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}),
]
"""A number; those that JSON has no form for are text."""


class RecordModel(BaseModel):
    """A part of a record; a reader of this major version ignores what a later minor version adds."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", ser_json_inf_nan="strings", use_attribute_docstrings=True
    )
