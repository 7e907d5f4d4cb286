"""The backtests that the lake has, whatever request made them: one file a set or fold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np

from lake.backtests.request import BACKTEST, PORTFOLIO, WALK_FORWARD, BacktestKey
from lake.files import stored_metadata
from lake.folders import folders_in
from lake.stretch import SUFFIX
from storage.backends import FileIdentity
from storage.directory import Directory
from storage.errors import ContentError
from trading.backtest.metrics import Metrics
from trading.backtest.sweep.ranking import metrics_of
from trading.instruments.symbols import CONTRACT_PATTERN

DATASETS = (BACKTEST, WALK_FORWARD)

ACCOUNT_PATTERN = rf"{CONTRACT_PATTERN}|^{PORTFOLIO}$"
"""A symbol, or what stands for all symbols on one account."""

_ID = re.compile(
    rf"({BACKTEST}|{WALK_FORWARD}):([a-z][a-z0-9_]{{0,63}}):([0-9]{{1,3}}[a-z]{{1,2}}):"
    rf"({PORTFOLIO}|[A-Z0-9^][A-Z0-9.^=_-]{{0,31}}):([0-9a-f]{{32}})"
)

_SET_PARTS = ("whole", "in_sample", "out_of_sample")
_FOLD_PARTS = ("trained", "traded")

_KEPT = 50_000
"""Footers that a process remembers, each by the version of its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBacktest:
    """One result, as its file's footer tells it.

    Attributes:
        key: Its partition.
        strategy_version: The version of the strategy that was traded.
        symbols: What the account trades.
        parameters: The parameter set; of a fold the one that was chosen.
        name: What people call the set.
        fold: The fold's number; None of a set.
        first: First bar of the window, of a fold of its training; UTC.
        split: First bar that was held back, of a fold the first that was traded.
        last: Last bar.
        assumptions: Capital, costs and how signals became orders, as JSON.
        metrics: Of a set `whole`, `in_sample` and `out_of_sample`; of a fold `trained` and
            `traded`.
        final_equity: Dollars at the end.
        fees: All fees in dollars.
        fills: How many there were.
        flow_run_id: The run that computed it; empty outside of one.
        written_at: When it was stored.
    """

    key: BacktestKey
    strategy_version: str
    symbols: tuple[str, ...]
    parameters: Mapping[str, Any]
    name: str
    fold: int | None
    first: np.datetime64
    split: np.datetime64
    last: np.datetime64
    assumptions: Mapping[str, Any]
    metrics: Mapping[str, Metrics]
    final_equity: Decimal
    fees: Decimal
    fills: int
    flow_run_id: str
    written_at: datetime

    @property
    def dataset(self) -> str:
        """`backtest` or `walk-forward`."""
        return dataset_of(self.key)

    @property
    def strategy(self) -> str:
        """The strategy."""
        return self.key.folder.split("/")[1]

    @property
    def interval(self) -> str:
        """Length of a bar, e.g. `5m`."""
        return self.key.folder.split("/")[2]

    @property
    def whole(self) -> Metrics:
        """Of all bars that its ledger covers."""
        return self.metrics["whole" if self.fold is None else "traded"]

    @property
    def ledger_first(self) -> np.datetime64:
        """The first bar that its ledger covers."""
        return self.first if self.fold is None else self.split


def id_of(key: BacktestKey) -> str:
    """What names a result, e.g. `backtest:rsi_reversion:5m:AAPL:5f0c...`."""
    return ":".join([*key.folder.split("/"), key.symbol, key.fingerprint])


def key_of(name: str) -> BacktestKey | None:
    """The key that an id names; None when it is none."""
    if (found := _ID.fullmatch(name)) is None:
        return None
    dataset, strategy, interval, account, fingerprint = found.groups()
    return BacktestKey(f"{dataset}/{strategy}/{interval}", account, fingerprint, "")


def dataset_of(key: BacktestKey) -> str:
    """`backtest` or `walk-forward`."""
    return key.folder.partition("/")[0]


