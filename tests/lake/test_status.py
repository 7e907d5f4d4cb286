"""What is there of the results: done, stale or missing, and with what they were computed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from lake.grain import Grain
from lake.keys import partitions
from lake.market.compute import run_partition
from lake.market.inputs import open_market_data
from lake.status import (
    ContractStatus,
    PartitionStatus,
    StoredSettings,
    contract_status,
    rows_between,
    stored_settings,
)
from tests.markets import SMALL, Market, random_market, session_timestamps
from trading.errors import ParameterError
from trading.instruments.calendar import sessions
from trading.strategies.market_model.parameters import StrategyParameters

DONE, STALE = PartitionStatus.DONE, PartitionStatus.STALE
MISSING, FAILED = PartitionStatus.MISSING, PartitionStatus.FAILED


@pytest.fixture
def output_dir(market: Market, input_dir: str, tmp_path: Path) -> str:
    """All results of AAPL by session."""
    output = str(tmp_path / "output")
    for part in partitions(market.timestamps, "AAPL", Grain.SESSION):
        run_partition("AAPL", part.timestamp, part.grain, SMALL, input_dir, output, "run-1")
    return output


def status_of(
    input_dir: str, output_dir: str, strategy: StrategyParameters = SMALL
) -> ContractStatus:
    market = open_market_data(input_dir)
    return contract_status(market, "AAPL", Grain.SESSION, strategy, output_dir)


def test_each_partition_has_the_status_of_its_result(
    market: Market, input_dir: str, output_dir: str
) -> None:
    assert status_of(input_dir, output_dir).states == (DONE, DONE, DONE)
    # The last bar of the second session: the first bars of the third depend on it.
    market.with_price(15, 0, 70.0).write(input_dir)
    assert status_of(input_dir, output_dir).states == (DONE, STALE, STALE)
    (Path(output_dir) / "AAPL" / "20240102.parquet").unlink()
    (Path(output_dir) / "AAPL" / "20240104.parquet").write_bytes(b"no result")
    found = status_of(input_dir, output_dir)
    assert found.states == (MISSING, STALE, MISSING)
    assert [p.relative_path for p in found.having({STALE, DONE})] == ["AAPL/20240103.parquet"]
    assert (found.count(MISSING), found.count(DONE)) == (2, 0)


def test_other_parameters_make_results_stale_but_another_cost_does_not(
    input_dir: str, output_dir: str
) -> None:
    other = SMALL.model_copy(update={"beta_window": 5})
    assert status_of(input_dir, output_dir, other).states == (STALE,) * 3
    dear = SMALL.model_copy(update={"cost_bps": 9.0})
    assert status_of(input_dir, output_dir, dear).states == (DONE,) * 3


def test_only_what_is_not_done_can_have_failed(input_dir: str, output_dir: str) -> None:
    (Path(output_dir) / "AAPL" / "20240103.parquet").unlink()
    found = status_of(input_dir, output_dir)
    known = found.with_failures({"AAPL 2024-01-02", "AAPL 2024-01-03", "MSFT 2024-01-04"})
    assert known.states == (DONE, FAILED, DONE)


@pytest.mark.parametrize(
    ("first", "last", "rows"),
    [
        (None, None, (0, 24)),
        ("2024-01-03", None, (8, 24)),
        (None, "2024-01-03", (0, 16)),
        ("2024-01-03", "2024-01-03", (8, 16)),
        ("2024-01-03T10:30:00-05:00", "2024-01-03T16:30:00Z", (9, 11)),
        ("2023-01-01", "2023-12-31", (0, 0)),
    ],
)
def test_a_time_is_a_range_of_rows_with_both_ends(
    input_dir: str, first: str | None, last: str | None, rows: tuple[int, int]
) -> None:
    assert rows_between(open_market_data(input_dir), first, last) == rows


@pytest.mark.parametrize("day", range(8))
def test_a_day_is_that_of_bars_which_are_plain_dates(tmp_path: Path, day: int) -> None:
    dates = sessions(date(2024, 1, 2), date(2024, 1, 11)).dates
    market = open_market_data(random_market(dates.astype("datetime64[ns]")).write(tmp_path))
    asked = str(dates[day])
    assert rows_between(market, asked, asked) == (day, day + 1)
    assert rows_between(market, f"{asked}T00:00:00Z", None) == (day, 8)
    (part,) = [p for p in partitions(market.timestamps(), "AAPL", Grain.SESSION) if p.first == day]
    assert part.label == f"AAPL {asked}"


@pytest.mark.parametrize(
    ("first", "last", "named"),
    [
        ("yesterday", None, "from='yesterday'"),
        (None, "2024-01-03T10:30:00", "to='2024-01-03T10:30:00'"),
        ("9999-12-31", None, "from="),
        ("2024-01-04", "2024-01-02", "to='2024-01-02'"),
    ],
)
def test_a_time_that_is_none_is_named(
    input_dir: str, first: str | None, last: str | None, named: str
) -> None:
    with pytest.raises(ParameterError, match=named):
        rows_between(open_market_data(input_dir), first, last)


def test_a_range_keeps_the_partitions_that_have_any_of_its_rows(
    input_dir: str, output_dir: str
) -> None:
    found = status_of(input_dir, output_dir)
    labels = [p.label for p in found.within((15, 17)).partitions]
    assert labels == ["AAPL 2024-01-03", "AAPL 2024-01-04"]
    assert found.within((8, 16)).states == (DONE,)
    assert found.within((8, 8)).partitions == ()


def test_results_tell_what_they_were_computed_with(
    input_dir: str, output_dir: str, tmp_path: Path
) -> None:
    market = open_market_data(input_dir)
    assert stored_settings(market, output_dir) == StoredSettings(("AAPL",), Grain.SESSION, SMALL)
    assert stored_settings(market, str(tmp_path / "nothing")) == StoredSettings((), None, None)
    for file in (Path(output_dir) / "AAPL").iterdir():
        file.write_bytes(b"no result")
    assert stored_settings(market, output_dir) == StoredSettings(("AAPL",), Grain.SESSION, None)


def test_results_of_other_data_do_not_tell_what_those_of_the_input_were_computed_with(
    input_dir: str, output_dir: str, tmp_path: Path
) -> None:
    other = random_market(session_timestamps(1, "2024-05-01"), contracts=1)
    elsewhere, eager = other.write(tmp_path / "other"), StrategyParameters(beta_window=30)
    for grain in (Grain.SESSION, Grain.BAR):
        for part in partitions(other.timestamps, "AAPL", grain):
            run_partition("AAPL", part.timestamp, grain, eager, elsewhere, output_dir, "run-2")
    market = open_market_data(input_dir)
    assert stored_settings(market, output_dir) == StoredSettings(("AAPL",), Grain.SESSION, SMALL)
    of_other = stored_settings(open_market_data(elsewhere), output_dir)
    assert of_other == StoredSettings(("AAPL",), Grain.BAR, eager)
