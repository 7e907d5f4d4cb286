"""The page: nothing from outside, nothing undefined as a number, whatever the portfolio is."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from storage.directory import open_directory
from tests.oracles import NAN, Row
from tests.trading.portfolio.test_positions import at, history
from tests.trading.report.conftest import report_of
from trading.instruments.pace import Pace
from trading.report import charts, heat_map
from trading.report.charts import count_axis
from trading.report.content import ReportContent
from trading.report.page import page

ALL_HOLD = history("A", [100, 101, 99], "...")
ONE_TRADE = history("A", [100, 101, 99], "b..")
ONE_BAR = history("A", [100], "b")
NO_PRICES = history("A", [NAN, NAN], "..")


def text_of(content: ReportContent) -> str:
    """The page's text, without its pictures."""
    body = re.sub(
        r"<(svg|script|style)\b.*?</\1>",
        "",
        page(content, "trading report", "trading prune"),
        flags=re.DOTALL,
    )
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        (ALL_HOLD, ["n/a there were no trades", "n/a the returns do not vary"]),
        (ONE_BAR, ["n/a fewer than two bars", "n/a: no trade has a next price"]),
        (NO_PRICES, ["n/a: no bar has a price and a next one"]),
    ],
)
def test_what_is_not_defined_is_na_with_its_reason(rows: list[Row], reasons: list[str]) -> None:
    text = text_of(report_of(rows))
    for reason in reasons:
        assert reason in text
    assert not re.search(r"\b(nan|None|inf)\b", text)


def test_data_of_no_known_calendar_have_no_sharpe_ratio_and_the_reason() -> None:
    text = text_of(report_of(ONE_TRADE, pace=Pace(None, "its bars come now and then")))
    assert "Sharpe ratio n/a its bars come now and then S&P 500: n/a" in text.replace("&amp;", "&")
    assert not re.search(r"\b(nan|None|inf)\b", text)


def test_bars_that_are_plain_dates_are_shown_by_their_date() -> None:
    day = datetime(2024, 1, 31, tzinfo=UTC)
    rows = [Row(day + timedelta(days=i), "A", 100.0 + i, "hold") for i in range(3)]
    content = report_of(rows)
    assert "2024-01-31 00:00 UTC to 2024-02-02 00:00 UTC" in text_of(content)
    assert content.time.labels() == [f"{r.timestamp:%Y-%m-%d %H:%M}" for r in rows]


def test_without_a_vix_or_an_index_the_page_says_so() -> None:
    empty = np.full(3, NAN)
    text = text_of(report_of(ONE_TRADE, vix=empty, spx=empty))
    assert "n/a: no bar has a VIX, so there is no threshold" in text
    assert "S&P 500: n/a (fewer than two values)" in text.replace("&amp;", "&")
    assert "1 trade with a next price" in text


def test_the_page_refers_to_nothing_outside_and_escapes_what_it_shows() -> None:
    content = report_of(ONE_TRADE)
    hostile = "/results/<script>alert(1)</script>&\"'"
    place = open_directory("/results", "output_dir")
    object.__setattr__(content.aggregation, "directory", replace(place, url=hostile))
    whole = page(content, "trading report", "trading prune")
    assert "<script>alert" not in whole
    assert re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?!data:|#)(\w+:)?//", whole) == []
    assert re.findall(r"https?://(?!www\.w3\.org/)[\w./-]+", whole) == []


def test_a_large_portfolio_makes_a_page_of_less_than_a_megabyte_and_a_half() -> None:
    random = np.random.default_rng(3)
    walks = 100 * np.exp(np.cumsum(random.normal(0, 0.01, (300, 419)), axis=0))
    names = np.array(["buy", "hold", "sell"])[random.integers(0, 3, (300, 419))]
    rows = [
        Row(at(t), f"SYN{k:04}", float(walks[t, k]), str(names[t, k]), 1.0)
        for k in range(419)
        for t in range(300)
    ]
    whole = page(
        report_of(rows, vix=random.uniform(10, 40, 300)), "trading report", "trading prune"
    )
    assert len(whole.encode()) < 1_500_000
    assert whole.count('<th scope="row">SYN') == 419


def test_the_heat_map_is_a_picture_with_a_pixel_per_cell() -> None:
    content = report_of(history("A", [100, 110, 99], "bs.") + history("B", [50, 60], ".b"))
    made = heat_map.signals(content)
    assert made.names == ("no bar", "sell", "hold", "buy")
    picture = base64.b64decode(made.data_uri().partition(",")[2])
    width, height = struct.unpack(">II", picture[16:24])
    assert (width, height) == (3, 2)
    start = picture.index(b"IDAT") + 4
    size = struct.unpack(">I", picture[start - 8 : start - 4])[0]
    lines = zlib.decompress(picture[start : start + size])
    assert [list(lines[i + 1 : i + 4]) for i in (0, 4)] == [[3, 1, 2], [2, 3, 0]]


@pytest.mark.parametrize("chart", [charts.equity, charts.thresholds, charts.regimes])
def test_charts_are_drawn_and_tell_each_value(chart: charts.Chart) -> None:
    drawn = charts.svg(chart, report_of(ONE_TRADE), charts.WIDE)
    assert drawn.startswith("<svg")
    assert "var(--" in drawn
    assert 'aria-label="' in drawn
    assert " width=" not in drawn.partition(">")[0]


def test_a_picture_that_stands_alone_has_fixed_colours() -> None:
    picture = charts.png(charts.trade_returns, report_of(ONE_TRADE))
    assert picture.startswith(b"\x89PNG")
    assert struct.unpack(">I", picture[16:20])[0] > 760


@pytest.mark.parametrize(("most", "ticks"), [(0, 1), (1, 1), (3, 3), (400, 5)])
def test_an_axis_of_counts_has_no_tick_between_whole_numbers(most: int, ticks: int) -> None:
    assert count_axis(most)["tickCount"] == ticks
