from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import fingerprints as module
from lake.fingerprints import fingerprint, fingerprints
from lake.grain import Grain
from lake.keys import Partition, partitions
from tests.markets import SMALL, bars_of, random_market, session_timestamps
from trading.strategies.market_model.inputs import ContractBars
from trading.strategies.market_model.parameters import StrategyParameters
from trading.strategies.market_model.signals import lookback_bars

BARS = bars_of(random_market(session_timestamps(5)))


def _all(bars: ContractBars, grain: Grain, strategy: StrategyParameters = SMALL) -> list[str]:
    return fingerprints(bars, partitions(bars.timestamps, bars.contract, grain), strategy)


def _of_window(bars: ContractBars, part: Partition, strategy: StrategyParameters) -> str:
    lookback = min(part.first, lookback_bars(strategy))
    return fingerprint(bars[part.first - lookback : part.last], lookback, strategy, part.grain)


@pytest.mark.parametrize("grain", list(Grain))
@pytest.mark.parametrize("window", [2, 4, 39, 40, 41, 500])
def test_many_at_once_are_those_of_each_window(grain: Grain, window: int) -> None:
    strategy = StrategyParameters(beta_window=window, beta_min_periods=2)
    every = partitions(BARS.timestamps, BARS.contract, grain)
    assert fingerprints(BARS, every, strategy) == [_of_window(BARS, p, strategy) for p in every]
    assert len({_of_window(BARS, p, strategy) for p in every}) == len(every)


@settings(max_examples=60, deadline=None)
@given(
    row=st.integers(0, len(BARS) - 1),
    field=st.sampled_from(["price", "spx", "vix"]),
    grain=st.sampled_from(list(Grain)),
    value=st.sampled_from([np.nan, 1.0, 99.0]),
)
def test_a_changed_value_changes_exactly_what_depends_on_it(
    row: int, field: str, grain: Grain, value: float
) -> None:
    values = getattr(BARS, field).copy()
    values[row] = value
    every = partitions(BARS.timestamps, BARS.contract, grain)
    before, after = _all(BARS, grain), _all(replace(BARS, **{field: values}), grain)
    reach = 0 if field == "vix" else lookback_bars(SMALL)
    for part, one, two in zip(every, before, after, strict=True):
        depends = part.first - reach <= row < part.last
        assert (one != two) == depends


def test_bars_appended_leave_earlier_partitions_alone() -> None:
    assert _all(BARS[:30], Grain.BAR) == _all(BARS, Grain.BAR)[:30]


def test_a_bar_inserted_changes_what_follows_within_the_window() -> None:
    without = np.delete(np.arange(len(BARS)), 20)
    shorter = ContractBars(
        BARS.contract,
        *(getattr(BARS, f)[without] for f in ("timestamps", "price", "vix", "spx")),
    )
    before, after = _all(BARS, Grain.BAR), _all(shorter, Grain.BAR)
    assert before[:20] == after[:20]
    changed = {
        20 + i for i, (a, b) in enumerate(zip(before[21:], after[20:], strict=True)) if a != b
    }
    assert changed == {20, 21, 22, 23}, "four returns back, the window is whole again"


@pytest.mark.parametrize(
    "change",
    [
        {"beta_window": 5},
        {"beta_min_periods": 2},
        {"base_threshold_pct": 0.51},
        {"vix_baseline": 16.0},
        {"vix_tolerance_hours": 25.0},
    ],
)
def test_every_parameter_of_the_numbers_counts(change: dict[str, float]) -> None:
    changed = SMALL.model_copy(update=change)
    assert not set(_all(BARS, Grain.BAR)) & set(_all(BARS, Grain.BAR, changed))


def test_the_cost_does_not_count() -> None:
    costly = SMALL.model_copy(update={"cost_bps": 9.0})
    assert _all(BARS, Grain.BAR) == _all(BARS, Grain.BAR, costly)


def test_contract_grain_and_version_count(monkeypatch: pytest.MonkeyPatch) -> None:
    one_bar = BARS[:1]
    seen = {fingerprint(one_bar, 0, SMALL, grain) for grain in Grain}
    seen.add(fingerprint(replace(one_bar, contract="MSFT"), 0, SMALL, Grain.BAR))
    seen.add(fingerprint(BARS[:2], 0, SMALL, Grain.BAR))
    seen.add(fingerprint(BARS[:2], 1, SMALL, Grain.BAR))
    monkeypatch.setattr(module, "ANALYSIS_VERSION", "another")
    seen.add(fingerprint(one_bar, 0, SMALL, Grain.BAR))
    assert len(seen) == len(Grain) + 4


def test_bars_of_the_lookback_cannot_pass_for_bars_of_the_partition() -> None:
    """Five bars, one of them the partition's, against four with the same words in the VIX."""
    five = BARS[:5]
    words = [*module._rows(five)[4], five.vix[4].view(np.int64)]
    four = replace(BARS[:4], vix=np.array(words, np.int64).view(np.float64))
    assert fingerprint(five, 4, SMALL, Grain.BAR) != fingerprint(four, 0, SMALL, Grain.BAR)


def test_every_nan_and_every_zero_is_the_same() -> None:
    odd_nan = np.array([0x7FF8_0000_0000_BEEF], np.uint64).view(np.float64)[0]
    prices = [np.array([100.0, value, 101.0]) for value in (np.nan, odd_nan, -np.nan)]
    assert len({_all(replace(BARS[:3], price=price), Grain.ALL)[0] for price in prices}) == 1
    zeros = [np.array([100.0, zero, 101.0]) for zero in (0.0, -0.0)]
    assert len({_all(replace(BARS[:3], spx=zero), Grain.ALL)[0] for zero in zeros}) == 1


def test_the_layout_in_memory_does_not_count() -> None:
    wide = np.column_stack([BARS.price, BARS.spx])
    strided = replace(BARS, price=wide[:, 0], spx=wide[:, 1])
    swapped = replace(BARS, price=BARS.price.astype(">f8"), vix=BARS.vix.astype(">f8"))
    assert _all(strided, Grain.BAR) == _all(BARS, Grain.BAR) == _all(swapped, Grain.BAR)


def test_another_process_gets_the_same() -> None:
    code = (
        "from tests.lake.test_fingerprints import BARS, SMALL, Grain, fingerprint\n"
        "print(fingerprint(BARS, 0, SMALL, Grain.ALL))"
    )
    root = Path(__file__).parents[2]
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == fingerprint(BARS, 0, SMALL, Grain.ALL)
    assert len(other.stdout.strip()) == 32


def test_no_partitions_have_no_fingerprints() -> None:
    assert fingerprints(BARS, [], SMALL) == []
