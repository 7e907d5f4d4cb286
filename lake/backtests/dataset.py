"""Backtests: strategy x interval x account x parameter set x window, one file each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lake.backtests.account import Account, account
from lake.backtests.contents import write_fold, write_set
from lake.backtests.request import BACKTEST, WALK_FORWARD, BacktestKey, BacktestRequest
from lake.dataset import Wanted
from lake.files import stored_fingerprints
from trading.backtest.sweep.folds import Fold, folds, walk
from trading.backtest.sweep.parameter_sets import set_text
from trading.backtest.sweep.ranking import Parts
from trading.backtest.sweep.trial import all_signals, traded
from trading.errors import ParameterError


class BacktestDataset:
    """Every parameter set on every account."""

    name = BACKTEST

    def symbols(self, request: BacktestRequest) -> Sequence[str]:
        """The accounts: each symbol, or the portfolio."""
        return request.accounts()

    def wanted(self, request: BacktestRequest, symbol: str) -> Sequence[Wanted[BacktestKey]]:
        """A partition for every set."""
        keys = set_keys(request, account(request, symbol))
        return [Wanted(key, key.fingerprint) for key in keys]

    def stored(self, request: BacktestRequest, symbol: str) -> Mapping[str, str]:
        """Fingerprints of those of the account's files that the request asks for."""
        return _stored(request, symbol, self.name, self.wanted(request, symbol))

    def compute(self, request: BacktestRequest, key: BacktestKey, flow_run_id: str) -> str:
        """Trade one set, and return its file's URL.

        Raises:
            ContentError: A file of silver or a table is damaged.
            DataError: The bars cannot be used, or the strategy raised.
            StorageError: Silver cannot be read, or the file not be written.
        """
        return self.trade(request, account(request, key.symbol), key, flow_run_id)

    def trade(
        self, request: BacktestRequest, own: Account, key: BacktestKey, flow_run_id: str
    ) -> str:
        """The same on an account that has been put together before."""
        if key.parameters is None:
            raise ValueError(f"{key.label} has no parameters")
        strategy = request.chosen_strategy
        signals = all_signals(own.histories, strategy, key.parameters, request.interval)
        result = traded(
            own.window,
            signals,
            request.assumptions,
            strategy=strategy,
            parameters=key.parameters,
        )
        parts = Parts.of(result.course, request.held_back, own.bars_per_year)
        about = _about(request, own)
        return write_set(request.lake, key, result, parts, about=about, flow_run_id=flow_run_id)

    def parameters(self, request: BacktestRequest, key: BacktestKey) -> Mapping[str, object]:
        """The parameters of `backtest-partition` for one set."""
        return self.batch_parameters(request, [key])

    def batch_parameters(
        self, request: BacktestRequest, keys: Sequence[BacktestKey]
    ) -> Mapping[str, object]:
        """The parameters of `backtest-partition` for some sets of one account."""
        sets = [
            key.parameters.model_dump(mode="json", exclude_defaults=True)
            for key in keys
            if key.parameters is not None
        ]
        return _shared(request, keys[0].symbol) | {"sets": sets, "held_back": request.held_back}


class WalkForwardDataset:
    """Every fold of every account: train, choose, and trade what comes after."""

    name = WALK_FORWARD

    def symbols(self, request: BacktestRequest) -> Sequence[str]:
        """The accounts: each symbol, or the portfolio."""
        return request.accounts()

    def wanted(self, request: BacktestRequest, symbol: str) -> Sequence[Wanted[BacktestKey]]:
        """A partition for every fold."""
        own = account(request, symbol)
        return [Wanted(key, key.fingerprint) for key, _ in _folds(request, own)]

    def stored(self, request: BacktestRequest, symbol: str) -> Mapping[str, str]:
        """Fingerprints of those of the account's files that the request asks for."""
        return _stored(request, symbol, self.name, self.wanted(request, symbol))

    def compute(self, request: BacktestRequest, key: BacktestKey, flow_run_id: str) -> str:
        """Walk one fold, and return its file's URL.

        Raises:
            ContentError: A file of silver or a table is damaged.
            DataError: The bars cannot be used, or the strategy raised.
            StorageError: Silver cannot be read, or the file not be written.
        """
        own = account(request, key.symbol)
        fold = next(fold for found, fold in _folds(request, own) if found.fold == key.fold)
        walked = walk(
            own.histories,
            own.window,
            fold,
            strategy=request.chosen_strategy,
            sets=request.sets,
            interval=request.interval,
            assumptions=request.assumptions,
            bars_per_year=own.bars_per_year,
        )
        about = _about(request, own)
        return write_fold(request.lake, key, fold, walked, about=about, flow_run_id=flow_run_id)

    def parameters(self, request: BacktestRequest, key: BacktestKey) -> Mapping[str, object]:
        """The parameters of `backtest-partition` for one fold."""
        sets = [one.model_dump(mode="json", exclude_defaults=True) for one in request.sets]
        return _shared(request, key.symbol) | {
            "sets": sets,
            "walk_forward": request.folds,
            "fold": key.fold,
        }


