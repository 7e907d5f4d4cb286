"""Result files: one per partition, with the fingerprint and lineage of its numbers inside.

A file that cannot be read as the result of its own contract counts as absent when work is
planned, so that it is made again, and as an error when results are read, so that no portfolio
is computed without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lake.fingerprint_index import is_worthwhile, looked_up
from lake.keys import Partition
from lake.market.wanted import WantedResults
from storage.backends import FileIdentity
from storage.directory import Directory, open_directory
from storage.parquet.arrays import category_column, float_column, integers, timestamp_column
from storage.parquet.entries import read_entries
from storage.parquet.limits import columns_problem, footer_problem
from trading.errors import DataError
from trading.instruments.clock import EXCHANGE_ZONE
from trading.instruments.symbols import CONTRACT_PATTERN, checked_contract
from trading.strategies.market_model.parameters import StrategyParameters
from trading.strategies.market_model.signals import ANALYSIS_VERSION, Analysis
from trading.strategies.protocol import BUY, HOLD, SELL, SIGNAL_NAMES

FLOAT_COLUMNS = (
    "price", "price_change_pct", "vix", "spx", "spx_change_pct", "beta", "correlation",
    "buy_threshold", "sell_threshold",
)  # fmt: skip
SIGNALS = tuple(SIGNAL_NAMES[code] for code in (SELL, HOLD, BUY))
"""Names of the signals in the order of their codes -1, 0 and 1."""

_CATEGORY = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        pa.field("timestamp", pa.timestamp("us", EXCHANGE_ZONE)),
        pa.field("contract", _CATEGORY),
        *(pa.field(name, pa.float64()) for name in FLOAT_COLUMNS),
        pa.field("signal", _CATEGORY),
    ]
)
"""Columns of a result file, in order; floats are null where they are not defined."""

Metadata = Mapping[bytes, bytes]
"""The key-value metadata of a result file."""

_KEYS = ("timestamp", "contract")
_NAMES = ("contract", "signal")
_FOOTER_BYTES = 16_384
"""How much of a file's end is read for its footer: a result's footer takes about 4 KB."""

MAX_RESULT_BYTES = 2**29
"""Longest file that is read as a result: `MAX_ROWS` rows take 370 MB."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a partition's numbers come from, kept in its file's key-value metadata.

    Attributes:
        fingerprint: Hash of what the numbers were computed from.
        strategy: The parameters they were computed with.
        flow_run_id: The run that computed them.
    """

    fingerprint: str
    strategy: StrategyParameters
    flow_run_id: str


def write_result(
    directory: Directory, partition: Partition, analysis: Analysis, lineage: Lineage
) -> str:
    """Write a partition's rows to its file, whole or not at all, and return the file's URL.

    Args:
        directory: The output directory.
        partition: What the rows belong to; names the file.
        analysis: The partition's rows, shape (len(partition),).
        lineage: What the rows were computed from.

    Raises:
        StorageError: The file cannot be written; an earlier one is still there.
    """
    metadata = {
        "fingerprint": lineage.fingerprint,
        "parameters": lineage.strategy.model_dump_json(),
        "code_version": _code_version(),
        "analysis_version": ANALYSIS_VERSION,
        "flow_run_id": lineage.flow_run_id,
        "contract": partition.symbol,
        "grain": partition.grain.value,
        "written_at": datetime.now(UTC).isoformat(timespec="microseconds"),
    }
    directory.write_bytes(partition.relative_path, _encoded(partition, analysis, metadata))
    return directory.url_of(partition.relative_path)


def read_fingerprints(directory: Directory, contract: str) -> dict[str, str]:
    """The fingerprints of a contract's stored results, by relative file name.

    Reads the end of each file; in a store of objects, of each that changed since the last time.
    What is not a result of this contract is left out.

    Raises:
        StorageError: The directory or a file cannot be accessed.
    """
    checked_contract(contract)
    files = _result_files(directory, contract)
    # On this machine each is looked into: opening one is quick.
    indexed = not directory.is_local and is_worthwhile(directory, len(files))

    def look(name: str) -> str | None:
        return _stored_fingerprint(directory, name, contract)

    return looked_up(directory, contract, files, look, indexed=indexed, whole=True)


def read_rows(
    output_dir: str,
    contracts: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    wanted: WantedResults | None = None,
) -> pa.Table:
    """The stored rows of all or some contracts, sorted by contract, then timestamp.

    Where partitions of several grains hold the same bar, the row written last counts.

    Args:
        output_dir: Where the results are.
        contracts: Contracts to read, or None for all that have results.
        columns: Names out of `SCHEMA` to read besides `timestamp` and `contract`, or None for all.
        wanted: What the input asks for, to read only that; None for whatever lies there.

    Raises:
        ParameterError: `output_dir` or a contract's name is not usable.
        DataError: There are no results, or a file is not a result of its contract.
        StorageError: A file cannot be read.
    """
    directory = open_directory(output_dir, "output_dir")
    return read_results(directory, contracts, columns, wanted)[0]


def read_results(
    directory: Directory,
    contracts: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    wanted: WantedResults | None = None,
) -> tuple[pa.Table, dict[str, Metadata]]:
    """As `read_rows`, with what `write_result` put into each file that was read, by its name."""
    names = SCHEMA.names if columns is None else list(dict.fromkeys([*_KEYS, *columns]))
    stored = [name for name in directory.list_folders() if re.fullmatch(CONTRACT_PATTERN, name)]
    chosen = stored if contracts is None else [checked_contract(name) for name in contracts]
    files = {name: _result_files(directory, name, wanted) for name in sorted(set(chosen))}
    if contracts is None:  # a folder whose results were deleted holds none
        files = {name: found for name, found in files.items() if found}
    missing = [contract for contract, found in files.items() if not found]
    if missing or not files:
        raise _no_results(directory, missing, wanted)
    tables = []
    metadata: dict[str, Metadata] = {}
    for contract, found in files.items():
        read = _read_files(directory, contract, _believable(directory, contract, found), names)
        rows = _latest_rows([rows for _, _, rows in read])
        tables.append(rows if wanted is None else _rows_of(rows, wanted))
        metadata |= {name: written for name, written, _ in read}
    return pa.concat_tables(tables).unify_dictionaries(), metadata


def _no_results(
    directory: Directory, contracts: list[str], wanted: WantedResults | None
) -> DataError:
    of = "" if wanted is None else f" by {wanted.grain.value} for the bars of {wanted.input_dir}"
    other = "" if wanted is None else ", or pass the input_dir and grain of those that are there"
    return DataError(
        directory.url,
        f"there are no results of {', '.join(contracts[:5]) or 'any contract'}{of}",
        f"run trading-orchestrator/orchestrator with this output_dir first{other}",
    )


def _rows_of(rows: pa.Table, wanted: WantedResults) -> pa.Table:
    """The rows at bars of the input: a stale result of a coarse grain may hold others."""
    stamps = integers(rows.column("timestamp")).view("datetime64[us]").astype("datetime64[ns]")
    there = wanted.has_bars(stamps)
    return rows if there.all() else rows.filter(pa.array(there))


def _encoded(partition: Partition, analysis: Analysis, metadata: dict[str, str]) -> memoryview:
    count = len(analysis.timestamps)
    table = pa.Table.from_arrays(
        [
            timestamp_column(analysis.timestamps, EXCHANGE_ZONE),
            category_column(np.zeros(count, np.int32), [partition.symbol]),
            *(float_column(getattr(analysis, name)) for name in FLOAT_COLUMNS),
            category_column(analysis.signal + 1, SIGNALS),
        ],
        schema=SCHEMA.with_metadata(metadata),
    )
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, use_dictionary=["contract", "signal"], write_statistics=["timestamp"]
    )
    return memoryview(sink.getvalue())


@lru_cache(maxsize=1)
def _code_version() -> str:
    return version("trading-fanout")


def _result_files(
    directory: Directory, contract: str, wanted: WantedResults | None = None
) -> dict[str, FileIdentity]:
    if wanted is not None and contract not in wanted.contracts:
        return {}
    files = directory.list_files(contract)
    return {
        f"{contract}/{name}": files[name]
        for name in files
        if (name.endswith(".parquet") if wanted is None else name in wanted.names)
    }


def is_result(directory: Directory, name: str, contract: str) -> bool:
    """Whether a stored file is a result of the contract; reads its end.

    Raises:
        StorageError: The file cannot be accessed.
    """
    return bool(_stored_metadata(directory, name, contract))


def read_parameters(directory: Directory, name: str, contract: str) -> StrategyParameters | None:
    """The parameters that a stored result was computed with; None of what is no result.

    Raises:
        StorageError: The file cannot be accessed.
    """
    try:
        text = _stored_metadata(directory, name, contract).get(b"parameters", b"")
        return StrategyParameters.model_validate_json(text)
    except ValueError:
        return None


def _stored_fingerprint(directory: Directory, name: str, contract: str) -> str | None:
    stored = _stored_metadata(directory, name, contract).get(b"fingerprint")
    return None if stored is None else stored.decode(errors="replace")


def _stored_metadata(directory: Directory, name: str, contract: str) -> Metadata:
    """The metadata of a file, from its end; empty when it is no result of the contract."""
    metadata = read_entries(directory, name, _FOOTER_BYTES)
    return metadata if _is_of(metadata, contract) else {}


def _believable(
    directory: Directory, contract: str, files: Mapping[str, FileIdentity]
) -> list[str]:
    """Names of the files, none of them longer than a result can be.

    Raises:
        DataError: One is.
    """
    for name, identity in files.items():
        if identity.size > MAX_RESULT_BYTES:
            raise _not_a_result(directory.url_of(name), contract)
    return list(files)


def _read_files(
    directory: Directory, contract: str, names: list[str], columns: list[str]
) -> list[tuple[str, Metadata, pa.Table]]:
    """Name, metadata and rows of a contract's files, in the order in which they were written."""

    def read(name: str) -> tuple[Metadata, pa.Table]:
        return _file_rows(directory, name, contract, columns)

    found = directory.map(read, names)
    order = sorted(range(len(names)), key=lambda i: (found[i][0][b"written_at"], names[i]))
    return [(names[i], *found[i]) for i in order]


