"""The schemas of the input files: what they refuse, in which words, and where they are loaded."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.market.inputs import PRICES_FILE
from lake.market.validation import validate
from trading.bars.quality.findings import Status
from trading.bars.quality.schemas import (
    STAMPS_FORWARD,
    STAMPS_OF_SECONDS,
    STAMPS_ONCE,
    column_faults,
    stamp_faults,
)

START = np.datetime64("2024-01-02T14:30", "ns")


@pytest.mark.parametrize(
    "kind",
    [
        pa.float64(), pa.float32(), pa.float16(), pa.int64(), pa.uint8(), pa.int16(),
        pa.decimal128(9, 2),
    ],
)  # fmt: skip
def test_every_kind_of_number_is_a_price(kind: pa.DataType) -> None:
    assert not column_faults(pa.schema([("AAPL", kind)]), None)
    assert not column_faults(pa.schema([("VIX", kind), ("note", pa.string())]), ["VIX"])


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(), pa.bool_(), pa.null(), pa.binary(8), pa.timestamp("us", "Mars/Base"),
        pa.list_(pa.float64()), pa.struct([("x", pa.float64())]),
        pa.dictionary(pa.int32(), pa.string()),
    ],
)  # fmt: skip
def test_what_is_no_number_is_named_with_its_type(kind: pa.DataType) -> None:
    faults = column_faults(pa.schema([("AAPL", kind), ("MSFT", pa.float64())]), None)
    assert faults == {"AAPL": f"column 'AAPL' holds {kind} values, not numbers"}


@pytest.mark.parametrize("name", ["aapl", "../AAPL", "A" * 33, "AAPL\n", "", "ÄÖ", "-A", "A B"])
def test_a_column_of_another_name_is_no_contract(name: str) -> None:
    faults = column_faults(pa.schema([(name, pa.float64()), ("MSFT", pa.float64())]), None)
    assert list(faults) == [name]
    assert faults[name].startswith("the column's name is not a contract name (1 to 32 of A-Z")


def test_columns_that_are_missing_or_there_twice_are_told() -> None:
    found = pa.schema([("AAPL", pa.float64()), ("V", pa.float64()), ("AAPL", pa.float64())])
    twice = {"AAPL": "there is more than one column 'AAPL'"}
    assert column_faults(found, None) == twice
    assert column_faults(found, ["V"]) == {}
    missing = {"T": "there is no column 'T'"}
    assert column_faults(found, ["AAPL", "T"]) == twice | missing


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-9, 9)), max_size=30))
def test_stamps_are_judged_as_by_a_plain_loop(minutes: list[int | None]) -> None:
    stamps = np.array(
        [np.datetime64("NaT") if m is None else START + np.timedelta64(m, "m") for m in minutes],
        "datetime64[ns]",
    )
    known = [(row, m) for row, m in enumerate(minutes) if m is not None]
    backwards = {
        row: "it goes back in time" for (_, before), (row, now) in pairwise(known) if now < before
    }
    missing = {row: "it is missing" for row, m in enumerate(minutes) if m is None}
    assert stamp_faults(STAMPS_FORWARD, stamps) == backwards | missing
    repeated = {
        row: "it occurred before"
        for row, m in enumerate(minutes)
        if m is not None and m in minutes[:row]
    }
    assert stamp_faults(STAMPS_ONCE, stamps) == repeated
    assert stamp_faults(STAMPS_OF_SECONDS, stamps) == {}


def test_the_whole_range_of_nanoseconds_is_compared_without_overflow() -> None:
    far = np.array(["2262-01-01", "1678-01-01", "2262-01-01"], "datetime64[ns]")
    assert stamp_faults(STAMPS_FORWARD, far) == {1: "it goes back in time"}


def test_the_gate_does_not_open_for_a_setting_of_panderas(
    input_dir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(input_dir) / PRICES_FILE
    pq.write_table(pq.read_table(path).take([1, 0, *range(2, 24)]), path)
    program = (
        "import sys; from lake.market.validation import *; print(validate(sys.argv[1]).status)"
    )
    monkeypatch.setenv("PANDERA_VALIDATION_ENABLED", "False")
    answer = subprocess.run(
        [sys.executable, "-c", program, input_dir], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == Status.FAIL


def test_a_price_column_that_is_there_twice_fails_validation(input_dir: str) -> None:
    path = Path(input_dir) / PRICES_FILE
    table = pq.read_table(path)
    pq.write_table(table.append_column("AAPL", table.column("AAPL")), path)
    report = validate(input_dir)
    assert report.status is Status.FAIL
    assert report.contracts == ("BRK-B", "MSFT")
    assert report.checks[0].findings[0].detail == "there is more than one column 'AAPL'"


def test_pandera_is_loaded_when_data_are_validated_and_not_before(input_dir: str) -> None:
    program = (
        "import sys; from lake.market.validation import validate\n"
        "print([name for name in ('pandas', 'pandera') if name in sys.modules])\n"
        "validate(sys.argv[1]); print('pandera' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, input_dir], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split("\n")[:2] == ["[]", "True"]
