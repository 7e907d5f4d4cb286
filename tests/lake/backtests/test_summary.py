"""What a sweep came to, from its files alone."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lake.backtests.account import account
from lake.backtests.contents import read_set
from lake.backtests.dataset import set_keys
from lake.backtests.summary import page_name, sweep_result, write_page
from tests.lake.backtests.conftest import BACKTESTS, FOLDS, asked
from tests.lake.building import build


def test_a_sweep_of_one_account_is_ranked_by_its_footers(lake: Path) -> None:
    request = asked(lake, symbols=("AAPL",), folds=2)
    build(BACKTESTS, request)
    build(FOLDS, request)
    found = sweep_result(request)
    assert (found.strategy, found.interval, found.symbols) == ("rsi_reversion", "1d", ("AAPL",))
    assert found.ranking.tried == 4
    sharpes = [one.parts.in_sample.sharpe for one in found.ranking.results]
    known = [sharpe for sharpe in sharpes if not math.isnan(sharpe)]
    assert len(known) > 1
    assert known == sorted(known, reverse=True)
    assert 0 < found.ranking.deflated_sharpe < 1
    assert [one.number for one in found.folds] == [1, 2]
    keys = set_keys(request, account(request, "AAPL"))
    assert {one.name for one in found.ranking.results} == {
        read_set(request.lake, key).name for key in keys
    }


def test_accounts_of_their_own_are_added_up_set_by_set(lake: Path) -> None:
    request = asked(lake)
    build(BACKTESTS, request)
    both = sweep_result(request)
    alone = {
        symbol: {
            one.name: one
            for one in sweep_result(replace(request, symbols=(symbol,))).ranking.results
        }
        for symbol in ("AAPL", "MSFT")
    }
    assert len(both.ranking.results) == 4
    for one in both.ranking.results:
        parts = [alone[symbol][one.name] for symbol in alone]
        assert one.final_equity == sum((part.final_equity for part in parts), Decimal(0))
        assert one.fills == sum(part.fills for part in parts)
        assert one.fees == sum((part.fees for part in parts), Decimal(0))
        assert one.parts.whole.total_return == pytest.approx(
            float(one.final_equity) / 200_000 - 1, rel=1e-9
        )
        assert one.parts.whole.trades == sum(part.parts.whole.trades for part in parts)


def test_a_set_without_a_result_everywhere_is_not_ranked_but_counts_as_tried(lake: Path) -> None:
    request = asked(lake)
    build(BACKTESTS, request)
    key = set_keys(request, account(request, "MSFT"))[1]
    (lake / key.relative_path).unlink()
    found = sweep_result(request)
    assert len(found.ranking.results) == 3
    assert found.ranking.tried == 4
    assert key.name not in {one.name for one in found.ranking.results}


def test_the_page_shows_the_sweep_and_refers_to_nothing_outside(lake: Path) -> None:
    request = asked(lake, folds=2)
    build(BACKTESTS, request)
    build(FOLDS, request)
    found = sweep_result(request)
    write_page(request, found, "trading backtest rsi_reversion", ["a <b>: no"])
    assert page_name(request) == "backtest/rsi_reversion/1d/AAPL-MSFT.html"
    text = (lake / page_name(request)).read_text()
    for title in (
        "The best set in sample", "Sets by their Sharpe ratio in sample", "In sample and held back",
        "Trades of the best set", "The sweep, in sample", "The sweep, held back", "Walk-forward",
        "Monthly returns of the best set", "All metrics of the best set", "Deflated Sharpe ratio",
    ):  # fmt: skip
        assert title in text
    assert "a &lt;b&gt;: no" in text
    assert text.count("<svg") == 10
    assert "http://www.w3.org/2000/svg" in text
    assert "https://" not in text.replace("https://www.w3.org", "")
    best = found.ranking.results[0].parts
    assert f"{100 * best.out_of_sample.total_return:+.2f} %" in text
    # A page of many symbols is named by their number, and that of a portfolio by its kind.
    assert page_name(replace(request, portfolio=True)).endswith("/portfolio-AAPL-MSFT.html")


@pytest.mark.parametrize(
    ("more", "pictures"),
    [
        ({"grid": {}}, 2 + 2),  # equity, trades
        ({"grid": {"periods": [5, 9, 20]}}, 2 + 2 + 2 + 4),  # and the scatter, two maps of a row
        # Nothing is traded: no trade, no Sharpe ratio and so no choice.
        ({"grid": {"oversold": [0.01, 0.02]}}, 2 + 2 + 4),
        ({"grid": {"periods": list(range(2, 22)), "oversold": [30, 40]}, "portfolio": True}, 10),
    ],
)
def test_the_page_is_drawn_of_whatever_there_is(
    lake: Path, more: dict[str, Any], pictures: int
) -> None:
    symbols = () if more.get("portfolio") else ("AAPL",)
    request = asked(lake, symbols=symbols, **more)
    build(BACKTESTS, request)
    write_page(request, sweep_result(request), "trading backtest")
    assert (lake / page_name(request)).read_text().count("<svg") == pictures