def _latest_rows(tables: list[pa.Table]) -> pa.Table:
    """All rows in the order of time; of equal timestamps the one of the last table."""
    table = pa.concat_tables(tables).unify_dictionaries()
    stamps = integers(table.column("timestamp"))
    order = np.argsort(stamps, kind="stable")  # stable: of equal stamps the last written is last
    ordered = stamps[order]
    last_of_stamp = np.append(ordered[1:] != ordered[:-1], True)
    return table.take(pa.array(order[last_of_stamp]))


def _file_rows(
    directory: Directory, name: str, contract: str, columns: list[str]
) -> tuple[Metadata, pa.Table]:
    """A file's metadata and its rows."""
    content = directory.read_bytes(name)
    try:
        return _decoded(content, contract, columns)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise _not_a_result(directory.url_of(name), contract) from error


def _decoded(content: bytes, contract: str, columns: list[str]) -> tuple[Metadata, pa.Table]:
    """The metadata and the rows of a file with this content.

    Raises:
        ArrowException, OSError, ValueError, KeyError: It is no result of the contract.
    """
    if problem := footer_problem(content[-8:]):
        raise ValueError(problem)
    # Names are few: decoded as a dictionary, a long one takes its memory once and not per row.
    file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=list(_NAMES))
    if problem := columns_problem(file, columns, texts=_NAMES):
        raise ValueError(problem)
    metadata: Metadata = file.metadata.metadata or {}
    if not _is_of(metadata, contract) or b"written_at" not in metadata:
        raise ValueError("it holds no result of this contract")
    rows = file.read(columns=columns, use_threads=False).select(columns)
    rows = rows.replace_schema_metadata(None)
    schema = pa.schema([SCHEMA.field(column) for column in columns])
    rows = rows if rows.schema.equals(schema) else rows.cast(schema)
    for column, allowed in (("contract", [contract]), ("signal", SIGNALS)):
        if column in columns and not _names(rows.column(column)) <= set(allowed):
            raise ValueError(f"column {column!r} holds another name")
    if rows.column("timestamp").null_count or rows.num_rows != file.metadata.num_rows:
        raise ValueError("a row has no timestamp")
    return metadata, rows


def _names(column: pa.ChunkedArray) -> set[str | None]:
    """The names that a dictionary-encoded column may hold, None among them when it has nulls."""
    names = {name for chunk in column.chunks for name in chunk.dictionary.to_pylist()}
    return names | {None} if column.null_count else names


def _is_of(metadata: Metadata, contract: str) -> bool:
    return metadata.get(b"contract") == contract.encode() and b"fingerprint" in metadata


def _not_a_result(url: str, contract: str) -> DataError:
    return DataError(
        url,
        f"the file is damaged or not a result of {contract}",
        "remove it and run trading-orchestrator/orchestrator again, which makes what is missing",
    )
