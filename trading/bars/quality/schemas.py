"""The schemas of the input files, as pandera checks them.

Loaded by validation alone: pandera brings pandas, which no partition's process may load. Columns
are checked on the file's Arrow schema, as a table without rows, and timestamps by themselves, so
that no price is copied into a frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
from pandera.config import ValidationDepth, config_context
from pandera.errors import SchemaError, SchemaErrorReason, SchemaErrors

from trading.arrays import Timestamps
from trading.errors import shown
from trading.instruments.symbols import CONTRACT_NAMES, CONTRACT_PATTERN


def _numeric(column: pd.Series) -> bool:
    kind = column.dtype.pyarrow_dtype
    numbers = (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal)
    return any(of_kind(kind) for of_kind in numbers)


_NUMBERS = pandera.Check(_numeric, error="not numbers")

STAMPS_FORWARD = pandera.SeriesSchema(
    "datetime64[ns]",
    nullable=False,
    checks=pandera.Check(lambda stamps: ~(stamps < stamps.shift()), error="it goes back in time"),
)
"""No timestamp is missing or earlier than the one before."""

STAMPS_ONCE = pandera.SeriesSchema(
    "datetime64[ns]", nullable=True, unique=True, report_duplicates="exclude_first"
)
"""Each timestamp occurs once; those after the first are the ones too many."""

STAMPS_OF_SECONDS = pandera.SeriesSchema(
    "datetime64[ns]",
    nullable=True,
    checks=pandera.Check(
        lambda stamps: stamps == stamps.dt.floor("s"), error="it is not a whole second"
    ),
)
"""Partitions are named by the second at which they begin."""


def column_faults(found: pa.Schema, required: Sequence[str] | None) -> dict[str, str]:
    """What is wrong with the columns of a file, by name.

    Args:
        found: The file's schema, without its timestamps.
        required: The columns that have to be there, whatever others are; None for any number of
            columns, all of them named like contracts.
    """
    if required is None:
        columns = {CONTRACT_PATTERN.removesuffix("$") + r"\Z": _values(regex=True)}
        fields = list(found)
    else:
        columns = {name: _values() for name in required}
        fields = [field for field in found if field.name in columns]
    schema = pandera.DataFrameSchema(columns, strict=True, unique_column_names=True)
    frame = pa.schema(fields).empty_table().to_pandas(types_mapper=pd.ArrowDtype)
    return dict(
        fault
        for error in _errors(schema, frame)
        for fault in _column_fault(error, pa.schema(fields))
    )


def stamp_faults(schema: pandera.SeriesSchema, stamps: Timestamps) -> dict[int, str]:
    """What is wrong with which timestamps, by row.

    Args:
        schema: One of this module's.
        stamps: As the file has them, UTC, `NaT` where missing, shape (n,).
    """
    faults: dict[int, str] = {}
    for error in _errors(schema, pd.Series(stamps)):
        reason = _STAMP_FAULTS.get(error.reason_code) or str(error.check.error)
        for row in error.failure_cases["index"]:
            faults.setdefault(int(row), reason)
    return dict(sorted(faults.items()))


_STAMP_FAULTS = {
    SchemaErrorReason.SERIES_CONTAINS_NULLS: "it is missing",
    SchemaErrorReason.SERIES_CONTAINS_DUPLICATES: "it occurred before",
}


def _values(*, regex: bool = False) -> pandera.Column:
    return pandera.Column(nullable=True, checks=_NUMBERS, regex=regex, required=not regex)


def _errors(
    schema: pandera.DataFrameSchema | pandera.SeriesSchema, checked: pd.DataFrame | pd.Series
) -> Sequence[SchemaError]:
    # Whatever PANDERA_VALIDATION_ENABLED says of a user's own schemas, a gate stays a gate.
    everything = ValidationDepth.SCHEMA_AND_DATA
    with config_context(validation_enabled=True, validation_depth=everything):
        try:
            schema.validate(checked, lazy=True)
        except SchemaErrors as errors:
            return list(errors.schema_errors)
    return []


def _column_fault(error: SchemaError, found: pa.Schema) -> Iterator[tuple[str, str]]:
    """Name and fault of each column that an error is about."""
    reason, cases = error.reason_code, error.failure_cases
    if reason is SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME:
        yield cases, f"there is no column {shown(cases)}"
    elif reason is SchemaErrorReason.COLUMN_NOT_IN_SCHEMA:
        yield cases, f"the column's name is not {CONTRACT_NAMES}"
    elif reason is SchemaErrorReason.DUPLICATE_COLUMN_LABELS:
        yield from ((name, f"there is more than one column {shown(name)}") for name in cases)
    else:
        name = str(error.schema.name)
        kind = found.field(name).type
        yield name, f"column {shown(name)} holds {kind} values, {error.check.error}"
