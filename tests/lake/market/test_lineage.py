"""The lineage of stored results, and the market that they hold beside each bar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lake.grain import Grain
from lake.keys import partitions
from lake.market.compute import run_partition
from lake.market.lineage import origin
from lake.market.results import read_results
from lake.market.series import read_market_series
from tests.markets import SMALL, Market
from trading.strategies.market_model.parameters import StrategyParameters


@pytest.fixture
def output_dir(market: Market, input_dir: str, tmp_path: Path) -> str:
    """AAPL's sessions, and the second one of BRK-B; AAPL's first is missing."""
    output = str(tmp_path / "output")
    compute(market, input_dir, output, "run-1", SMALL)
    (tmp_path / "output" / "AAPL" / "20240102.parquet").unlink()
    return output


def compute(
    market: Market, input_dir: str, output: str, run: str, strategy: StrategyParameters
) -> None:
    for contract in ("AAPL", "BRK-B"):
        for part in partitions(market.timestamps, contract, Grain.SESSION):
            run_partition(contract, part.timestamp, part.grain, strategy, input_dir, output, run)


def test_the_origin_counts_and_names_what_the_files_say(
    market: Market, input_dir: str, output_dir: str
) -> None:
    _, before = read_results(output_dir)
    first = origin([*before.values()])
    assert (first.files, first.flow_runs, first.grains) == (5, 1, ("session",))
    assert [StrategyParameters.model_validate_json(text) for text in first.strategies] == [SMALL]
    assert first.first_written <= first.last_written

    compute(market, input_dir, output_dir, "run-2", SMALL)
    (Path(output_dir) / "AAPL" / "20240102.parquet").unlink()
    again = origin([*read_results(output_dir)[1].values()])
    assert again.fingerprint == first.fingerprint, "the same inputs, computed by another run"
    other = SMALL.model_copy(update={"beta_window": 5})
    last = partitions(market.timestamps, "AAPL", Grain.SESSION)[2]
    run_partition("AAPL", last.timestamp, last.grain, other, input_dir, output_dir, "run-3")
    changed = origin([*read_results(output_dir)[1].values()])
    assert changed.fingerprint != first.fingerprint
    assert changed.flow_runs == 2
    assert [StrategyParameters.model_validate_json(t) for t in changed.strategies] == [SMALL, other]


def test_the_market_is_put_together_of_the_contracts_that_have_it(
    market: Market, output_dir: str
) -> None:
    found = read_market_series(output_dir, ["AAPL", "BRK-B"], market.timestamps)
    np.testing.assert_array_equal(found.vix, market.vix)
    np.testing.assert_array_equal(found.spx, market.spx)
    np.testing.assert_allclose(found.buy_threshold, 0.5 * market.vix / 15)
    alone = read_market_series(output_dir, ["AAPL"], market.timestamps)
    assert np.isnan(alone.vix).tolist() == [True] * 8 + [False] * 16
