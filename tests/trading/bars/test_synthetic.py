from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import linregress

from lake.market.inputs import open_market_data
from tests import oracles
from trading.bars.synthetic import MAX_CONTRACTS, contract_names, synthetic_market
from trading.errors import ParameterError
from trading.instruments.calendar import hourly_bars, sessions
from trading.instruments.symbols import checked_contract
from trading.strategies.market_model.parameters import StrategyParameters
from trading.strategies.market_model.signals import analyze_panel, percent_change
from trading.strategies.protocol import BUY, HOLD, SELL

SCRIPT = Path(__file__).parents[3] / "input" / "generate_hourly_data.py"
SAMPLE = hourly_bars(sessions(date(2024, 1, 2), date(2024, 1, 4)))
FIRST_PRICES = [[186.7931, 130.8483], [186.4794, 130.0491]]
FIRST_VIX = [15.38, 16.23, 16.1]
FIRST_SPX = [4778.7447, 4761.2848, 4761.8845]
TWO_YEARS = hourly_bars(sessions(date(2010, 1, 4), date(2011, 12, 30)))


def test_names_begin_with_the_listed_ones_and_are_valid_and_unique() -> None:
    assert contract_names(10) == "AAPL MSFT GOOGL AMZN TSLA NVDA META BRK-B JPM V".split()  # noqa: SIM905
    assert contract_names(12)[10:] == ["SYN0011", "SYN0012"]
    names = contract_names(MAX_CONTRACTS)
    assert len(set(names)) == MAX_CONTRACTS
    assert all(checked_contract(name) == name for name in names)
    assert names[:3] == contract_names(3)


@pytest.mark.parametrize("count", [0, -1, MAX_CONTRACTS + 1])
def test_a_number_of_contracts_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(ParameterError, match=f"contracts={count} is not between 1 and 5000"):
        contract_names(count)


def test_the_first_prices_are_these_on_every_platform() -> None:
    market = synthetic_market(["AAPL", "SYN0011"], SAMPLE, 0)
    assert market.prices[:2].tolist() == FIRST_PRICES
    assert market.vix[:3].tolist() == FIRST_VIX
    assert market.spx[:3].tolist() == FIRST_SPX


def test_a_contract_does_not_depend_on_the_others_or_on_what_follows() -> None:
    many = synthetic_market(contract_names(30), TWO_YEARS, 7)
    few = synthetic_market(["SYN0020", "AAPL"], TWO_YEARS[:500], 7)
    np.testing.assert_array_equal(few.prices[:, 0], many.prices[:500, 19])
    np.testing.assert_array_equal(few.prices[:, 1], many.prices[:500, 0])
    np.testing.assert_array_equal(few.vix, many.vix[:500])
    np.testing.assert_array_equal(few.spx, many.spx[:500])
    assert few.betas.tolist() == many.betas[[19, 0]].tolist()


def test_another_seed_is_another_market() -> None:
    one, other = (synthetic_market(["AAPL"], SAMPLE, seed) for seed in (0, 1))
    assert (one.prices != other.prices).all()
    assert (one.spx != other.spx).all()
    assert (one.vix != other.vix).any()


def test_contracts_have_noise_of_their_own() -> None:
    market = synthetic_market(contract_names(20), TWO_YEARS, 0)
    spx = percent_change(market.spx)[1:]
    own = [
        percent_change(price)[1:] - beta * spx
        for price, beta in zip(market.prices.T, market.betas, strict=True)
    ]
    between = np.corrcoef([spx, *own])[np.triu_indices(21, 1)]
    assert np.abs(between).max() < 5 / np.sqrt(len(spx))


def test_returns_have_the_beta_they_were_made_with() -> None:
    market = synthetic_market(contract_names(12), TWO_YEARS, 3)
    spx = oracles.percent_changes(market.spx.tolist())[1:]
    for price, beta in zip(market.prices.T, market.betas, strict=True):
        line = linregress(spx, oracles.percent_changes(price.tolist())[1:])
        assert line.slope == pytest.approx(beta, abs=4 * line.stderr)
        assert line.stderr < 0.05


def test_the_market_looks_like_one() -> None:
    market = synthetic_market(contract_names(50), TWO_YEARS, 0)
    change = percent_change(market.spx)[1:]
    assert 0.25 < change.std() < 0.4
    assert 14 < market.vix.mean() < 20
    assert 8 < market.vix.min() < market.vix.max() < 40
    assert np.corrcoef(np.diff(np.log(market.vix)), change)[0, 1] < -0.5
    # Calm and wild times: the VIX foretells the size of the next change.
    known = market.vix[:-1]
    assert change[known > 19].std() > 1.2 * change[known < 14].std()
    assert market.prices.min() > 0
    assert 10 < np.median(market.prices[0]) < 500
    assert ((market.betas > 0.3) & (market.betas < 2.0)).all()


