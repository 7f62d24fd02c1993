"""Quantities mean what Kubernetes takes them for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.crd.quantity import parse_quantity

MEANT = {
    "2": 2,
    "0.5": Decimal("0.5"),
    ".5": Decimal("0.5"),
    "500m": Decimal("0.5"),
    "2Ki": 2048,
    "1.5Gi": 3 * 2**29,
    "2G": 2 * 10**9,
    "1e3": 1000,
    "1E3": 1000,
    "12E": 12 * 10**18,
    "1Ei": 2**60,
    "+1": 1,
    "100n": Decimal("1e-7"),
}


@pytest.mark.parametrize(("text", "number"), MEANT.items())
def test_a_quantity_is_a_number_and_its_unit(text: str, number: Decimal | int) -> None:
    assert parse_quantity(text) == number


@pytest.mark.parametrize(
    "wrong", ["", "-1", "1 Gi", "2GB", "1gi", "Gi", "1.2.3", "½", "1\n", "1" * 33, True, 1.5, None, -1]
)
def test_what_is_no_quantity_is_refused_with_the_way_to_write_one(wrong: Any) -> None:
    with pytest.raises(ValueError, match="use a quantity such as"):
        parse_quantity(wrong)


@given(st.integers(min_value=0, max_value=10**15))
def test_a_whole_number_is_itself_and_a_thousand_times_its_thousandths(number: int) -> None:
    assert parse_quantity(number) == parse_quantity(str(number)) == number
    assert parse_quantity(f"{number}m") * 1000 == number
