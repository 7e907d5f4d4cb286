"""The page of one symbol's signals."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from lake.gold.dataset import GoldDataset
from lake.gold.page import write_page
from lake.gold.request import GoldRequest
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from tests.lake.bronze_files import write_minutes
from tests.lake.building import build
from trading.bars.intervals import Interval
from trading.report.candles import MAX_CANDLES


def test_the_page_draws_the_last_bars_and_refers_to_nothing_outside(tmp_path: Path) -> None:
    write_minutes(tmp_path, "AAPL", date(2024, 1, 29), date(2024, 2, 2))
    build(SilverDataset(), SilverRequest(lake_dir=str(tmp_path)))
    build(SilverDaysDataset(), SilverRequest(lake_dir=str(tmp_path)))
    request = GoldRequest(
        lake_dir=str(tmp_path), strategy="rsi_reversion",
        intervals=(Interval.MINUTES_5, Interval.DAY, Interval.DAYS_34),
    )  # fmt: skip
    build(GoldDataset(), request)
    write_page(request, "AAPL", "trading lake build gold --symbols '<AAPL>'")
    page = (tmp_path / "gold/rsi_reversion/AAPL.html").read_text()
    assert not re.search(r"(src|href)=[\"'](?!data:)", page)
    assert "--symbols &#39;&lt;AAPL&gt;&#39;" in page
    assert page.count("<svg") == 2 * 2  # wide and narrow, of two intervals that have bars
    assert "there are no bars of this interval" in page

    months = [
        pq.read_table(tmp_path / f"gold/rsi_reversion/5m/AAPL/2024-0{n}.parquet") for n in (1, 2)
    ]
    signals = [v for table in months for v in table["signal"].to_pylist()][-MAX_CANDLES:]
    bought, sold = signals.count("buy"), signals.count("sell")
    assert bought + sold > 0
    told = f"with {bought} buy and {sold} sell signals"
    assert f"The last {MAX_CANDLES} bars, on a phone half as many, {told}" in page
    close = float(np.round(months[-1]["close"].to_pylist()[-1], 4))
    assert "2024-02-02 15:55: open" in page
    assert f"close {close:.6g}; {signals[-1]}" in page
    fingerprint = pq.read_metadata(
        tmp_path / "gold/rsi_reversion/5m/AAPL/2024-02.parquet"
    ).metadata[b"fingerprint"]
    assert fingerprint.decode() in page
