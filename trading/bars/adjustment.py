"""Bars adjusted for corporate actions when they are read; what is stored stays raw.

Actions come from the action table alone: a price that halves is no split without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import groupby

import numpy as np

from trading.arrays import Floats
from trading.bars.model import PRICES, Bars
from trading.errors import DataError
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.clock import local_times

CURRENCY = "USD"
"""What prices are in, and so what a dividend must be in."""


def actions_in_force(
    actions: Iterable[CorporateAction],
    symbol: str,
    last_session: date,
    known_by: datetime | None = None,
) -> tuple[CorporateAction, ...]:
    """The symbol's actions that a partition up to `last_session` is adjusted for, oldest first.

    Those with a later ex-date are left out, so a later split changes no earlier partition. Of
    several of a kind on one ex-date the one that was known last counts, as it restates the others.

    Args:
        actions: Actions of any symbols, in any order.
        symbol: The symbol.
        last_session: The last session of the partition.
        known_by: Leave out what became known after this moment; None leaves out none.

    Raises:
        DataError: Two of a kind on one ex-date have different values, and neither was known last.
    """
    chosen = [
        action
        for action in actions
        if action.symbol == symbol
        and action.ex_date <= last_session
        and (known_by is None or action.known_at is None or action.known_at <= known_by)
    ]
    chosen.sort(key=_ex_date_and_kind)
    return tuple(_last_known(list(same)) for _, same in groupby(chosen, key=_ex_date_and_kind))


def adjusted(bars: Bars, actions: Sequence[CorporateAction]) -> Bars:
    """The bars on the basis of the last of the actions.

    Before the ex-date of a split prices are divided by its ratio and volumes multiplied by it.
    Before that of a dividend prices are multiplied by `1 - dividend / close`, where `close` is the
    last one before the ex-date, on the basis of a split on the same date. Several actions multiply.

    Args:
        bars: Raw bars in order, each within one session. Bars over several sessions can span an
            ex-date: adjust the daily ones, then resample them.
        actions: Actions of the symbol, from `actions_in_force`.

    Raises:
        DataError: A dividend is as large as the price before it, or not in dollars.
        ValueError: An action is another symbol's.
    """
    if any(action.symbol != bars.symbol for action in actions):
        raise ValueError(f"there are actions of other symbols than {bars.symbol}")
    if not actions:
        return bars
    dates = local_times(bars.timestamps).astype("datetime64[D]")
    price, volume = np.ones(len(bars)), np.ones(len(bars))
    for ex_date, of_date in groupby(sorted(actions, key=_ex_date_and_kind), key=_ex_date):
        end = int(np.searchsorted(dates, np.datetime64(ex_date)))
        ratio = 1.0
        # A dividend is paid on the shares that a split of its date made, so the split is first.
        for action in of_date:
            if action.kind is ActionKind.SPLIT:
                ratio *= action.value
                price[:end] /= action.value
                volume[:end] *= action.value
            else:
                price[:end] *= _share_kept(bars.close[:end], ratio, action)
    priced = {name: getattr(bars, name) * price for name in (*PRICES, "vwap")}
    return replace(bars, volume=bars.volume * volume, **priced)


def _share_kept(before: Floats, ratio: float, dividend: CorporateAction) -> float:
    """The share of a price that is left when the dividend is paid; 1 where there is no price."""
    if dividend.currency != CURRENCY:
        raise _wrong(dividend, f"it is in {dividend.currency}, prices are in {CURRENCY}")
    known = before[np.isfinite(before)]
    if not len(known):
        return 1.0
    last = float(known[-1]) / ratio
    if dividend.value >= last:
        raise _wrong(dividend, f"it is {dividend.value}, not below the price before it, {last}")
    return 1 - dividend.value / last


def _last_known(same: list[CorporateAction]) -> CorporateAction:
    """The one that counts of several of a kind on one ex-date."""
    moments = [action.known_at for action in same if action.known_at is not None]
    latest = [action for action in same if not moments or action.known_at == max(moments)]
    if len({action.value for action in latest}) > 1:
        values = " and ".join(str(action.value) for action in latest)
        raise _wrong(latest[0], f"it has the values {values}, none of them known last")
    return latest[0]


def _wrong(action: CorporateAction, problem: str) -> DataError:
    what = f"{action.symbol}: {action.kind.value} of {action.ex_date.isoformat()}"
    return DataError(what, problem, "correct the table of actions")


def _ex_date(action: CorporateAction) -> date:
    return action.ex_date


def _ex_date_and_kind(action: CorporateAction) -> tuple[date, bool]:
    return action.ex_date, action.kind is ActionKind.DIVIDEND
