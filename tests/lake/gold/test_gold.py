"""Gold: what is in its files, and what makes one due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from lake.dataset import symbol_status
from lake.files import FileLineage, write_file
from lake.gold import signal_pass as passes
from lake.gold.actions import ACTIONS, actions_table
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.grain import Grain
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from storage.directory import open_directory
from tests.lake.bronze_files import with_value, write_bronze, write_days, write_minutes
from tests.lake.building import build, contents, due
from trading.bars.adjustment import adjusted
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.bars.resampling.minutes import resample_minutes
from trading.errors import DataError, ParameterError
from trading.indicators.columns import COMMON_COLUMNS, common_columns
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.calendar import sessions
from trading.strategies.protocol import Context, Signals
from trading.strategies.registry import strategy_named

GOLD = GoldDataset()
FIRST, LAST = date(2023, 11, 1), date(2024, 1, 31)
MONTHS = ("2023-11", "2023-12", "2024-01")
FILES = [f"gold/vegas_channel/5m/AAPL/{month}.parquet" for month in MONTHS]


@pytest.fixture(scope="module")
def minutes(tmp_path_factory: pytest.TempPathFactory) -> Bars:
    """Three months of minutes of AAPL."""
    return write_minutes(tmp_path_factory.mktemp("minutes"), "AAPL", FIRST, LAST)


@pytest.fixture
def lake(tmp_path: Path, minutes: Bars) -> Path:
    """A lake with the silver of three months."""
    write_bronze(tmp_path, minutes, "1m", Grain.SESSION)
    make_silver(tmp_path)
    return tmp_path


def make_silver(lake: Path) -> None:
    build(SilverDataset(), SilverRequest(lake_dir=str(lake)))
    build(SilverDaysDataset(), SilverRequest(lake_dir=str(lake)))


def asked(lake: Path, interval: str = "5m", strategy: str = "vegas_channel", **more: Any) -> Any:
    return GoldRequest(
        lake_dir=str(lake), strategy=strategy, intervals=(Interval(interval),), **more
    )


def split(ex_date: date, ratio: float = 4.0, known_at: datetime | None = None) -> CorporateAction:
    return CorporateAction(
        symbol="AAPL", kind=ActionKind.SPLIT, ex_date=ex_date, value=ratio, known_at=known_at
    )


def write_actions(lake: Path, *actions: CorporateAction) -> None:
    lineage = FileLineage("reference", "actions", "", "")
    write_file(open_directory(str(lake), "lake_dir"), ACTIONS, actions_table(actions), lineage)


def test_a_file_has_bars_indicators_and_what_the_strategy_says(lake: Path, minutes: Bars) -> None:
    assert build(GOLD, asked(lake)) == FILES
    table = pq.read_table(lake / FILES[-1])
    assert table.column_names == [
        "timestamp", "available_at", "open", "high", "low", "close", "volume", "ema_8", "ema_12",
        "ema_13", "ema_144", "ema_169", "rsi_14", "macd", "macd_signal", "macd_histogram",
        "bollinger_upper", "bollinger_middle", "bollinger_lower", "atr_14", "status", "lost",
        "accelerated", "decelerated", "ema_touch", "signal",
    ]  # fmt: skip
    # Month by month equals one evaluation of everything, to the bit.
    bars = resample_minutes(minutes, sessions(FIRST, LAST), [Interval.MINUTES_5])[
        Interval.MINUTES_5
    ].bars
    strategy = strategy_named("vegas_channel")
    found = strategy.evaluate(bars, Interval.MINUTES_5, {}, strategy.parameters())
    parts = [pq.read_table(lake / name) for name in FILES]
    for name, values in common_columns(bars).items():
        stored = [np.nan if v is None else v for part in parts for v in part[name].to_pylist()]
        assert np.array(stored).tobytes() == np.where(np.isnan(values), np.nan, values).tobytes()
    codes = {"buy": 1, "hold": 0, "sell": -1}
    stored = [codes[v] for part in parts for v in part["signal"].to_pylist()]
    assert stored == found.signal.tolist()
    assert {-1, 0} <= set(stored)
    stored = [v for part in parts for v in part["status"].to_pylist()]
    assert stored == found.columns["status"].tolist()


def test_adding_sessions_gives_the_bits_of_computing_everything(
    tmp_path: Path, minutes: Bars
) -> None:
    grown, whole = tmp_path / "grown", tmp_path / "whole"
    for end in ("2023-11-16", "2023-12-01", "2024-01-12", "2024-03-01"):
        write_bronze(grown, minutes[minutes.timestamps < np.datetime64(end)], "1m", Grain.SESSION)
        make_silver(grown)
        for interval in ("5m", "13m", "1d", "3d"):
            build(GOLD, asked(grown, interval))
    write_bronze(whole, minutes, "1m", Grain.SESSION)
    make_silver(whole)
    for interval in ("3d", "1d", "13m", "5m"):
        build(GOLD, asked(whole, interval))
    made = contents(whole, "gold")
    assert contents(grown, "gold") == made
    assert contents(grown, "silver") == contents(whole, "silver")
    assert len(made) == 2 * 3 + 2 * 2


def test_a_restated_minute_makes_its_partition_and_the_later_ones_due(
    lake: Path, minutes: Bars
) -> None:
    for interval in ("5m", "1d"):
        build(GOLD, asked(lake, interval))
    before = contents(lake, "gold")
    row = int(np.searchsorted(minutes.timestamps, np.datetime64("2023-12-12T15:00")))
    write_bronze(lake, with_value(minutes, row, high=500.0), "1m", Grain.SESSION)
    assert build(SilverDataset(), SilverRequest(lake_dir=str(lake))) == [
        "silver/AAPL/20231212.parquet"
    ]
    assert build(GOLD, asked(lake)) == FILES[1:]
    build(SilverDaysDataset(), SilverRequest(lake_dir=str(lake)))
    assert build(GOLD, asked(lake, "1d")) == [
        f"gold/vegas_channel/1d/AAPL/{year}.parquet" for year in (2023, 2024)
    ]
    after = contents(lake, "gold")
    assert after[FILES[0]] == before[FILES[0]]
    assert all(after[name] != before[name] for name in FILES[1:])


def test_a_restated_day_leaves_the_year_before_it(tmp_path: Path) -> None:
    daily = write_days(tmp_path, "AAPL", date(2021, 1, 4), date(2023, 6, 30))
    days = SilverDaysDataset(), SilverRequest(lake_dir=str(tmp_path))
    build(*days)
    build(GOLD, asked(tmp_path, "1d"))
    build(GOLD, asked(tmp_path, "34d"))
    row = int(np.searchsorted(daily.timestamps, np.datetime64("2022-01-05")))
    write_bronze(tmp_path, with_value(daily, row, high=900.0), "1d", Grain.YEAR)
    build(*days)
    assert due(GOLD, asked(tmp_path, "1d")) == [
        f"gold/vegas_channel/1d/AAPL/{year}.parquet" for year in (2022, 2023)
    ]
    # The bar of 34 sessions that has it began in December.
    assert len(due(GOLD, asked(tmp_path, "34d"))) == 3


def test_an_added_split_leaves_earlier_partitions_and_adjusts_those_from_it_on(
    lake: Path, minutes: Bars
) -> None:
    build(GOLD, asked(lake))
    before = contents(lake, "gold")
    write_actions(lake, split(date(2023, 12, 18)))
    assert build(GOLD, asked(lake)) == FILES[1:]
    assert contents(lake, "gold")[FILES[0]] == before[FILES[0]]
    bars = resample_minutes(minutes, sessions(FIRST, LAST), [Interval.MINUTES_5])[
        Interval.MINUTES_5
    ].bars
    divided = adjusted(bars, [split(date(2023, 12, 18))])
    december = pq.read_table(lake / FILES[1])
    rows = slice(first := 21 * 78 - (78 - 42), first + december.num_rows)  # less a half day
    assert december["close"].to_pylist() == divided.close[rows].tolist()
    assert december["ema_169"].to_pylist() == common_columns(divided)["ema_169"][rows].tolist()
    # An action of another symbol, or one to come, is nobody's here.
    other = CorporateAction(
        symbol="MSFT", kind=ActionKind.SPLIT, ex_date=date(2023, 11, 9), value=2
    )
    write_actions(lake, split(date(2023, 12, 18)), other, split(date(2024, 2, 9)))
    assert due(GOLD, asked(lake)) == []


def test_what_was_not_known_by_then_takes_no_part(lake: Path) -> None:
    as_of = datetime(2024, 1, 10, 22, tzinfo=UTC)
    build(GOLD, asked(lake, as_of=as_of))
    january = pq.read_table(lake / FILES[-1])
    assert january.num_rows == 7 * 78  # to the session of the 10th
    assert max(january["available_at"].to_pylist()) <= as_of
    write_actions(lake, split(date(2024, 1, 9), known_at=datetime(2024, 1, 11, tzinfo=UTC)))
    assert due(GOLD, asked(lake, as_of=as_of)) == []
    later = datetime(2024, 1, 11, 22, tzinfo=UTC)
    assert due(GOLD, asked(lake, as_of=later)) == FILES[2:]


def test_a_month_that_is_over_stays_done_whenever_it_is_asked(tmp_path: Path) -> None:
    # The last days of June 2024 have no session.
    write_minutes(tmp_path, "AAPL", date(2024, 6, 3), date(2024, 7, 2), Grain.MONTH)
    make_silver(tmp_path)
    saturday = datetime(2024, 6, 29, tzinfo=UTC)
    build(GOLD, asked(tmp_path, as_of=saturday))
    assert due(GOLD, asked(tmp_path, as_of=saturday.replace(month=7, day=3))) == [
        "gold/vegas_channel/5m/AAPL/2024-07.parquet"
    ]


def test_many_partitions_of_a_symbol_take_one_pass(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []

    def counting(bars: Bars) -> Mapping[str, Any]:
        counted.append(len(bars))
        return common_columns(bars)

    monkeypatch.setattr(passes, "common_columns", counting)
    build(GOLD, asked(lake, "21m"))
    assert len(counted) == 1


def test_parameters_and_versions_are_part_of_the_fingerprint(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(GOLD, asked(lake))
    assert due(GOLD, asked(lake, parameters={"short_fast": 8})) == []  # its default
    assert due(GOLD, asked(lake, parameters={"short_fast": 9})) == FILES
    monkeypatch.setattr(type(strategy_named("vegas_channel")), "version", "2")
    assert due(GOLD, asked(lake)) == FILES


def test_series_beside_the_bars_come_from_silver_and_count(tmp_path: Path) -> None:
    for symbol in ("AAPL", "^VIX", "^GSPC"):
        write_minutes(tmp_path, symbol, date(2024, 1, 29), date(2024, 2, 2))
    request = asked(tmp_path, strategy="market_model", parameters={"beta_min_periods": 5})
    with pytest.raises(ParameterError, match="silver"):
        due(GOLD, request)
    make_silver(tmp_path)
    assert list(GOLD.symbols(request)) == ["AAPL"]
    names = [f"gold/market_model/5m/AAPL/2024-0{month}.parquet" for month in (1, 2)]
    assert build(GOLD, request) == names
    table = pq.read_table(tmp_path / names[1])
    assert table["beta"].null_count == 0
    # The index is restated in February.
    index = write_minutes(tmp_path, "^GSPC", date(2024, 2, 2), date(2024, 2, 2))
    write_bronze(tmp_path, with_value(index, 400, close=1.0, low=0.5), "1m", Grain.SESSION)
    make_silver(tmp_path)
    assert due(GOLD, request) == names[1:]
    with pytest.raises(ParameterError, match="it needs VIX"):
        due(GOLD, asked(tmp_path, strategy="market_model", context_symbols={"VIX": "V", "SPX": "S"},
                        symbols=("AAPL",)))  # fmt: skip


class Nothing(BaseModel):
    """No parameters."""


class Peeking:
    """Buys before a rise, which nobody can."""

    name = "peeking"
    version = "1"
    context: tuple[str, ...] = ()
    parameters = Nothing

    def warm_up_bars(self, parameters: Nothing) -> int:
        return 0

    def evaluate(
        self,
        bars: Bars,
        interval: Interval,
        context: Context,
        parameters: Nothing,
    ) -> Signals:
        rises = np.append(bars.close[1:] > bars.close[:-1], False)
        return Signals(rises.astype(np.int8))


class Doubled(Peeking):
    """Has a column that every file has."""

    name = "doubled"

    def evaluate(
        self,
        bars: Bars,
        interval: Interval,
        context: Context,
        parameters: Nothing,
    ) -> Signals:
        return Signals(np.zeros(len(bars), np.int8), {"ema_8": bars.close})


def test_a_strategy_that_looks_ahead_or_has_a_taken_column_is_refused(lake: Path) -> None:
    for name, said in (("Peeking", "changes with the bars after"), ("Doubled", "'ema_8'")):
        request = asked(lake, strategy=f"{__name__}:{name}")
        (first, *_) = symbol_status(GOLD, request, "AAPL").keys
        with pytest.raises(DataError, match=said):
            GOLD.compute(request, first, "")
    assert not (lake / "gold").exists()


def test_what_cannot_be_made_is_refused_in_a_sentence(lake: Path) -> None:
    with pytest.raises(ParameterError, match="interval='1h' is not one that silver has"):
        asked(lake, "1h")
    with pytest.raises(ParameterError, match="symbols='MSFT' is not a symbol that silver has"):
        GOLD.symbols(asked(lake, symbols=("MSFT",)))
    with pytest.raises(ParameterError, match="lost_window"):
        GOLD.symbols(asked(lake, parameters={"lost_window": 0}))
    assert len(COMMON_COLUMNS) == 13
