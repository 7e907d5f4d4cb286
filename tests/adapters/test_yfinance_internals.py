"""What yfinance does not document and this project relies on: fails when yfinance changes it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
import yfinance as yf

from adapters.market_data.yahoo_session import YahooRefusedError, YahooSession
from adapters.market_data.yfinance_internals import let_failures_through
from tests.adapters.yahoo_server import NEW_YORK, Answer, LocalSession, YahooServer, stock_day

DAY = date(2024, 10, 15)
START = datetime.combine(DAY, time(), NEW_YORK)


@pytest.fixture(scope="module", autouse=True)
def _yfinance_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    yf.set_tz_cache_location(str(tmp_path_factory.mktemp("yfinance")))


def asked(session: YahooSession) -> list[float]:
    frame = yf.Ticker("AAPL", session=session).history(
        start=START, end=START + timedelta(days=1), interval="1h", actions=False
    )
    return [float(close) for close in frame["Close"]]


def test_an_answer_is_kept_for_the_life_of_the_process_unless_it_is_forgotten() -> None:
    with YahooServer().running() as server:
        session = LocalSession(server.port)
        server.put("AAPL", stock_day(DAY, 230.0))
        let_failures_through()
        first = asked(session)
        server.put("AAPL", stock_day(DAY, 115.0))
        assert asked(session) == first
        let_failures_through()
        assert asked(session)[0] == first[0] / 2


def test_what_the_session_raises_is_let_through() -> None:
    with YahooServer().running() as server:
        server.put("AAPL", stock_day(DAY, 230.0))
        server.always["AAPL"] = Answer(500, "down")
        let_failures_through()
        with pytest.raises(YahooRefusedError, match="500"):
            asked(LocalSession(server.port))
