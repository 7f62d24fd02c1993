"""Kubernetes' quantities, such as `500m` and `2Gi`, as exact numbers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import PlainValidator, WithJsonSchema

__all__ = ["Quantity", "parse_quantity"]

PATTERN: Final = (
    r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)"
    r"([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,3})?$"
)
_PARTS = re.compile(PATTERN.replace("(\\.", "(?:\\.").rstrip("$"))
_LENGTH: Final = 32
_BINARY = {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def parse_quantity(quantity: str | int) -> Decimal:
    """Return the number that a quantity means.

    Raises:
        ValueError: it is no quantity, or below zero.

    >>> parse_quantity("500m"), parse_quantity("2Gi"), parse_quantity(3)
    (Decimal('0.500'), Decimal('2147483648'), Decimal('3'))
    """
    found = _PARTS.fullmatch(str(quantity)) if isinstance(quantity, str | int) else None
    if found is None or isinstance(quantity, bool) or len(str(quantity)) > _LENGTH:
        raise ValueError('use a quantity such as 2, "0.5", "500m" or "2Gi"')
    number, suffix = Decimal(found[1]), found[2] or ""
    if suffix in _BINARY:
        return number * _BINARY[suffix]
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    return number.scaleb(exponent)


def _checked(value: Any) -> str | int:
    parse_quantity(value)
    quantity: str | int = value
    return quantity


Quantity = Annotated[
    str | int,
    PlainValidator(_checked),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "minimum": 0,
            "pattern": PATTERN,
            "maxLength": _LENGTH,
        }
    ),
]
"""An amount as in a container's resources."""
