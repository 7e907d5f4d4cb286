from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lake.dataset import DONE, SymbolStatus
from lake.grain import Grain
from lake.keys import Partition
from lake.market.compute import run_partition
from lake.market.dataset import RESULTS
from lake.planning import plan
from storage.errors import LocationError
from tests.markets import SMALL, Market, request_of
from trading.errors import DataError, ParameterError
from trading.strategies.market_model.parameters import StrategyParameters


@pytest.fixture
def output_dir(tmp_path: Path) -> str:
    return str(tmp_path / "output")


def _plan(
    input_dir: str,
    output_dir: str,
    grain: Grain = Grain.BAR,
    strategy: StrategyParameters = SMALL,
    *,
    reprocess: bool = False,
) -> SymbolStatus[Partition]:
    request = request_of(input_dir, output_dir, "AAPL", grain, strategy)
    (made,) = plan(RESULTS, replace(request, reprocess=reprocess))
    return made


def _due(made: SymbolStatus[Partition]) -> list[Partition]:
    return made.due(reprocess=False)


def _run(made: SymbolStatus[Partition], input_dir: str, output_dir: str) -> None:
    for part in _due(made):
        run_partition(
            request_of(input_dir, output_dir, "AAPL", part.grain), part.timestamp, "run-1"
        )


def _due_labels(made: SymbolStatus[Partition]) -> list[str]:
    return [part.label for part in _due(made)]


@pytest.mark.parametrize(
    ("grain", "total"), [("bar", 24), ("session", 3), ("month", 1), ("all", 1)]
)
def test_all_is_due_once_and_then_nothing(
    input_dir: str, output_dir: str, grain: str, total: int
) -> None:
    first = _plan(input_dir, output_dir, Grain(grain))
    assert (len(_due(first)), first.count(DONE), len(first)) == (total, 0, total)
    _run(first, input_dir, output_dir)
    second = _plan(input_dir, output_dir, Grain(grain))
    assert (_due(second), second.count(DONE), len(second)) == ([], total, total)


def test_planning_writes_nothing(input_dir: str, output_dir: str) -> None:
    _plan(input_dir, output_dir)
    assert not Path(output_dir).exists()


def test_reprocess_makes_everything_due(input_dir: str, output_dir: str) -> None:
    _run(_plan(input_dir, output_dir), input_dir, output_dir)
    again = _plan(input_dir, output_dir, reprocess=True)
    assert (len(again.due(reprocess=True)), len(_due(again)), len(again)) == (24, 0, 24)


def test_only_what_is_missing_is_due(input_dir: str, output_dir: str) -> None:
    _run(_plan(input_dir, output_dir), input_dir, output_dir)
    folder = Path(output_dir) / "AAPL"
    (folder / "20240103_093000.parquet").unlink()
    (folder / "20240104_160000.parquet").write_bytes(b"damaged")
    left = _plan(input_dir, output_dir)
    assert _due_labels(left) == ["AAPL 2024-01-03 09:30", "AAPL 2024-01-04 16:00"]
    assert left.count(DONE) == 22


def test_a_changed_price_makes_its_window_due(
    market: Market, input_dir: str, output_dir: str
) -> None:
    _run(_plan(input_dir, output_dir), input_dir, output_dir)
    market.with_price(10, 0, 55.0).write(input_dir)
    made = _plan(input_dir, output_dir)
    assert [part.first for part in _due(made)] == [10, 11, 12, 13, 14]
    market.with_price(10, 1, 55.0).write(input_dir)
    assert _due(_plan(input_dir, output_dir)) == [], "another contract's price is nothing to AAPL"


def test_new_bars_are_due_alone(market: Market, input_dir: str, output_dir: str) -> None:
    shorter = Market(
        market.timestamps[:20], market.contracts, market.prices[:20],
        market.vix_timestamps, market.vix, market.spx_timestamps, market.spx,
    )  # fmt: skip
    shorter.write(input_dir)
    _run(_plan(input_dir, output_dir), input_dir, output_dir)
    market.write(input_dir)
    made = _plan(input_dir, output_dir)
    assert [part.first for part in _due(made)] == [20, 21, 22, 23]
    assert _due_labels(_plan(input_dir, output_dir, Grain.SESSION)) == [
        "AAPL 2024-01-02", "AAPL 2024-01-03", "AAPL 2024-01-04",
    ]  # fmt: skip


def test_other_parameters_make_everything_due_but_the_cost_does_not(
    input_dir: str, output_dir: str
) -> None:
    _run(_plan(input_dir, output_dir), input_dir, output_dir)
    costly = SMALL.model_copy(update={"cost_bps": 5.0})
    assert _due(_plan(input_dir, output_dir, strategy=costly)) == []
    wider = SMALL.model_copy(update={"beta_window": 5})
    assert len(_due(_plan(input_dir, output_dir, strategy=wider))) == 24


def test_results_of_another_contract_do_not_count(input_dir: str, output_dir: str) -> None:
    _run(_plan(input_dir, output_dir), input_dir, output_dir)
    Path(output_dir, "AAPL").rename(Path(output_dir, "MSFT"))
    (made,) = plan(RESULTS, request_of(input_dir, output_dir, "MSFT"))
    assert len(_due(made)) == 24


def test_data_that_cannot_be_used_fail_before_anything_is_planned(
    market: Market, input_dir: str, output_dir: str
) -> None:
    market.prices[:, 0] = np.nan
    market.write(input_dir)
    with pytest.raises(DataError, match="no price at all"):
        _plan(input_dir, output_dir)
    with pytest.raises(ParameterError, match="the closest are MSFT"):
        plan(RESULTS, request_of(input_dir, output_dir, "MSFX"))
    with pytest.raises(LocationError, match="output_dir="):
        _plan(input_dir, "nosuch://x")