def stored_keys(
    lake: Directory,
    *,
    dataset: str | None = None,
    strategy: str | None = None,
    interval: str | None = None,
    account: str | None = None,
    after: BacktestKey | None = None,
) -> Iterator[tuple[BacktestKey, FileIdentity]]:
    """Keys of stored results and the versions of their files, ordered by the parts of their ids.

    Lists no more folders than those that are walked through.

    Args:
        lake: The lake.
        dataset: Of this dataset alone.
        strategy: Of this strategy alone.
        interval: On bars of this length alone.
        account: Of this symbol alone, or of `portfolio`.
        after: Only what comes behind it.

    Raises:
        StorageError: A folder cannot be listed.
    """
    wanted = (dataset, strategy, interval, account)
    place = () if after is None else (*after.folder.split("/"), after.symbol, after.fingerprint)
    for parts in _folders(lake, (), wanted, place):
        for name, identity in lake.list_files("/".join(parts)).items():
            key = key_of(":".join([*parts, name.removesuffix(SUFFIX)]))
            if key is None or not name.endswith(SUFFIX):
                continue
            if (*parts, key.fingerprint) > place:
                yield key, identity


def _folders(
    lake: Directory,
    above: tuple[str, ...],
    wanted: tuple[str | None, ...],
    place: tuple[str, ...],
) -> Iterator[tuple[str, ...]]:
    """The folders of accounts that may have something behind a place, in order."""
    depth = len(above)
    if depth == len(wanted):
        yield above
        return
    names = folders_in(lake, "/".join(above)) if above else DATASETS
    for name in names:
        parts = (*above, name)
        if wanted[depth] in (None, name) and parts >= place[: depth + 1]:
            yield from _folders(lake, parts, wanted, place)


def read_stored(
    lake: Directory, key: BacktestKey, identity: FileIdentity | None = None
) -> StoredBacktest:
    """What a result's footer tells.

    Args:
        lake: The lake.
        key: The partition.
        identity: The version of its file, by which what was read before is known; None to look.

    Raises:
        ContentError: The file is missing, damaged or no result.
        StorageError: It cannot be read.
    """
    known = identity or lake.identity(key.relative_path)
    try:
        return _read(key, {} if known is None else _footer(lake, key, known))
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        raise ContentError(
            lake.url_of(key.relative_path),
            f"the file is missing, damaged or no {dataset_of(key)} of {key.symbol}",
            "remove it and run the backtest again, which computes what is missing",
        ) from error


@lru_cache(_KEPT)
def _footer(lake: Directory, key: BacktestKey, identity: FileIdentity) -> Mapping[str, str]:
    del identity  # names the version that is kept
    return stored_metadata(lake, key.relative_path, dataset_of(key), key.symbol)


def _read(key: BacktestKey, footer: Mapping[str, str]) -> StoredBacktest:
    found = json.loads(footer["result"])
    is_fold = dataset_of(key) == WALK_FORWARD
    parts = found if is_fold else found["parts"]
    names = _FOLD_PARTS if is_fold else _SET_PARTS
    window = found if is_fold else footer
    return StoredBacktest(
        key=key,
        strategy_version=footer["strategy_version"],
        symbols=tuple(footer["symbols"].split(",")),
        parameters=json.loads(footer["parameters"]),
        name=footer["name"],
        fold=found["fold"] if is_fold else None,
        first=np.datetime64(window["first"], "ns"),
        split=np.datetime64(parts["split"], "ns"),
        last=np.datetime64(window["last"], "ns"),
        assumptions=json.loads(footer["assumptions"]),
        metrics={name: metrics_of(parts[name]) for name in names},
        final_equity=Decimal(found["final_equity"]),
        fees=Decimal(found["fees"]),
        fills=found["fills"],
        flow_run_id=footer["flow_run_id"],
        written_at=datetime.fromisoformat(footer["written_at"]),
    )