def test_prices_have_four_decimals() -> None:
    market = synthetic_market(contract_names(3), SAMPLE, 0)
    np.testing.assert_array_equal(market.prices, np.round(market.prices, 4))


def test_the_sample_shows_every_signal_and_betas() -> None:
    market = synthetic_market(contract_names(10), SAMPLE, 0)
    panel = list(analyze_panel(SAMPLE, market.prices, market.vix, market.spx, StrategyParameters()))
    signals = np.concatenate([found.signal for found in panel])
    for signal in (BUY, HOLD, SELL):
        assert np.count_nonzero(signals == signal) >= 20
    assert all(np.isfinite(found.beta[10:]).all() for found in panel)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: synthetic_market(["AAPL", "AAPL"], SAMPLE, 0), "contracts="),
        (lambda: synthetic_market(["../etc"], SAMPLE, 0), "contract='../etc'"),
        (lambda: synthetic_market(["AAPL"], SAMPLE, -1), "seed=-1 is not 0 or more"),
    ],
)
def test_unusable_arguments_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make()


def test_a_market_of_no_bars_is_empty() -> None:
    market = synthetic_market(["AAPL"], SAMPLE[:0], 0)
    assert market.prices.shape == (0, 1)
    assert len(market.vix) == len(market.spx) == 0


def run_script(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_writes_the_sample_from_any_directory(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    run = run_script("--output-dir", str(target), cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "24 bars of 10 contracts from 2024-01-02 to 2024-01-04" in run.stdout
    stored = open_market_data(str(target))
    market = synthetic_market(contract_names(10), SAMPLE, 0)
    assert list(stored.contracts) == contract_names(10)
    bars = stored.bars("BRK-B", 0, 24, StrategyParameters())
    np.testing.assert_array_equal(bars.timestamps, SAMPLE)
    np.testing.assert_array_equal(bars.price, market.prices[:, 7])
    np.testing.assert_array_equal(bars.vix, market.vix)
    np.testing.assert_array_equal(bars.spx, market.spx)


def test_the_script_takes_contracts_dates_and_seed(tmp_path: Path) -> None:
    run = run_script(
        *("--contracts", "12", "--start", "2012-10-26", "--end", "2012-11-01", "--seed", "5"),
        *("--output-dir", str(tmp_path)),
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    stored = open_market_data(str(tmp_path))
    # The exchange was closed on the 29th and 30th.
    stamps = hourly_bars(sessions(date(2012, 10, 26), date(2012, 11, 1)))
    assert len(stamps) == 24
    expected = synthetic_market(contract_names(12), stamps, 5)
    bars = stored.bars("SYN0012", 0, 24, StrategyParameters())
    np.testing.assert_array_equal(bars.price, expected.prices[:, 11])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--contracts", "ten"], "contracts='ten' is not a whole number"),
        (["--contracts", "0"], "contracts=0 is not between 1 and 5000"),
        (["--seed", "-3"], "seed=-3 is not 0 or more"),
        (["--start", "2024-02-30"], "start='2024-02-30' is not a date"),
        (["--end", "20999-01-01"], "end='20999-01-01' is not a date"),
        (["--start", "1850-01-01"], "start='1850-01-01' is not in the years 1990 to 2100"),
        (["--start", "2024-01-06", "--end", "2024-01-07"], "end='2024-01-07' is not"),
        (["--start", "2024-02-01"], "end='2024-01-04' is not"),
        (["--contract", "3"], "unrecognized arguments: --contract 3"),
    ],
)
def test_a_bad_value_is_one_sentence_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(script_main()([*arguments, "--output-dir", str(tmp_path / "out")]))
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(message)
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unusable_folder_is_one_sentence_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert script_main()(["--output-dir", str(tmp_path / "file" / "below")]) == 2
    said = capsys.readouterr()
    assert str(tmp_path / "file") in said.err
    assert said.err.count("\n") == 1


def script_main() -> Callable[[list[str]], int]:
    import importlib.util  # noqa: PLC0415

    spec = importlib.util.spec_from_file_location("generate_hourly_data", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    main: Callable[[list[str]], int] = module.main
    return main
