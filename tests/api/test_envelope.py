"""Answers as JSON: decimals in plain notation wherever they are in the data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from api.bars.formats import as_bytes
from api.envelope import JSON, Answered, encoded


@dataclass(frozen=True, slots=True)
class Row:
    amount: Decimal


class Model(Answered):
    amount: Decimal


@given(st.integers(-(10**24), 10**24), st.integers(-18, 18))
def test_a_decimal_is_sent_in_plain_notation(digits: int, exponent: int) -> None:
    amount = Decimal(digits).scaleb(exponent)
    sent = json.loads(
        encoded([amount, {"amount": amount}, (amount,), Row(amount), Model(amount=amount)])
    )
    texts = [sent[0], sent[1]["amount"], sent[2][0], sent[3]["amount"], sent[4]["amount"]]
    for text in texts:
        assert "E" not in text.upper()
        assert Decimal(text) == amount


def test_a_table_s_decimals_are_sent_in_plain_notation() -> None:
    column = pa.array([Decimal("0E-9"), Decimal("12.5"), None], pa.decimal128(20, 9))
    assert json.loads(as_bytes(pa.table({"fee": column}), JSON)) == [
        {"fee": "0"}, {"fee": "12.5"}, {"fee": None},
    ]  # fmt: skip


def test_what_is_no_number_is_null_and_a_zero_amount_is_0() -> None:
    assert encoded({"share": float("nan"), "fee": Decimal("0E-18")}) == b'{"share":null,"fee":"0"}'
