"""Gold: indicators and signals of one strategy, by symbol, interval and month or year."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from lake.dataset import Wanted
from lake.files import FileLineage, stored_fingerprints, write_file
from lake.gold.history import History, read_days, read_minutes
from lake.gold.made_of import (
    PartitionInputs,
    context_symbol,
    described,
    inputs_of,
    month_ends,
    news_of,
    setting_of,
    year_ends,
)
from lake.gold.news_history import NewsHistory
from lake.gold.request import GOLD, GoldKey, GoldRequest
from lake.gold.signal_pass import SignalPass, signal_pass
from lake.gold.table import gold_table
from lake.kept import Kept
from lake.listing import files_in
from lake.silver.table import SILVER, SILVER_DAYS
from lake.stretch import check_only
from trading.bars.context import NEWS
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.clock import local_times

_HISTORIES = Kept(8)
_PASSES = Kept()


class GoldDataset:
    """Indicators and signals."""

    name = GOLD

    def symbols(self, request: GoldRequest) -> Sequence[str]:
        """The symbols asked for, or all that silver has."""
        _ = request.strategy_parameters  # what is wrong with them is told before anything is read
        return request.chosen_symbols()

    def wanted(self, request: GoldRequest, symbol: str) -> Sequence[Wanted[GoldKey]]:
        """A partition for every month of silver, or year of which a bar has ended."""
        found = [
            Wanted(
                GoldKey(request.folder(interval), symbol, inputs.stretch, interval),
                inputs.fingerprint,
            )
            for interval in request.intervals
            for inputs in inputs_of(request, symbol, interval)
        ]
        check_only(request.only, GOLD, symbol, [one.key for one in found])
        return found

    def stored(self, request: GoldRequest, symbol: str) -> Mapping[str, str]:
        """Fingerprints of the symbol's files of the time asked for."""
        first, last = request.first, request.last
        found: dict[str, str] = {}
        for interval in request.intervals:
            folder = f"{request.folder(interval)}/{symbol}"
            found |= stored_fingerprints(request.lake, folder, GOLD, symbol, first=first, last=last)
        return found

    def compute(self, request: GoldRequest, key: GoldKey, flow_run_id: str) -> str:
        """Make one partition, and return its file's URL.

        Raises:
            ContentError: A file of silver or the table of actions is damaged.
            DataError: Actions cannot be right, or the strategy's columns.
            ParameterError: Silver has nothing of the partition, or a series is not there.
            StorageError: Silver cannot be read, or the file not be written.
        """
        history = _history(request, key.symbol, key.interval)
        inputs = _inputs(request, key, history)
        made = _pass(request, key, history, inputs)
        periods = local_times(made.bars.timestamps).astype("datetime64[D]")
        first, last = (np.datetime64(day) for day in (key.stretch.first, key.stretch.last))
        table = gold_table(made, (first <= periods) & (periods <= last))
        return write_file(
            request.lake, key.relative_path, table, _lineage(request, key, inputs, flow_run_id)
        )

    def parameters(self, request: GoldRequest, key: GoldKey) -> Mapping[str, object]:
        """The parameters of `gold-partition`."""
        return {
            "symbol": key.symbol,
            "partition": key.stretch.stem,
            "interval": key.interval.value,
            "strategy": request.strategy,
            "parameters": dict(request.parameters),
            "context_symbols": dict(request.context_symbols),
            "as_of": None if request.as_of is None else request.as_of.isoformat(),
            "lake_dir": request.lake_dir,
        }


def _inputs(request: GoldRequest, key: GoldKey, history: History) -> PartitionInputs:
    """What a partition is made of, by the history as it was read."""
    if key.interval.is_intraday:
        ends = month_ends(request, history.beginnings, key.stretch.first, key.stretch.last)
    else:
        ends = year_ends(history, key.interval)
    if key.stretch not in ends:
        raise ParameterError(
            "partition",
            key.stretch.stem,
            f"one that silver has bars of {key.interval} of {key.symbol} for",
            "make silver first with trading lake build silver",
        )
    one = {key.stretch: ends[key.stretch]}
    context = {name: held.beginnings for name, held in _context(request, key).items()}
    (found,) = described(
        request,
        key.symbol,
        key.interval,
        beginnings=history.beginnings,
        ends=one,
        context=context,
    )
    return found


def _pass(
    request: GoldRequest, key: GoldKey, history: History, inputs: PartitionInputs
) -> SignalPass:
    strategy, parameters = request.chosen_strategy, request.strategy_parameters
    context = _context(request, key)
    known_by = (
        json.dumps(setting_of(request, key.symbol, key.interval), sort_keys=True),
        inputs.actions,
        history.beginnings.whole,
        tuple(held.beginnings.whole for held in context.values()),
    )
    return _PASSES.get(
        known_by,
        lambda: signal_pass(
            history,
            key.interval,
            inputs.actions,
            strategy=strategy,
            parameters=parameters,
            context=context,
        ),
    )


def _context(request: GoldRequest, key: GoldKey) -> dict[str, History | NewsHistory]:
    """What the strategy needs beside the bars of a partition, by name."""
    return {
        name: news_of(request, key.symbol)
        if name == NEWS
        else _history(request, context_symbol(request, name), key.interval)
        for name in request.chosen_strategy.context
    }


def _history(request: GoldRequest, symbol: str, interval: Interval) -> History:
    """A symbol's history, read anew whenever one of its files is another one than before."""
    lake, as_of = request.lake, request.as_of
    kind = interval if interval.is_intraday else Interval.DAY
    listed = files_in(lake, f"{SILVER if interval.is_intraday else SILVER_DAYS}/{symbol}")
    key = (lake.url, symbol, kind, as_of, tuple(listed.items()))
    if interval.is_intraday:
        return _HISTORIES.get(key, lambda: read_minutes(lake, symbol, interval, as_of, listed))
    return _HISTORIES.get(key, lambda: read_days(lake, symbol, as_of))


def _lineage(
    request: GoldRequest, key: GoldKey, inputs: PartitionInputs, flow_run_id: str
) -> FileLineage:
    strategy = request.chosen_strategy
    actions = [f"{a.ex_date.isoformat()} {a.kind.value} {a.value:g}" for a in inputs.actions]
    return FileLineage(
        dataset=GOLD,
        symbol=key.symbol,
        fingerprint=inputs.fingerprint,
        flow_run_id=flow_run_id,
        more={
            "strategy": strategy.name,
            "strategy_version": strategy.version,
            "parameters": request.strategy_parameters.model_dump_json(),
            "interval": key.interval.value,
            "last_session": inputs.last_session.isoformat(),
            "actions": ", ".join(actions),
        },
    )
