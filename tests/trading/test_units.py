"""Amounts as text: plain notation that reads back equal."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.units import from_units, plain_text, to_dollars

AMOUNTS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40),
    st.integers().map(from_units),
    st.integers().map(to_dollars),
)


@given(AMOUNTS)
def test_an_amount_is_written_plainly_and_reads_back_equal(amount: Decimal) -> None:
    text = plain_text(amount)
    assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", text)
    assert text != "-0"
    assert Decimal(text) == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0E-18", "0"),
        ("-0E-18", "0"),
        ("1E+3", "1000"),
        ("12.50", "12.5"),
        ("1E-18", "0.000000000000000001"),
        # More digits than the default context keeps.
        ("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"),
    ],
)
def test_amounts_are_written_as_people_write_them(amount: str, text: str) -> None:
    assert plain_text(Decimal(amount)) == text
