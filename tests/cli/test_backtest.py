"""`trading backtest` and `trading strategy check`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.commands.backtest import sweep_object
from flows.backtests.rendering import sweep_text
from lake.backtests.summary import sweep_result
from tests.lake.backtests.conftest import BACKTESTS, FOLDS, asked, lake, two_symbols  # noqa: F401
from tests.lake.building import build
from tests.markets import random_market, session_timestamps
from trading.backtest.metrics import Metrics
from trading.strategies.registry import BUILT_IN

TRADING = str(Path(sys.executable).with_name("trading"))
OWN = "tests.own_strategies"


def test_the_object_has_what_is_promised_and_no_number_that_json_lacks(
    lake: Path,  # noqa: F811 - a fixture
) -> None:
    request = asked(lake, symbols=("AAPL",), folds=2)
    build(BACKTESTS, request)
    build(FOLDS, request)
    found = sweep_result(request)
    told = json.loads(json.dumps(sweep_object(found), allow_nan=False))
    assert list(told) == ["strategy", "interval", "symbols", "tried", "deflated_sharpe", "sets"]
    names = set(Metrics.__dataclass_fields__)
    chosen = 0
    for one, expected in zip(told["sets"], found.ranking.results, strict=True):
        assert list(one) == [
            "parameters", "final_equity", "fills", "fees", "metrics", "out_of_sample",
        ]  # fmt: skip
        assert one["final_equity"] == float(expected.final_equity)
        assert one["metrics"]["total_return"] == pytest.approx(one["final_equity"] / 1e5 - 1)
        assert set(one["metrics"]) == names
        outside = one["out_of_sample"]
        assert names <= set(outside)
        assert outside["total_return"] == expected.parts.out_of_sample.total_return
        assert set(outside["in_sample"]) == names
        assert np.datetime64(outside["from"][:10]) == expected.parts.split.astype("datetime64[D]")
        chosen += len(outside["folds"])
    assert chosen == 2


def test_the_text_never_shows_an_optimum_alone(
    lake: Path,  # noqa: F811 - a fixture
) -> None:
    request = asked(lake, symbols=("AAPL",))
    build(BACKTESTS, request)
    found = sweep_result(request)
    text = sweep_text(found, "file:///page.html", ["fast=30 slow=20: it is not"])
    best = found.ranking.results[0]
    row = next(line for line in text.splitlines() if line.startswith(f"| {best.name} |"))
    assert f"{best.parts.in_sample.sharpe:.2f}" in row
    assert f"{best.parts.out_of_sample.sharpe:.2f}" in row
    assert "4 sets tried; deflated Sharpe ratio of the best in sample: 0." in text
    assert "Combinations left out: 1, the first fast=30" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rsi"], "strategy='rsi' is not one of bollinger_reversion"),
        ([], "is not one strategy; name one"),
        (["rsi_reversion", "--strategy", "macd_cross"], "is not one strategy"),
        (["rsi_reversion", "--grid", "periods"], "grid='periods' is not a JSON object"),
        (["rsi_reversion", "--grid", '{"period": [7]}'], "period=7 is not valid"),
        (["rsi_reversion", "--grid", '{"periods": [7]}', "--sample", "3"], "not both"),
        (["rsi_reversion", "--capital", "-1"], "capital='-1' is not valid: input should be gre"),
        (["rsi_reversion", "--fees-bps", "x"], "fees_bps='x' is not valid"),
        (["rsi_reversion", "--interval", "7m"], "interval='7m' is not one of 1m"),
        (["rsi_reversion", "--start", "soon"], "start='soon' is not a date"),
        (["rsi_reversion", "--symbols", "A,,B"], "is not a list of names"),
        (["rsi_reversion", "--held-back", "2"], "held_back=2.0 is not between 0 and 1"),
    ],
)
def test_what_is_no_value_is_refused_before_a_server_starts(
    tmp_path: Path, words: list[str], said: str
) -> None:
    server = tmp_path / "server"
    asked_for = ["backtest", *words, "--lake-dir", str(tmp_path), "--server-dir", str(server)]
    done = CliRunner().invoke(app, asked_for)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not server.exists()


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_shipped_strategy_passes_its_check(name: str) -> None:
    fast = {"vegas_channel": {"long_fast": 20, "long_slow": 30},
            "vegas_tunnel": {"fast": 20, "slow": 30},
            "regime": {"stressed": {"strategy": "macd_cross"}}}  # fmt: skip
    words = ["--bars", "60", "--parameters", json.dumps(fast.get(name, {}))]
    done = CliRunner().invoke(app, ["strategy", "check", name, *words, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["strategy"], told["passed"], told["bars"]) == (name, True, 60)
    assert told["warm_ups"] > 1


@pytest.mark.parametrize("name", ["PeeksOneBar", "NormalisesOverTheSample"])
def test_a_planted_look_ahead_is_caught(name: str) -> None:
    done = CliRunner().invoke(app, ["strategy", "check", f"{OWN}:{name}", "--bars", "80"])
    assert done.exit_code == 1
    assert "Looks ahead: its signal of 20" in done.stdout
    assert CliRunner().invoke(app, ["strategy", "check", f"{OWN}:Momentum"]).exit_code == 0


def test_a_check_takes_bars_of_the_lake(lake: Path) -> None:  # noqa: F811
    words = ["--symbol", "AAPL", "--bars", "100", "--lake-dir", str(lake)]
    done = CliRunner().invoke(app, ["strategy", "check", f"{OWN}:Momentum", *words])
    assert done.exit_code == 0, done.output
    assert "passes at 100 bars" in done.stdout


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["nope"], "strategy='nope' is not one of", 2),
        (["rsi_reversion", "--parameters", "x"], "parameters='x' is not a JSON object", 2),
        (["rsi_reversion", "--bars", "3"], "bars=3 is not from 60", 2),
        (["rsi_reversion", "--interval", "5m"], "interval='5m' is not 1d", 2),
        ([f"{OWN}:Raises", "--parameters", '{"periods": 13}'], "ZeroDivisionError: division by", 1),
    ],
)  # fmt: skip
def test_a_check_that_cannot_be_made_says_why(words: list[str], said: str, code: int) -> None:
    done = CliRunner().invoke(app, ["strategy", "check", *words])
    assert done.exit_code == code, done.output
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_command_trades_ranks_and_the_next_time_skips(
    lake: Path,  # noqa: F811
    prefect_server: str,
    tmp_path: Path,
) -> None:
    def run(*words: str, code: int = 0) -> tuple[str, str]:
        done = subprocess.run(
            [TRADING, "backtest", *words, "--server-dir", str(tmp_path / "server")],
            env={**os.environ, "PREFECT_API_URL": prefect_server},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stdout, done.stderr

    grid = ("--grid", '{"periods": [5, 9], "oversold": [30, 40]}', "--lake-dir", str(lake))
    words = ("rsi_reversion", "--symbols", "AAPL,MSFT", *grid, "--walk-forward", "2")
    text, _ = run(*words, "--batch", "3")
    assert "12 partitions computed, 0 up to date, 0 failed" in text
    assert "Sharpe, held back" in text
    assert "4 sets tried; deflated Sharpe ratio" in text
    told: dict[str, Any] = json.loads(run(*words, "--json")[0])
    assert told["tried"] == len(told["sets"]) == 4
    request = asked(lake, folds=2)
    assert told == json.loads(json.dumps(sweep_object(sweep_result(request))))
    assert build(BACKTESTS, request) == build(FOLDS, request) == []

    market = random_market(session_timestamps(12), contracts=2)
    market.write(tmp_path / "input")
    own = (
        "--strategy",
        f"{OWN}:Raises",
        "--grid",
        '{"periods": [5, 13]}',
        "--interval",
        "1h",
        "--input-dir",
        str(tmp_path / "input"),
        "--lake-dir",
        str(lake),
        "--portfolio",
    )
    text, message = run(*own, "--json", code=1)
    told = json.loads(text)
    assert (told["strategy"], told["tried"], len(told["sets"])) == ("raises", 2, 1)
    assert "of own_strategies.py, `weight = 1 / (periods - 13)" in message
    assert "Redo: " in message
