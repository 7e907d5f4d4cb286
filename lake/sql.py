"""`lake.connect`: SQL over the lake's files by DuckDB, read-only.

| view | a row is | columns beside those of the files |
| --- | --- | --- |
| `bronze` | a raw bar of a source | `source, interval, symbol` |
| `silver` | a bar within a session | `symbol` |
| `silver_days` | a bar over sessions | `symbol` |
| `gold` | indicators and signal at a bar | `strategy, interval, symbol` |

These columns come from the files' paths: a condition on one of them leaves out whole files without
opening them. Numbers that are fingerprinted never come from here, since DuckDB's parallel sums of
floats differ from run to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from lake.folders import folders_in
from lake.gold.request import GOLD
from lake.gold.table import COMMON_SCHEMA
from lake.place import lake_location
from lake.reading import BRONZE_SCHEMA
from lake.silver.bronze_rows import BRONZE
from lake.silver.table import SILVER, SILVER_DAYS, schema_of
from storage.directory import Directory, open_directory
from trading.errors import DataError, ParameterError

if TYPE_CHECKING:
    import duckdb

_PATHS = {BRONZE: ("source", "interval", "symbol"), SILVER: ("symbol",),
          SILVER_DAYS: ("symbol",), GOLD: ("strategy", "interval", "symbol")}  # fmt: skip
"""The folders between a dataset's and its files."""

_EMPTY = {BRONZE: BRONZE_SCHEMA, SILVER: schema_of(SILVER), SILVER_DAYS: schema_of(SILVER_DAYS),
          GOLD: COMMON_SCHEMA}  # fmt: skip

_TYPES = {"double": "DOUBLE", "string": "VARCHAR", "int64": "BIGINT", "bool": "BOOLEAN"}

VIEWS = tuple(_PATHS)


def connect(lake_dir: str | None = None) -> LakeConnection:
    """SQL over a lake as it is now.

    Args:
        lake_dir: The lake's folder or URL; None for `TRADING_LAKE_DIR`, else `output/lake`.

    Raises:
        DataError: The file that shows a view's columns is damaged.
        LocationError: `lake_dir` is not usable.
        StorageError: It cannot be listed.
    """
    return LakeConnection(open_directory(lake_location(lake_dir), "lake_dir"))


