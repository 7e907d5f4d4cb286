"""Numbers as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.desk import shown

AMOUNTS = st.decimals(-(10**9), 10**9, places=4)


@given(AMOUNTS)
def test_a_signed_amount_reads_back_with_its_sign_and_colour(value: Decimal) -> None:
    text = shown.signed_money(value)
    read = Decimal(re.sub(r"[$,+]", "", text).replace("−", "-"))
    assert read == pytest.approx(value, abs=Decimal("0.00501"))
    assert "-" not in text
    assert text.startswith("+") == (read > 0)
    assert shown.tone_of(value) == ("gain" if read > 0 else "loss" if read < 0 else "")


@given(st.floats(-1e6, 1e6))
def test_what_rounds_to_nothing_has_no_sign(value: float) -> None:
    text = shown.signed_percent(value / 1e12)
    assert text == "0.00 %"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (shown.money(Decimal("1234.5")), "$1,234.50"),
        (shown.money(-3), "−$3.00"),
        (shown.money(None), "n/a"),
        (shown.money(float("nan")), "n/a"),
        (shown.percent(0.125), "12.50 %"),
        (shown.signed_percent(-0.0042), "−0.42 %"),
        (shown.price(0.1234), "0.1234"),
        (shown.price(1234.5), "1,234.50"),
        (shown.quantity(Decimal("1500.000")), "1,500"),
        (shown.quantity(Decimal("-0.2500")), "−0.25"),
        (shown.large(3.42e12), "3.42 T"),
        (shown.large(845_000), "845 K"),
        (shown.large(36.8), "36.80"),
        (shown.age(0.4), "0 s"),
        (shown.age(119), "1 min"),
        (shown.age(7199), "119 min"),
        (shown.age(3 * 86_400), "3 d"),
        (shown.countdown(5220), "1 h 27 min"),
        (shown.countdown(59), "59 s"),
        (shown.day_and_time(datetime(2026, 7, 1, 14, 30, tzinfo=UTC)), "2026-07-01 10:30"),
    ],
)
def test_texts(text: str, expected: str) -> None:
    assert text == expected
