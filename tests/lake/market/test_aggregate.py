"""A portfolio is made of what the input asks for today, and tells how its results stand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.grain import Grain
from lake.keys import partitions
from lake.market.aggregate import Aggregation, AggregationRequest, aggregate
from lake.market.compute import run_partition
from lake.market.inputs import open_market_data
from lake.market.orphaned import Orphan, Reason, orphaned_results, remove_orphaned
from lake.market.results import read_rows
from lake.market.series import read_market_series
from lake.market.wanted import wanted_results
from tests.markets import SMALL, Market, random_market, session_timestamps
from trading.errors import DataError
from trading.strategies.market_model.parameters import StrategyParameters


def compute(
    market: Market, folder: Path, grain: Grain = Grain.BAR, strategy: StrategyParameters = SMALL
) -> None:
    """Write the market and compute every result of it."""
    market.write(folder / "input")
    for contract in market.contracts:
        for part in partitions(market.timestamps, contract, grain):
            run_partition(
                contract, part.timestamp, grain, strategy,
                str(folder / "input"), str(folder / "output"), "1",
            )  # fmt: skip


def aggregated(folder: Path, grain: Grain | None = Grain.BAR) -> Aggregation:
    return aggregate(
        AggregationRequest(
            input_dir=str(folder / "input"),
            output_dir=str(folder / "output"),
            grain=grain,
            strategy=SMALL,
        )
    )


def without_rows(market: Market, rows: list[int]) -> Market:
    return replace(
        market,
        timestamps=np.delete(market.timestamps, rows),
        prices=np.delete(market.prices, rows, axis=0),
        spx_timestamps=np.delete(market.spx_timestamps, rows),
        spx=np.delete(market.spx, rows),
        vix_timestamps=np.delete(market.vix_timestamps, rows),
        vix=np.delete(market.vix, rows),
    )


def files_of(market: Market, rows: list[int]) -> set[str]:
    return {
        partitions(market.timestamps, contract, Grain.BAR)[row].relative_path
        for contract in market.contracts
        for row in rows
    }


def test_a_bad_print_that_left_the_input_leaves_the_portfolio(tmp_path: Path) -> None:
    good = random_market(session_timestamps(3)[:23], contracts=2)
    bad = good.with_price(11, 0, 1.3 * float(good.prices[11, 0]))
    compute(bad, tmp_path)
    with_it = aggregated(tmp_path)
    mended = without_rows(good, [11])
    compute(mended, tmp_path)
    made = aggregated(tmp_path)
    compute(mended, tmp_path / "fresh")
    assert made.portfolio.summary == aggregated(tmp_path / "fresh").portfolio.summary
    assert made.portfolio.summary != with_it.portfolio.summary
    assert {orphan.file for orphan in made.orphaned} == files_of(good, [11])
    assert {orphan.reason for orphan in made.orphaned} == {Reason.BARS}
    assert made.metrics["orphaned_results"] == 2
    assert (made.metrics["stale_results"], made.metrics["missing_results"]) == (0, 0)
    stored = pq.read_table(tmp_path / "output" / "_portfolio" / "portfolio.parquet").to_pylist()
    assert stored == [made.metrics]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.sets(st.integers(0, 15), min_size=1, max_size=15))
def test_whatever_bars_leave_only_their_results_are_orphaned(
    tmp_path_factory: pytest.TempPathFactory, rows: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("market")
    market = random_market(session_timestamps(2), contracts=2)
    compute(market, folder)
    gone = sorted(rows)
    without_rows(market, gone).write(folder / "input")
    wanted = wanted_results(open_market_data(str(folder / "input")), Grain.BAR)
    orphaned = orphaned_results(str(folder / "output"), wanted)
    assert {orphan.file for orphan in orphaned} == files_of(market, gone)
    rows_left = read_rows(str(folder / "output"), wanted=wanted)
    assert rows_left.num_rows == 2 * (16 - len(gone))
    remove_orphaned(str(folder / "output"), orphaned)
    assert orphaned_results(str(folder / "output"), wanted) == []
    assert read_rows(str(folder / "output")).equals(rows_left), "nothing else was removed"


def test_other_data_in_the_same_folders_are_a_portfolio_of_their_own(tmp_path: Path) -> None:
    compute(random_market(session_timestamps(3), contracts=2), tmp_path)
    later = random_market(session_timestamps(2, "2024-10-15"), contracts=1, seed=8)
    compute(later, tmp_path)
    made = aggregated(tmp_path)
    compute(later, tmp_path / "fresh")
    assert made.portfolio.summary == aggregated(tmp_path / "fresh").portfolio.summary
    assert len(made.orphaned) == 48
    assert {o.reason for o in made.orphaned if o.file.startswith("BRK-B/")} == {Reason.CONTRACT}
    assert aggregated(tmp_path, grain=None).wanted.grain is Grain.BAR


def test_a_result_of_another_grain_does_not_hide_one_that_is_up_to_date(tmp_path: Path) -> None:
    market = random_market(session_timestamps(3), contracts=1)
    compute(market, tmp_path)
    alone = aggregated(tmp_path)
    eager = SMALL.model_copy(update={"base_threshold_pct": 0.01})
    compute(market, tmp_path, Grain.SESSION, eager)  # written last, with other parameters
    made = aggregated(tmp_path)
    assert made.portfolio.summary == alone.portfolio.summary
    assert made.orphaned == tuple(
        Orphan(f"AAPL/2024010{day}.parquet", Reason.GRAIN) for day in (2, 3, 4)
    )
    of_market = read_market_series(
        made.output_dir, ["AAPL"], market.timestamps, wanted_results(
            open_market_data(str(tmp_path / "input")), Grain.BAR
        ),
    )  # fmt: skip
    np.testing.assert_allclose(of_market.buy_threshold, 0.5 * market.vix / 15)


def test_a_stale_result_is_counted_and_gives_no_bar_that_left(tmp_path: Path) -> None:
    market = random_market(session_timestamps(3), contracts=1)
    compute(market, tmp_path, Grain.SESSION)
    without_rows(market, [20]).write(tmp_path / "input")
    made = aggregated(tmp_path, Grain.SESSION)
    assert made.metrics["stale_results"] == 1
    assert made.portfolio.summary.bars == 23
    (tmp_path / "output" / "AAPL" / "20240102.parquet").unlink()
    made = aggregated(tmp_path, Grain.SESSION)
    assert (made.metrics["stale_results"], made.metrics["missing_results"]) == (1, 1)


def test_what_is_no_result_is_no_orphan(tmp_path: Path) -> None:
    market = random_market(session_timestamps(1), contracts=1)
    compute(market, tmp_path)
    theirs = tmp_path / "output" / "DATA"
    theirs.mkdir()
    for name in ("2024.parquet", "notes.txt"):
        (theirs / name).write_bytes(b"not ours")
    assert aggregated(tmp_path).orphaned == ()


def test_results_of_other_data_alone_make_no_portfolio(tmp_path: Path) -> None:
    compute(random_market(session_timestamps(1), contracts=1), tmp_path)
    random_market(session_timestamps(1, "2024-10-15"), contracts=1).write(tmp_path / "input")
    with pytest.raises(
        DataError, match=r"no results of any contract by bar for the bars of .*input"
    ):
        aggregated(tmp_path)
    assert not (tmp_path / "output" / "_portfolio").exists()