class LakeConnection:
    """The lake's views, for statements that read and no others.

    It reaches the files of the lake alone, and takes nothing but `SELECT`.

    Args:
        lake: The lake.
    """

    def __init__(self, lake: Directory) -> None:
        import duckdb  # noqa: PLC0415 - an extra that only its users have

        self._duckdb = duckdb
        self._connection = duckdb.connect(":memory:")
        run = self._connection.execute
        run("SET TimeZone='America/New_York'")
        # What is not there is not fetched from the network.
        run("SET autoinstall_known_extensions=false")
        run("SET autoload_known_extensions=false")
        if not lake.is_local:
            self._connection.register_filesystem(lake.filesystem)
        months = self._months(lake)
        for view in VIEWS:
            try:
                run(_view(lake, view, months if view == SILVER else ()))
            except duckdb.Error as error:
                self.close()
                raise DataError(
                    f"{lake.location}/{view}", f"a file of it cannot be read ({_reason(error)})",
                    "remove that file, and make it again with the command that trading lake "
                    f"status {view.removesuffix('_days')} prints",
                ) from None  # fmt: skip
        # As they are, and as the views' patterns have them.
        places = sorted({_text(_root(lake)), _text(_quoted(_root(lake)))})
        run(f"SET allowed_directories=[{', '.join(places)}]")
        run("SET enable_external_access=false")
        run("SET lock_configuration=true")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free what it holds."""
        self._connection.close()

    def relation(self, query: str) -> duckdb.DuckDBPyRelation:
        """The result of one `SELECT`, not fetched yet.

        Raises:
            ParameterError: It is no single `SELECT`, or cannot be understood.
        """
        self._check_reads(query)
        try:
            return self._connection.sql(query)
        except self._duckdb.Error as error:
            raise self._refusal(query, error) from None

    def arrow(self, query: str) -> pa.Table:
        """The result of one `SELECT` as an Arrow table.

        Raises:
            ParameterError: It is no single `SELECT`, cannot be understood, or fails.
        """
        relation = self.relation(query)
        try:
            return relation.to_arrow_table()
        except self._duckdb.Error as error:
            raise self._refusal(query, error) from None

    def _months(self, lake: Directory) -> list[str]:
        """The months that silver has as one file, as `AAPL/2024-01`."""
        pattern = _quoted(f"{_root(lake)}/{SILVER}") + "/*/????-??.parquet"
        found = self._connection.execute("SELECT file FROM glob(?)", [pattern]).fetchall()
        return ["/".join(name.removesuffix(".parquet").split("/")[-2:]) for (name,) in found]

    def _check_reads(self, query: str) -> None:
        try:
            kinds = [statement.type for statement in self._duckdb.extract_statements(query)]
        except self._duckdb.Error as error:
            raise self._refusal(query, error) from None
        if kinds != [self._duckdb.StatementType.SELECT]:
            raise ParameterError(
                "query",
                query,
                "one SELECT statement",
                "pass one that only reads; the lake is written by trading lake build",
            )

    def _refusal(self, query: str, error: Exception) -> ParameterError:
        allowed = f"a query of {', '.join(VIEWS)} that DuckDB can answer ({_reason(error)})"
        return ParameterError(
            "query", query, allowed,
            "correct it; DESCRIBE silver lists a view's columns",
        )  # fmt: skip


def _reason(error: Exception) -> str:
    """What DuckDB says, on one line."""
    return " ".join(str(error).split("\n\n")[0].split())[:300].rstrip(".")


def _view(lake: Directory, view: str, months: Sequence[str]) -> str:
    """The statement that makes a view.

    Sources and strategies have columns of their own, so each is read by itself: those of one are
    alike, and only one of its files is opened to learn them.
    """
    parts = [_files(lake, view, branch) for branch in _branches(lake, view)]
    selects = [_select(view, files, months) for files in parts if files] or [_nothing(view)]
    return f"CREATE VIEW {view} AS " + " UNION ALL BY NAME ".join(selects)


def _superseded(months: Sequence[str]) -> str:
    """The condition that holds of the files of sessions in a month that has a file of its own."""
    stem = "split_part(filename, '/', -1)"
    month = f"split_part(filename, '/', -2) || '/' || {stem}[:4] || '-' || {stem}[5:6]"
    session = len("20240102.parquet")
    return f"length({stem}) = {session} AND {month} IN ({', '.join(map(_text, months))})"


def _branches(lake: Directory, view: str) -> Sequence[str]:
    if len(_PATHS[view]) == 1:
        return [view]
    return [f"{view}/{name}" for name in folders_in(lake, view)]


def _files(lake: Directory, view: str, branch: str) -> str:
    """The pattern of a branch's files; empty where there are none yet."""
    below = len(_PATHS[view]) - branch.count("/")
    pattern = _quoted(f"{_root(lake)}/{branch}") + "/*" * below + "/*.parquet"
    return pattern if _any_file(lake, branch, below) else ""


def _any_file(lake: Directory, folder: str, below: int) -> bool:
    if below == 0:
        return any(name.endswith(".parquet") for name in lake.list_files(folder))
    return any(_any_file(lake, f"{folder}/{name}", below - 1) for name in folders_in(lake, folder))


def _select(view: str, pattern: str, months: Sequence[str]) -> str:
    names = _PATHS[view]
    paths = ", ".join(
        f"split_part(filename, '/', {at - len(names) - 1}) AS {name}"
        for at, name in enumerate(names)
    )
    # A symbol may have an equals sign, which is no partition of Hive's.
    read = f"read_parquet({_text(pattern)}, filename=true, hive_partitioning=false)"
    kept = f" WHERE NOT ({_superseded(months)})" if months else ""
    return f"SELECT {paths}, * EXCLUDE (filename) FROM {read}{kept}"  # noqa: S608 - quoted


def _nothing(view: str) -> str:
    columns = [f"NULL::VARCHAR AS {name}" for name in _PATHS[view]]
    columns += [f"NULL::{_type(field.type)} AS {field.name}" for field in _EMPTY[view]]
    return f"SELECT {', '.join(columns)} WHERE false"


def _type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ"
    return "VARCHAR" if pa.types.is_dictionary(kind) else _TYPES[str(kind)]


def _root(lake: Directory) -> str:
    return lake.path if lake.is_local else lake.url


def _quoted(path: str) -> str:
    """A path in which nothing is a pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
