from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.own_strategies import Momentum, Periods
from tests.trading.backtest.sweep.test_trial import FREE, days, history
from trading.backtest.metrics import sharpe_ratio
from trading.backtest.sweep.folds import Fold, Walked, folds, stretch, walk
from trading.backtest.sweep.trial import SymbolHistory, Window, all_signals, traded
from trading.bars.intervals import Interval
from trading.errors import ParameterError

SETS = [Periods(periods=periods) for periods in (3, 8, 20, 40)]


@given(st.integers(4, 5_000), st.integers(1, 100))
def test_folds_train_on_all_before_and_trade_every_later_row_once(count: int, number: int) -> None:
    if number > min(100, count // 2 - 1):
        with pytest.raises(ParameterError, match="walk_forward="):
            folds(count, number)
        return
    found = folds(count, number)
    assert [fold.number for fold in found] == list(range(1, number + 1))
    assert all(fold.first == 0 and 2 <= fold.split < fold.end for fold in found)
    assert found[-1].end == count
    assert all(one.end == other.split for one, other in pairwise(found))


def walked(own: SymbolHistory, fold: Fold, window: Window | None = None) -> Walked:
    window = window or Window.of([own], [own.rows(None, None)], Interval.DAY)
    return walk(
        [own], window, fold, strategy=Momentum(), sets=SETS, interval=Interval.DAY,
        assumptions=FREE, bars_per_year=252.0,
    )  # fmt: skip


def test_a_fold_trades_the_set_with_the_best_training_from_a_new_account() -> None:
    own = history(days())
    window = Window.of([own], [own.rows(None, None)], Interval.DAY)
    chosen = set()
    for fold in folds(len(window.market.clock), 4):
        training = Window.of([own], [slice(0, fold.split)], Interval.DAY)
        sharpes = []
        for one in SETS:
            signals = all_signals([own], Momentum(), one, Interval.DAY)
            made = traded(training, signals, FREE, strategy=Momentum(), parameters=one)
            sharpes.append(sharpe_ratio(made.returns))
        found = walked(own, fold, window)
        best = int(np.argmax(sharpes))
        assert found.chosen == SETS[best]
        assert found.trained.sharpe == pytest.approx(sharpes[best] * np.sqrt(252.0))
        after = Window.of([own], [slice(fold.split, fold.end)], Interval.DAY)
        signals = all_signals([own], Momentum(), SETS[best], Interval.DAY)
        made = traded(after, signals, FREE, strategy=Momentum(), parameters=SETS[best])
        assert found.result.table().equals(made.table())
        assert found.result.equity[0] == 100_000
        chosen.add(found.chosen.model_dump_json())
    assert len(chosen) > 1


def test_what_comes_after_has_no_part_in_the_choice() -> None:
    own = history(days())
    (first, second, _) = folds(len(own.seen), 3)
    prices: dict[str, Any] = {
        name: np.where(np.arange(len(own.seen)) < first.split, getattr(own.seen, name), 7.0)
        for name in ("open", "high", "low", "close")
    }
    other = history(replace(own.seen, **prices))
    assert walked(own, first).chosen == walked(other, first).chosen
    assert walked(own, first).trained == walked(other, first).trained
    assert walked(own, second).trained != walked(other, second).trained


def test_a_stretch_of_rows_is_each_symbols_own_bars() -> None:
    whole, late = history(days()), history(days()[10:])
    late = replace(late, seen=replace(late.seen, symbol="B"), traded=replace(late.traded,
                   symbol="B"))  # fmt: skip
    window = Window.of([whole, late], [slice(0, 100), slice(0, 90)], Interval.DAY)
    assert stretch([whole, late], window, 0, 20) == [slice(0, 20), slice(0, 10)]
    assert stretch([whole, late], window, 20, 100) == [slice(20, 100), slice(10, 90)]


def test_without_a_sharpe_ratio_the_first_set_is_taken() -> None:
    flat = days()
    flat = replace(flat, open=flat.close * 0 + 5, high=flat.close * 0 + 5, low=flat.close * 0 + 5,
                   close=flat.close * 0 + 5)  # fmt: skip
    found = walked(history(flat), folds(len(flat), 2)[0])
    assert found.chosen == SETS[0]
    assert np.isnan(found.trained.sharpe)
    assert found.first == flat.timestamps[0]
    assert date(2023, 1, 3) == found.first.astype("datetime64[D]").item()