def set_keys(request: BacktestRequest, own: Account) -> list[BacktestKey]:
    """The key of every parameter set on an account, in the order of the sets."""
    folder = request.folder(BACKTEST)
    return [
        BacktestKey(
            folder,
            own.name,
            own.fingerprint(BACKTEST, one.model_dump(mode="json"), request.held_back),
            set_text(one),
            one,
        )
        for one in request.sets
    ]


def fold_key(request: BacktestRequest, symbol: str, number: int) -> BacktestKey:
    """The key of one fold.

    Raises:
        ParameterError: There is none of the number.
    """
    found = {key.fold: key for key, _ in _folds(request, account(request, symbol))}
    if number not in found:
        raise ParameterError("fold", number, f"from 1 to {len(found)}", "pass one of them")
    return found[number]


def _folds(request: BacktestRequest, own: Account) -> list[tuple[BacktestKey, Fold]]:
    sets = [one.model_dump(mode="json") for one in request.sets]
    shared = own.fingerprint(WALK_FORWARD, sets, request.folds)
    folder = request.folder(WALK_FORWARD)
    keys = []
    for fold in folds(len(own.window.market.clock), request.folds):
        fingerprint = own.fingerprint(shared, fold.number)
        name = f"fold {fold.number} of {request.folds}"
        keys.append((BacktestKey(folder, own.name, fingerprint, name, fold=fold.number), fold))
    return keys


def _stored(
    request: BacktestRequest, symbol: str, dataset: str, wanted: Sequence[Wanted[BacktestKey]]
) -> dict[str, str]:
    # The folder has the files of every other sweep as well: they are nobody's orphans.
    asked = {one.key.relative_path for one in wanted}
    folder = f"{request.folder(dataset)}/{symbol}"
    found = stored_fingerprints(request.lake, folder, dataset, symbol)
    return {name: fingerprint for name, fingerprint in found.items() if name in asked}


def _shared(request: BacktestRequest, symbol: str) -> dict[str, Any]:
    """The parameters of `backtest-partition` that sets and folds have in common."""
    portfolio = list(request.traded_symbols()) if request.portfolio else None
    return {
        "symbol": symbol,
        "portfolio": portfolio,
        "strategy": request.strategy,
        "interval": request.interval.value,
        "start": request.start and request.start.isoformat(),
        "end": request.end and request.end.isoformat(),
        "assumptions": request.assumptions.model_dump(mode="json"),
        "as_of": request.as_of and request.as_of.isoformat(),
        "context_symbols": dict(request.context_symbols),
        "lake_dir": request.lake_dir,
        "input_dir": request.input_dir,
    }


def _about(request: BacktestRequest, own: Account) -> dict[str, str]:
    """What the footers of an account's files have in common."""
    stamps = own.window.market.clock.starts.view("datetime64[ns]")
    strategy = request.chosen_strategy
    return {
        "strategy": strategy.name,
        "strategy_version": strategy.version,
        "interval": request.interval.value,
        "symbols": ",".join(own.window.market.symbols),
        "first": str(stamps[0]),
        "last": str(stamps[-1]),
        "bars": str(len(stamps)),
        "assumptions": request.assumptions.model_dump_json(),
    }
