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

from types import TracebackType
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from lake.place import lake_location
from lake.views import VIEWS, quoted, root, statement_of, text
from storage.directory import Directory, open_directory
from trading.errors import ParameterError

if TYPE_CHECKING:
    import duckdb


def connect(lake_dir: str | None = None) -> LakeConnection:
    """SQL over a lake as it is now.

    Args:
        lake_dir: The lake's folder or URL; None for `TRADING_LAKE_DIR`, else `output/lake`.

    Raises:
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
        for view in VIEWS:
            run(statement_of(lake, view, self._names))
        # As they are, and as the views' patterns have them.
        places = sorted({text(root(lake)), text(quoted(root(lake)))})
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

    def _names(self, pattern: str) -> list[str]:
        """The files that a pattern has."""
        found = self._connection.execute("SELECT file FROM glob(?)", [pattern]).fetchall()
        return [name for (name,) in found]

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
        reason = " ".join(str(error).split("\n\n")[0].split())[:300].rstrip(".")
        return ParameterError(
            "query", query, f"a query of {', '.join(VIEWS)} that DuckDB can answer ({reason})",
            "correct it; DESCRIBE silver lists a view's columns",
        )  # fmt: skip
