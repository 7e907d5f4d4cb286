"""Reports of portfolios in memory, without a file."""

from __future__ import annotations

import numpy as np

from lake.grain import Grain
from lake.market.aggregate import Aggregation
from lake.market.wanted import Wanted
from tests.oracles import Row
from tests.trading.portfolio.test_positions import table
from trading.arrays import Floats
from trading.instruments.pace import Pace
from trading.portfolio.origin import Origin
from trading.portfolio.performance import portfolio
from trading.report.content import KnownStatus, MarketSeries, ReportContent, report_content

ORIGIN = Origin(
    fingerprint="0" * 32,
    files=3,
    flow_runs=2,
    grains=("bar",),
    strategies=('{"beta_window":20}',),
    code_versions=("0.1.0",),
    first_written="2024-01-05T00:00:00+00:00",
    last_written="2024-01-05T00:01:00+00:00",
)

SAMPLE_PACE = Pace(2004.0)


def report_of(
    rows: list[Row],
    vix: Floats | float = 16.0,
    status: KnownStatus | None = None,
    spx: Floats | None = None,
    pace: Pace = SAMPLE_PACE,
) -> ReportContent:
    """What the report of these rows shows, with one VIX for all bars or one for each."""
    held = portfolio(table(rows), pace=pace, cost_bps=1.0)
    stamps = held.trades.timestamps
    known = np.broadcast_to(np.asarray(vix, np.float64), stamps.shape)
    threshold = 0.5 * known / 15
    index = np.linspace(4000, 4100, len(stamps)) if spx is None else spx
    market = MarketSeries(stamps, known, index, threshold, -threshold)
    wanted = Wanted("/input", tuple(held.trades.contracts), stamps, Grain.BAR)
    aggregation = Aggregation("/results", held, ORIGIN, (), wanted, (), ())
    return report_content(aggregation, market, made_at="2024-01-05T00:02:00+00:00", status=status)
