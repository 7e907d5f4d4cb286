"""`trading lake sql`: one SELECT over the lake, printed or written to standard output."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.table import Table

from cli.settings import existing_lake, installation
from servers.errors import USAGE, CommandError

SHOWN_ROWS = 40
"""Rows that a table on a terminal shows; the other formats have all."""


def run_sql(query: str, form: str, lake_dir: str | None) -> None:
    """Answer a query.

    Args:
        query: One SELECT statement.
        form: `table`, `csv`, `json` or `parquet`.
        lake_dir: The lake; None for the settings'.

    Raises:
        CommandError: DuckDB is not installed, or Parquet would go to a terminal.
        DataError: A file of the lake is damaged.
        ParameterError: The query is none that only reads, or cannot be answered, or the lake that
            the user named is not there.
    """
    if form == "parquet" and sys.stdout.isatty():
        raise CommandError(
            "format='parquet' is no text for a terminal; write it to a file, e.g. with "
            "> answer.parquet.",
            USAGE,
        )
    location = existing_lake(lake_dir, lake_dir or installation().lake_dir)
    try:
        from lake.sql import connect  # noqa: PLC0415 - an extra brings what it needs

        with connect(location) as lake:
            answer = lake.arrow(query)
    except ModuleNotFoundError as error:
        raise CommandError(
            f"trading lake sql needs {error.name}; install the extra, e.g. with uv sync --extra "
            "lake."
        ) from None
    if form == "parquet":
        sink = io.BytesIO()
        pq.write_table(answer, sink)
        sys.stdout.buffer.write(sink.getvalue())
        return
    typer.echo(TEXTS[form](answer), nl=False)


def as_csv(answer: pa.Table) -> str:
    """Comma-separated values with a header; moments with their offset, nothing for null."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(answer.column_names)
    for row in _rows(answer):
        writer.writerow(["" if value is None else _plain(value) for value in row])
    return sink.getvalue()


def as_json(answer: pa.Table) -> str:
    """A JSON array with an object per row; what is no number is null."""
    names = answer.column_names
    rows = [dict(zip(names, map(_json, row), strict=True)) for row in _rows(answer)]
    return json.dumps(rows, allow_nan=False) + "\n"


def as_table(answer: pa.Table) -> str:
    """A table for people, of the first rows."""
    table = Table(*answer.column_names, box=None)
    for row in _rows(answer.slice(0, SHOWN_ROWS)):
        table.add_row(*("" if value is None else _shown(value) for value in row))
    sink = io.StringIO()
    width = None if sys.stdout.isatty() else 10_000
    Console(file=sink, width=width, highlight=False).print(table)
    lines = "\n".join(line.rstrip() for line in sink.getvalue().splitlines())
    more = answer.num_rows - SHOWN_ROWS
    tail = f"... and {more:,} more; --format csv prints all\n" if more > 0 else ""
    return f"{lines}\n{tail}"


TEXTS: dict[str, Callable[[pa.Table], str]] = {"table": as_table, "csv": as_csv, "json": as_json}


def _rows(answer: pa.Table) -> list[tuple[Any, ...]]:
    columns = [column.to_pylist() for column in answer.columns]
    return list(zip(*columns, strict=True))


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a query answers
    return value.isoformat() if isinstance(value, datetime | date) else value


def _json(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value if isinstance(value, int | str | type(None)) else str(_plain(value))


def _shown(value: Any) -> str:  # noqa: ANN401 - as above
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M%z")
    return str(value)
