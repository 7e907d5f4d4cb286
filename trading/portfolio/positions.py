"""Trades: the positions that signals take, and their returns to the next bar.

This is the only place that looks one bar ahead, and it does so after the fact, over stored
results. A position is held from its bar to the contract's next known price, which gives the return:
nobody could leave it before. So a return spans the bars at which the contract was halted, whether
these are rows without a price or no rows, and bars whose results are missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trading.arrays import Floats, Timestamps
from trading.errors import DataError
from trading.strategies.protocol import SIGNAL_NAMES

Codes = npt.NDArray[np.int64]

COLUMNS = ("timestamp", "contract", "price", "beta", "signal")
"""The columns of the results that trades and portfolios are made from."""

BASIS_POINT = 1e-4

_SOURCE = "results"
_AGAIN = "run trading-orchestrator/orchestrator with reprocess=true, then aggregate again"


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """All rows, by contract and then by time, whether they trade or not. Arrays of shape (n,).

    Attributes:
        contracts: Names, sorted, shape (k,).
        timestamps: The union of the contracts' bar starts, UTC, increasing, shape (t,).
        contract: Index into `contracts`.
        bar: Index into `timestamps`.
        position: 1 after a buy, -1 after a sell, else 0, int8.
        next_return: The contract's next known price over the price here, less 1; NaN where the
            price here is missing and where none is known after it.
        next_bar: Bar of that price, an index into `timestamps`; the row's own where there is none.
        priced: Whether the price here is known: at the other rows the contract is halted.
        beta: Beta at each row, NaN where null.
    """

    contracts: list[str]
    timestamps: Timestamps
    contract: Codes
    bar: Codes
    position: npt.NDArray[np.int8]
    next_return: Floats
    next_bar: Codes
    priced: npt.NDArray[np.bool_]
    beta: Floats

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.position)

    def gain(self, cost_bps: float) -> Floats:
        """What each row earns, as a fraction, after costs.

        The position times the next return (nothing where there is none), less the cost of the
        trade, which is paid at the bar where the trade is made.
        """
        earned: Floats = self.position.astype(np.float64) * np.nan_to_num(self.next_return, nan=0.0)
        earned -= np.abs(self.position) * (cost_bps * BASIS_POINT)
        return earned

    def quality(self) -> npt.NDArray[np.int8]:
        """1 for a good trade (a buy before a rise, a sell before a fall), -1 for a bad, else 0.

        A trade is neutral when the price does not change or there is no next price.
        """
        direction = np.sign(np.nan_to_num(self.next_return, nan=0.0)).astype(np.int8)
        return self.position * direction


def trades(rows: pa.Table) -> Trades:
    """Make trades of result rows.

    Args:
        rows: Columns `COLUMNS` (others are ignored) in any order; `contract` and `signal` as
            strings or dictionaries of strings, a null signal counts as hold.

    Raises:
        DataError: There are no rows, a key is null or occurs twice, or a signal is unknown.
    """
    if not rows.num_rows:
        raise DataError(_SOURCE, "there are no rows", "run trading-orchestrator/orchestrator first")
    rows = rows.select(list(COLUMNS)).unify_dictionaries()
    names, contract = _ranked(rows, "contract")
    stamps, bar = _ranked(rows, "timestamp")
    price, beta = _floats(rows.column("price")), _floats(rows.column("beta"))
    position = _positions(rows.column("signal"))
    key = contract * len(stamps) + bar
    if not (key[1:] > key[:-1]).all():
        order = np.argsort(key, kind="stable")
        _refuse_repetition(key[order], names, len(stamps))
        contract, bar, position = contract[order], bar[order], position[order]
        price, beta = price[order], beta[order]
    price = np.where((price > 0) & (price < np.inf), price, np.nan)
    following = _next_known(contract, price)
    return Trades(
        contracts=names.to_pylist(),
        timestamps=_utc(stamps),
        contract=contract,
        bar=bar,
        position=position,
        next_return=_next_returns(price, following),
        next_bar=bar[following],
        priced=~np.isnan(price),
        beta=beta,
    )


def _ranked(rows: pa.Table, name: str) -> tuple[pa.Array, Codes]:
    """The different values of a column, sorted, and each row's index into them."""
    column = rows.column(name)
    if column.null_count:
        raise DataError(_SOURCE, f"{column.null_count} rows have no {name}", _AGAIN)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    values, indices = column.chunk(0).dictionary, _indices(column)
    # A dictionary may hold values that no row has, once rows were filtered.
    used = np.bincount(indices, minlength=len(values)) > 0
    order = pc.array_sort_indices(values).to_numpy().astype(np.int64)
    order = order[used[order]]
    rank = np.empty(len(values), np.int64)
    rank[order] = np.arange(len(order))
    return values.take(pa.array(order)), rank[indices]


def _indices(column: pa.ChunkedArray) -> Codes:
    """The indices of a column whose chunks share one dictionary; -1 for null."""
    indices = pa.chunked_array([chunk.indices for chunk in column.chunks])
    codes: Codes = indices.fill_null(-1).to_numpy().astype(np.int64)
    return codes


def _floats(column: pa.ChunkedArray) -> Floats:
    """A column of numbers as float64, NaN where null."""
    values: Floats = column.cast(pa.float64(), safe=False).to_numpy()
    return values


def _positions(signal: pa.ChunkedArray) -> npt.NDArray[np.int8]:
    encoded = signal if pa.types.is_dictionary(signal.type) else signal.dictionary_encode()
    names = encoded.chunk(0).dictionary.to_pylist()
    position_of = {name: position for position, name in SIGNAL_NAMES.items()}
    unknown = [name for name in names if name not in position_of]
    if unknown:
        raise DataError(
            _SOURCE, f"signal {unknown[0]!r} is none of {', '.join(position_of)}", _AGAIN
        )
    # One more, for null.
    positions = np.array([*(position_of[name] for name in names), 0], np.int8)
    return positions[_indices(encoded)]


def _next_known(contract: Codes, price: Floats) -> Codes:
    """For each row the contract's next row with a price, the row itself where there is none."""
    rows = np.arange(len(price))
    known = np.where(np.isnan(price), len(price), rows)
    # From the end, the earliest known row at or after each; then the one after the row itself.
    at_or_after = np.append(np.minimum.accumulate(known[::-1])[::-1], len(price))
    following = np.minimum(at_or_after[1:], len(price) - 1)
    there = (at_or_after[1:] < len(price)) & (contract[following] == contract)
    return np.where(there, following, rows)


def _next_returns(price: Floats, following: Codes) -> Floats:
    returns = np.full(len(price), np.nan)
    with np.errstate(over="ignore"):
        np.divide(price[following], price, out=returns, where=following != np.arange(len(price)))
    returns -= 1.0
    returns[np.isinf(returns)] = np.nan
    return returns


def _refuse_repetition(key: Codes, names: pa.Array, bars: int) -> None:
    repeated = np.flatnonzero(key[1:] == key[:-1])
    if len(repeated):
        name = names[int(key[repeated[0]] // bars)].as_py()
        raise DataError(
            _SOURCE, f"{len(repeated)} rows repeat a timestamp of a contract, e.g. {name}", _AGAIN
        )


def _utc(stamps: pa.Array) -> Timestamps:
    nanoseconds: Timestamps = stamps.cast(pa.timestamp("ns")).to_numpy(zero_copy_only=False)
    return nanoseconds
