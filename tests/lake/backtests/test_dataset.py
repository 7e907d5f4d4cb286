"""Backtests as partitions: what is in their files, and what makes one due."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from lake.backtests import account as accounts
from lake.backtests.account import account
from lake.backtests.bars import known_bars
from lake.backtests.contents import read_fold, read_ledger, read_set
from lake.backtests.dataset import fold_key, set_keys
from lake.backtests.request import BacktestRequest
from lake.files import FileLineage, write_file
from lake.gold.actions import ACTIONS, actions_table
from lake.grain import Grain
from lake.reference.tables import write_instruments
from storage.directory import open_directory
from tests.lake.backtests.conftest import BACKTESTS, FIRST, FOLDS, LAST, asked, make_silver
from tests.lake.bronze_files import with_value, write_bronze, write_days
from tests.lake.building import build, due
from tests.markets import random_market, session_timestamps
from trading.backtest.assumptions import Assumptions
from trading.backtest.engine import run
from trading.backtest.market import Clock, Market
from trading.backtest.metrics import metrics
from trading.backtest.targets import TargetOrders
from trading.backtest.terms import Terms
from trading.bars.adjustment import adjusted
from trading.bars.intervals import Interval
from trading.bars.resampling.blocks import resample_sessions
from trading.bars.synthetic_minutes import synthetic_days
from trading.errors import ParameterError
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.calendar import sessions
from trading.instruments.instrument import Instrument
from trading.portfolio.account import Account
from trading.portfolio.ledger import SCHEMA
from trading.strategies.registry import strategy_named
from trading.units import to_dollars


def write_actions(lake: Path, *actions: CorporateAction) -> None:
    lineage = FileLineage("reference", "actions", "", "")
    write_file(open_directory(str(lake), "lake_dir"), ACTIONS, actions_table(actions), lineage)


def test_a_file_is_the_ledger_of_one_set_with_its_metrics_in_the_footer(lake: Path) -> None:
    request = asked(lake, symbols=("AAPL",))
    made = build(BACKTESTS, request)
    assert len(made) == 4
    assert all(name.startswith("backtest/rsi_reversion/1d/AAPL/") for name in made)
    days = synthetic_days("AAPL", FIRST, LAST)
    bars = resample_sessions(days, [Interval.DAY])[Interval.DAY].bars
    market = Market.of(
        [bars], Clock.of(bars.timestamps, Interval.DAY, sessions(FIRST, date(2023, 1, 31)))
    )
    strategy, assumptions = strategy_named("rsi_reversion"), Assumptions()
    for key, parameters in zip(set_keys(request, account(request, "AAPL")), request.sets,
                               strict=True):  # fmt: skip
        file = pq.ParquetFile(lake / key.relative_path)
        assert file.schema_arrow.remove_metadata() == SCHEMA
        metadata = {k.decode(): v.decode() for k, v in file.metadata.metadata.items()}
        assert json.loads(metadata["parameters"]) == parameters.model_dump(mode="json")
        assert key.relative_path.endswith(f"/1d/AAPL/{metadata['fingerprint']}.parquet")
        # The same by the engine itself, without any of the lake.
        signals = strategy.evaluate(bars, Interval.DAY, {}, parameters)
        expected = run(
            market,
            TargetOrders(market, [signals], assumptions),
            Terms(capital=assumptions.capital, costs=assumptions.costs()),
        )
        ledger = read_ledger(request.lake, key)
        assert [event[:6] for event in ledger] == [event[:6] for event in expected.ledger]
        found = read_set(request.lake, key)
        assert found.final_equity == expected.final_equity
        assert found.fees == expected.fees
        assert found.fills == len(expected.fills)
        assert found.parts.whole.sharpe == pytest.approx(
            metrics(expected.course, account(request, "AAPL").bars_per_year).sharpe, nan_ok=True
        )
        cut = len(bars) - int(len(bars) * 0.3)
        assert found.parts.split == bars.timestamps[cut]


def test_what_a_result_depends_on_makes_it_due_and_nothing_else(lake: Path) -> None:
    request = asked(lake, symbols=("AAPL",))
    build(BACKTESTS, request)
    moment = datetime(2023, 6, 1, tzinfo=UTC)
    for same in ({"as_of": moment}, {"symbols": ("AAPL",)}, {"folds": 3}):
        assert due(BACKTESTS, replace(request, **same)) == []
    others: list[dict[str, Any]] = [
        {"assumptions": Assumptions(fees_bps=Decimal(2))},
        {"assumptions": Assumptions(allow_short=True)},
        {"assumptions": Assumptions(capital=Decimal(5_000))},
        {"start": date(2021, 2, 1)},
        {"end": date(2022, 11, 30)},
        {"held_back": 0.2},
        {"interval": Interval("3d")},
        {"portfolio": True},
    ]
    for other in others:
        assert len(due(BACKTESTS, replace(request, **other))) == 4
    more = asked(lake, symbols=("AAPL",), grid={"periods": [5, 9, 14], "oversold": [30, 40]})
    assert len(due(BACKTESTS, more)) == 2


def test_changing_one_symbols_bars_makes_its_sets_due_alone(lake: Path) -> None:
    request = asked(lake)
    assert len(build(BACKTESTS, request)) == 8
    bars = synthetic_days("MSFT", FIRST, LAST)
    write_bronze(lake, with_value(bars, 300, high=5_000.0), "1d", Grain.YEAR)
    make_silver(lake)
    again = build(BACKTESTS, request)
    assert len(again) == 4
    assert {name.split("/")[3] for name in again} == {"MSFT"}
    # What comes after a window has no part in it.
    before = replace(request, symbols=("MSFT",), end=date(2021, 12, 31))
    build(BACKTESTS, before)
    write_bronze(lake, with_value(bars, 400, high=5_000.0), "1d", Grain.YEAR)
    make_silver(lake)
    assert due(BACKTESTS, before) == []


def test_a_users_own_strategy_counts_with_its_source(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(lake, "tests.own_strategies:Momentum", symbols=("AAPL",))
    build(BACKTESTS, request)
    assert due(BACKTESTS, request) == []
    monkeypatch.setattr(accounts, "source_of", lambda _: "another line")
    assert len(due(BACKTESTS, request)) == 1


def test_a_damaged_file_is_made_again(lake: Path) -> None:
    request = asked(lake, symbols=("AAPL",))
    name = build(BACKTESTS, request)[0]
    (lake / name).write_bytes(b"no parquet")
    assert due(BACKTESTS, request) == [name]


def test_a_portfolio_is_one_account_of_all_symbols(lake: Path) -> None:
    request = asked(lake, portfolio=True)
    made = build(BACKTESTS, request)
    assert {name.split("/")[3] for name in made} == {"portfolio"}
    key = set_keys(request, account(request, "portfolio"))[0]
    ledger = read_ledger(request.lake, key)
    assert {event.symbol for event in ledger} == {"", "AAPL", "MSFT"}
    assert sum(event.kind == "deposit" for event in ledger) == 1
    found = Account.of(ledger)
    assert to_dollars(found.deposits) == 100_000


def test_folds_are_partitions_and_later_bars_leave_no_earlier_choice_unseen(lake: Path) -> None:
    request = asked(lake, symbols=("AAPL",), folds=3)
    made = build(FOLDS, request)
    assert len(made) == 3
    keys = [fold_key(request, "AAPL", number) for number in (1, 2, 3)]
    assert [key.relative_path for key in keys] == made
    found = [read_fold(request.lake, key) for key in keys]
    assert [one.number for one in found] == [1, 2, 3]
    assert all(one.first < one.split <= one.last for one in found)
    assert found[0].last < found[1].split
    sets = [one.model_dump(mode="json") for one in request.sets]
    assert all(one.parameters in sets for one in found)
    assert len(due(FOLDS, replace(request, folds=4))) == 4
    assert len(due(FOLDS, replace(request, sets=request.sets[:2]))) == 3
    with pytest.raises(ParameterError, match="fold=4 is not from 1 to 3"):
        fold_key(request, "AAPL", 4)


def test_a_split_in_the_table_is_for_the_strategy_adjusted_and_for_fills_an_event(
    lake: Path,
) -> None:
    split = CorporateAction(
        symbol="AAPL", kind=ActionKind.SPLIT, ex_date=date(2022, 3, 9), value=4.0
    )
    request = asked(lake, symbols=("AAPL",))
    build(BACKTESTS, request)
    write_actions(lake, split)
    assert len(due(BACKTESTS, request)) == 4
    known = known_bars(request, "AAPL").history
    bars = synthetic_days("AAPL", FIRST, LAST)
    assert known.traded.close.tolist() == bars.close.tolist()
    assert known.seen.close.tolist() == adjusted(bars, [split]).close.tolist()
    own = account(request, "AAPL")
    assert own.window.actions == (split,)
    # After the window it is nobody's.
    assert account(replace(request, end=date(2022, 3, 8)), "AAPL").window.actions == ()


def test_a_bar_that_an_action_falls_into_has_prices_of_one_share(lake: Path) -> None:
    write_actions(
        lake,
        CorporateAction(symbol="AAPL", kind=ActionKind.SPLIT, ex_date=date(2022, 3, 9), value=4.0),
    )
    bars = synthetic_days("AAPL", FIRST, LAST)
    history = known_bars(asked(lake, symbols=("AAPL",), interval="34d"), "AAPL").history
    raw = resample_sessions(bars, [Interval("34d")])[Interval("34d")].bars
    traded = history.traded
    assert traded.timestamps.tolist() == history.seen.timestamps.tolist()
    row = int(np.searchsorted(traded.timestamps, np.datetime64("2022-03-09"))) - 1
    assert traded.open[row] == pytest.approx(raw.open[row] / 4)
    assert traded.close[row] == raw.close[row]
    others = np.arange(len(traded)) != row
    assert (traded.open[others] == raw.open[: len(traded)][others]).all()


def test_quantities_have_the_step_of_the_instrument(lake: Path) -> None:
    request = asked(lake, symbols=("AAPL",))
    write_instruments(request.lake, [Instrument(symbol="AAPL", increment=Decimal("0.01"))])
    build(BACKTESTS, request)
    key = set_keys(request, account(request, "AAPL"))[0]
    fills = [event.quantity for event in read_ledger(request.lake, key) if event.kind == "fill"]
    assert all(quantity % 10**7 == 0 for quantity in fills)
    assert any(quantity % 10**9 for quantity in fills)


def input_of(tmp_path: Path, sessions_: int = 12) -> str:
    market = random_market(session_timestamps(sessions_), contracts=2)
    market.write(tmp_path / "input")
    return str(tmp_path / "input")


FREE_OF_VOLUME = Assumptions(participation=None)


def test_the_main_pipelines_input_can_be_traded_at_its_closes(lake: Path, tmp_path: Path) -> None:
    folder = input_of(tmp_path)
    request = asked(
        lake, "market_model", interval="1h", input_dir=folder, assumptions=FREE_OF_VOLUME,
        grid={"beta_min_periods": [5]}, symbols=("AAPL",),
    )  # fmt: skip
    (name,) = build(BACKTESTS, request)
    assert name.startswith("backtest/market_model/1h/AAPL/")
    history = known_bars(request, "AAPL").history
    key = set_keys(request, account(request, "AAPL"))[0]
    fills = [event for event in read_ledger(request.lake, key) if event.kind == "fill"]
    assert len(fills) > 3
    closes = dict(zip(history.seen.timestamps.view(np.int64).tolist(), history.seen.close.tolist(),
                      strict=True))  # fmt: skip
    for fill in fills:
        worse = 1.0001 if fill.quantity > 0 else 0.9999
        assert fill.price / 1e9 == pytest.approx(closes[fill.timestamp] * worse, rel=1e-9)
    every = asked(lake, interval="1h", input_dir=folder, assumptions=FREE_OF_VOLUME)
    assert sorted(every.traded_symbols()) == ["AAPL", "BRK-B"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"interval": "1h"}, "interval='1h' is not one that silver has"),
        ({"symbols": ("TSLA",)}, "symbols='TSLA' is not a symbol that silver has"),
        ({"interval": "5m", "symbols": ("AAPL",)}, "symbols='AAPL' is not a symbol that silver"),
        ({"start": LAST, "end": FIRST}, "is not at or after start="),
        ({"start": date(2022, 12, 28)}, "the window has 3 bars of AAPL"),
        ({"held_back": 1.0}, r"held_back=1\.0 is not between 0 and 1"),
        ({"strategy": "market_model"}, "it needs VIX"),
        ({"input_dir": "x"}, r"participation='0\.025' is not usable with the bars of an input_dir"),
    ],
)
def test_what_cannot_be_traded_is_refused_in_a_sentence(
    lake: Path, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterError, match=said) as refused:
        due(BACKTESTS, asked(lake, **more))
    assert "\n" not in str(refused.value)


def test_bars_of_another_interval_are_refused(lake: Path, tmp_path: Path) -> None:
    request = asked(lake, input_dir=input_of(tmp_path), assumptions=FREE_OF_VOLUME)
    with pytest.raises(ParameterError, match="interval='1d' is not that of the bars in input_dir"):
        due(BACKTESTS, request)
    with pytest.raises(ParameterError, match="'NOPE' is not"):
        due(BACKTESTS, replace(request, interval=Interval.HOUR, symbols=("NOPE",)))


def test_a_series_beside_the_bars_comes_from_silver_and_counts(lake: Path) -> None:
    for symbol in ("^VIX", "^GSPC"):
        write_days(lake, symbol, FIRST, LAST)
    make_silver(lake)
    request = asked(lake, "market_model", grid={"beta_min_periods": [5]})
    assert list(BACKTESTS.symbols(request)) == ["AAPL", "MSFT"]
    assert len(build(BACKTESTS, request)) == 2
    write_bronze(
        lake, with_value(synthetic_days("^VIX", FIRST, LAST), 40, high=900.0, close=890.0), "1d",
        Grain.YEAR,
    )  # fmt: skip
    make_silver(lake)
    assert len(due(BACKTESTS, request)) == 2


def test_the_parameters_of_a_run_make_the_same_request_again(lake: Path) -> None:
    request = asked(lake, symbols=("AAPL",), start=date(2021, 2, 1))
    keys = set_keys(request, account(request, "AAPL"))
    given: dict[str, Any] = json.loads(json.dumps(BACKTESTS.batch_parameters(request, keys[1:3])))
    assert given["sets"] == [{"periods": 5, "oversold": 40.0}, {"periods": 9}]
    again = BacktestRequest(
        lake_dir=given["lake_dir"],
        strategy=given["strategy"],
        interval=Interval(given["interval"]),
        sets=tuple(request.chosen_strategy.parameters(**one) for one in given["sets"]),
        symbols=(given["symbol"],),
        start=date.fromisoformat(given["start"]),
        assumptions=Assumptions.model_validate(given["assumptions"]),
        held_back=given["held_back"],
    )
    assert set_keys(again, account(again, "AAPL")) == keys[1:3]


def test_a_window_after_all_bars_is_refused_with_where_they_lie(lake: Path) -> None:
    said = "start='2040-01-02' is not a day from 2021-01-04 to 2022-12-30"
    with pytest.raises(ParameterError, match=said):
        account(asked(lake, start=date(2040, 1, 2)), "AAPL")


def test_fewer_than_no_folds_are_refused_before_any_bar_is_read(lake: Path) -> None:
    with pytest.raises(ParameterError, match="walk_forward=-1 is not 1 or more folds"):
        asked(lake, folds=-1)
