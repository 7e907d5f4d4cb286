"""The input: prices of many contracts, the VIX and the S&P 500, as three Parquet files.

Layout: `spx_holdings_hourly.parquet` is wide, so its footer holds a record per column and row
group; decoding it is what reading one window costs. Row groups of 32,768 bars (some 18 years of
hourly bars) and statistics for `timestamp` alone keep that footer at 70 bytes a column.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from lake.market.manifest import MANIFEST, check_complete
from storage.directory import Directory, open_directory
from storage.parquet.arrays import float_column, timestamp_column
from storage.parquet.column_file import TIMESTAMP, ColumnFile
from trading.arrays import Floats, Timestamps
from trading.bars.context import SPX, VIX, as_of
from trading.errors import DataError, shown
from trading.instruments.symbols import (
    CONTRACT_PATTERN,
    ONE_CONTRACT_A_COLUMN,
    checked_contract,
    known_contract,
    naming_hint,
    one_symbols_bars,
)
from trading.strategies.market_model.inputs import ContractBars
from trading.strategies.market_model.parameters import StrategyParameters

PRICES_FILE = "spx_holdings_hourly.parquet"
VIX_FILE = "vix_hourly.parquet"
SPX_FILE = "spx_hourly.parquet"
FILES = (PRICES_FILE, VIX_FILE, SPX_FILE)

_SET = (*FILES, MANIFEST)
"""The manifest after the files: what it says was true when they were looked at, or before."""

PRICE_ROW_GROUP = 32_768
"""Rows per row group of the wide file: 256 KB a column chunk; fewer rows grow the footer."""

INDEX_ROW_GROUP = 4_096
"""Rows per row group of the two narrow files, whose footers are small anyway."""

CACHED_MARKETS = 4
"""Opened input directories kept per process."""

_NANOSECONDS_PER_HOUR = 3_600_000_000_000


class MarketData:
    """The three input files, opened; reads only what is asked for.

    Attributes:
        input_dir: Where they are, for messages.
        contracts: The contracts of the price file, in the file's order.
    """

    def __init__(self, directory: Directory) -> None:
        """Open the files, reading their footers.

        Raises:
            DataError: A file or column is missing or unusable; the message names it.
            StorageError: A file cannot be accessed, or an ingestion has replaced only some of them.
        """
        self.input_dir = directory.url
        self._directory = directory
        now = self._opened = directory.identities(_SET)
        check_complete(directory, now[MANIFEST])
        self.prices, self.vix, self.spx = (ColumnFile(directory, name, now[name]) for name in FILES)
        for file in (self.prices, self.vix, self.spx):
            file.check_order()
        for file, column in ((self.vix, VIX), (self.spx, SPX)):
            if column not in file.columns:
                raise DataError(file.url, f"there is no column {column!r}", f"name it {column!r}")
        self.contracts = self.prices.columns
        if not self.contracts:
            raise DataError(self.prices.url, "there is no contract", "add a price column")
        if len(set(self.contracts)) != len(self.contracts):
            problem = "two columns have the same name"
            raise DataError(self.prices.url, problem, "write each contract once")
        if mistaken := one_symbols_bars(self.contracts):
            raise DataError(self.prices.url, mistaken, ONE_CONTRACT_A_COLUMN)
        for column in self.contracts:
            if not re.fullmatch(CONTRACT_PATTERN, column):
                problem = f"column {shown(column)} is not named like a contract"
                meant = naming_hint(column, "a name such as 'AAPL'", self.contracts)
                raise DataError(self.prices.url, problem, f"rename it to {meant}, or remove it")

    @property
    def rows(self) -> int:
        """How many bars the price file has."""
        return self.prices.rows

    @cached_property
    def _timestamps(self) -> Timestamps:
        return self.prices.timestamps(0, self.rows)

    def timestamps(self) -> Timestamps:
        """All bar starts, UTC, strictly increasing, shape (rows,); read once.

        Raises:
            DataError: They are not strictly increasing.
        """
        return self._timestamps

    def check_known(self, contract: str) -> None:
        """Make sure that there are prices of `contract`.

        Raises:
            ParameterError: There are none; the message names the closest known contracts.
        """
        if contract not in self.contracts:
            known_contract(contract, self.contracts)

    def lower_bound(self, stamp: np.datetime64) -> int:
        """The first row whose bar does not start before `stamp`; `rows` when there is none."""
        return self.prices.lower_bound(stamp)

    def first_stamp(self) -> np.datetime64:
        """The first bar's start, of the file's statistics where it has several row groups."""
        return self.prices.first_timestamp()

    def stamps(self, first: int, last: int) -> Timestamps:
        """The bar starts of the rows first <= row < last, UTC, strictly increasing."""
        return self.prices.timestamps(first, last)

    def bars(
        self, contract: str, first: int, last: int, strategy: StrategyParameters
    ) -> ContractBars:
        """The contract's bars first <= row < last, with the VIX and the S&P 500 at each.

        The VIX is the last known value at or before a bar, at most
        `strategy.vix_tolerance_hours` old; the S&P 500 is the value of the same timestamp.

        Raises:
            ParameterError: The contract is unknown.
            DataError: A timestamp of the window is out of order, or a column holds no numbers.
            StorageError: A file was replaced since it was opened, or cannot be read.
        """
        self.check_known(contract)
        stamps = self.prices.timestamps(first, last)
        price = self.prices.values(contract, first, last)
        return ContractBars(
            contract,
            stamps,
            price,
            self._vix_as_of(stamps, strategy.vix_tolerance_hours),
            self._spx_at(stamps),
        )

    def _vix_as_of(self, stamps: Timestamps, tolerance_hours: float) -> Floats:
        if not len(stamps):
            return np.empty(0)
        tolerance = np.timedelta64(round(tolerance_hours * _NANOSECONDS_PER_HOUR), "ns")
        known_at, known = _window(self.vix, VIX, stamps[0] - tolerance, stamps[-1])
        present = ~np.isnan(known)
        return as_of(stamps, known_at[present], known[present], tolerance)

    def _spx_at(self, stamps: Timestamps) -> Floats:
        if not len(stamps):
            return np.empty(0)
        known_at, known = _window(self.spx, SPX, stamps[0], stamps[-1])
        return as_of(stamps, known_at, known, np.timedelta64(0, "ns"))

    def is_current(self) -> bool:
        """Whether the three files are still the versions that were opened."""
        return self._opened == self._directory.identities(_SET)


def _window(
    file: ColumnFile, column: str, start: np.datetime64, end: np.datetime64
) -> tuple[Timestamps, Floats]:
    """Timestamps and values of the rows with start <= timestamp <= end."""
    first, last = file.lower_bound(start), file.lower_bound(end + np.timedelta64(1, "ns"))
    return file.timestamps(first, last), file.values(column, first, last)


_markets: OrderedDict[str, MarketData] = OrderedDict()
_markets_lock = threading.Lock()


def open_market_data(input_dir: str) -> MarketData:
    """The market data of `input_dir`, as it is now; opened once per process and version.

    Raises:
        ParameterError: `input_dir` is not a usable URL.
        DataError: A file or column is missing or unusable; the message names it.
        StorageError: A file cannot be accessed.
    """
    return market_data_in(open_directory(input_dir, "input_dir"))


def market_data_in(directory: Directory) -> MarketData:
    """The market data of a directory, as it is now; opened once per process and version.

    Raises:
        DataError: A file or column is missing or unusable; the message names it.
        StorageError: A file cannot be accessed.
    """
    with _markets_lock:
        market = _markets.pop(directory.url, None)
        if market is None or not market.is_current():
            market = MarketData(directory)
        _markets[directory.url] = market
        if len(_markets) > CACHED_MARKETS:
            _markets.popitem(last=False)
        return market


def check_contract(bars: ContractBars) -> None:
    """Make sure that a contract has at least one price in its whole history.

    Raises:
        DataError: It has none.
    """
    if np.isnan(bars.price).all():
        raise DataError(
            f"{PRICES_FILE}, column {bars.contract!r}",
            "it holds no price at all",
            "leave the contract out, or ingest its prices",
        )


def write_market_data(  # noqa: PLR0917 - three series of times and values, as the files have them
    input_dir: str,
    timestamps: Timestamps,
    prices: npt.NDArray[np.float64],
    contracts: Sequence[str],
    vix_timestamps: Timestamps,
    vix: Floats,
    spx_timestamps: Timestamps,
    spx: Floats,
) -> None:
    """Write the three input files; each appears whole or not at all.

    Args:
        input_dir: Directory or URL to write to; made when missing.
        timestamps: Bar starts, UTC, strictly increasing, whole seconds, shape (n,).
        prices: Close prices in dollars, shape (n, k), NaN where missing.
        contracts: Names of the k columns.
        vix_timestamps: When the VIX values were known, UTC, strictly increasing, shape (m,).
        vix: VIX in index points, shape (m,), NaN where missing.
        spx_timestamps: Bar starts of the S&P 500, UTC, strictly increasing, shape (j,).
        spx: S&P 500 in index points, shape (j,), NaN where missing.

    Raises:
        ParameterError: `input_dir` or a contract's name is not usable.
        DataError: Shapes do not fit, names repeat, or timestamps are not strictly increasing.
        StorageError: A file cannot be written.
    """
    directory = open_directory(input_dir, "input_dir")
    columns = [checked_contract(name) for name in contracts]
    if prices.shape != (len(timestamps), len(columns)) or len(set(columns)) != len(columns):
        raise DataError(
            PRICES_FILE,
            f"prices of shape {prices.shape} do not fit {len(timestamps)} timestamps and "
            f"{len(set(columns))} different contracts",
            "pass one row per timestamp and one column per contract",
        )
    tables = {
        PRICES_FILE: _table(PRICES_FILE, timestamps, dict(zip(columns, prices.T, strict=True))),
        VIX_FILE: _table(VIX_FILE, vix_timestamps, {VIX: vix}),
        SPX_FILE: _table(SPX_FILE, spx_timestamps, {SPX: spx}),
    }
    for name, table in tables.items():
        rows = PRICE_ROW_GROUP if name == PRICES_FILE else INDEX_ROW_GROUP
        directory.write_bytes(name, _parquet(table, rows))


def _table(name: str, timestamps: Timestamps, columns: dict[str, Floats]) -> pa.Table:
    stamps = np.asarray(timestamps, "datetime64[ns]")
    if len(stamps) == 0 or not (stamps[1:] > stamps[:-1]).all():
        problem = "the timestamps to write are none, repeated or out of order"
        raise DataError(name, problem, "pass one row or more, sorted by timestamp")
    if (stamps != stamps.astype("datetime64[s]")).any():
        raise DataError(name, "a timestamp is not a whole second", "round the timestamps")
    if any(len(values) != len(stamps) for values in columns.values()):
        raise DataError(name, "columns differ in length", "pass one value per timestamp")
    arrays = [timestamp_column(stamps, "UTC"), *map(float_column, columns.values())]
    return pa.Table.from_arrays(arrays, names=[TIMESTAMP, *columns])


def _parquet(table: pa.Table, rows: int) -> memoryview:
    sink = pa.BufferOutputStream()
    # Prices hardly compress; the Arrow schema would double the footer and says nothing new.
    pq.write_table(
        table,
        sink,
        row_group_size=rows,
        compression="none",
        use_dictionary=False,
        write_statistics=[TIMESTAMP],
        store_schema=False,
    )
    return memoryview(sink.getvalue())
