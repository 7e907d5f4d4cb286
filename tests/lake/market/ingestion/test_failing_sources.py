"""What a symbol, an index or a network that fails comes to."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from adapters.market_data.yahoo import YahooSource
from lake.market.ingestion import IngestionError, SymbolStatus
from lake.market.inputs import MarketData
from tests.adapters.yahoo_server import (
    Answer,
    LocalSession,
    YahooServer,
    not_found,
    stock_day,
    too_many_requests,
)
from tests.lake.market.ingestion.conftest import FILES, WEEK, Ingestion, expected


def test_a_failing_symbol_is_reported_and_leaves_the_rest(run: Ingestion) -> None:
    summary = run(symbols=["AAPL", "NOSUCH", "MSFT"])
    assert summary.contracts == ["AAPL", "MSFT"]
    (failed,) = summary.failed
    assert failed.symbol == "NOSUCH"
    assert failed.rows == 0
    assert "does not know" in str(failed.reason)
    assert MarketData(run.directory).contracts == ("AAPL", "MSFT")


def test_a_symbol_without_bars_in_the_range_is_reported(
    run: Ingestion, server: YahooServer
) -> None:
    server.put("NEW", stock_day(date(2024, 10, 21), 10.0))
    (failed,) = run(symbols=["AAPL", "NEW"]).failed
    assert "no complete bar" in str(failed.reason)
    assert "2024-10-14 to 2024-10-18" in str(failed.reason)


def test_a_failing_symbol_keeps_what_is_stored(run: Ingestion, server: YahooServer) -> None:
    run(WEEK[0], WEEK[2])
    server.always["AAPL"] = not_found("AAPL")
    summary = run(WEEK[0], WEEK[4])
    (failed,) = summary.failed
    assert (failed.symbol, failed.status, failed.rows) == ("AAPL", SymbolStatus.FAILED, 21)
    closes = run.closes("AAPL")
    assert closes[:21] == expected(230.0, WEEK[:3])
    assert np.isnan(closes[21:]).all()
    assert run.closes("MSFT") == expected(420.0, WEEK)


@pytest.mark.parametrize("index", ["^VIX", "^GSPC"])
def test_a_missing_index_fails_the_run_before_the_stocks(
    run: Ingestion, server: YahooServer, index: str
) -> None:
    run(WEEK[0], WEEK[1])
    before = run.contents()
    server.requests.clear()
    server.always[index] = not_found(index)
    with pytest.raises(IngestionError, match="nothing was ingested") as raised:
        run()
    assert index in str(raised.value)
    assert not raised.value.transient
    assert run.contents() == before
    assert not server.asked("AAPL")


def test_when_every_symbol_fails_the_run_fails(run: Ingestion) -> None:
    with pytest.raises(IngestionError, match="and 2 more") as raised:
        run(symbols=["NO1", "NO2", "NO3", "NO4", "NO5"])
    assert "NO1" in str(raised.value)
    assert run.contents() == dict.fromkeys(FILES)


def test_a_rate_limit_is_waited_out(run: Ingestion, server: YahooServer) -> None:
    for symbol in ("AAPL", "MSFT", "^VIX"):
        server.answers[symbol].extend([too_many_requests("0"), too_many_requests(), Answer(500)])
    assert not run().failed
    assert len(server.asked("AAPL")) == 4


def test_a_rate_limit_that_stays_fails_the_symbol_after_a_bounded_number_of_tries(
    run: Ingestion, server: YahooServer
) -> None:
    server.always["AAPL"] = too_many_requests("0")
    (failed,) = run().failed
    assert "429" in str(failed.reason)
    assert len(server.asked("AAPL")) == 5


def test_a_symbol_that_is_gone_is_asked_for_once(run: Ingestion, server: YahooServer) -> None:
    server.always["AAPL"] = not_found("AAPL")
    (failed,) = run().failed
    assert failed.symbol == "AAPL"
    assert len(server.asked("AAPL")) == 1


def test_a_wait_of_an_hour_is_not_waited_for(run: Ingestion, server: YahooServer) -> None:
    server.always["AAPL"] = too_many_requests("3600")
    (failed,) = run().failed
    assert failed.symbol == "AAPL"
    assert len(server.asked("AAPL")) == 1


def test_a_network_that_is_down_fails_the_run(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        source = YahooSource(LocalSession(unused.getsockname()[1]))
        with pytest.raises(IngestionError, match="cannot be reached") as raised:
            Ingestion(source, str(tmp_path / "input"))()
    assert raised.value.transient
    assert "run again later" in str(raised.value)


def test_a_slow_symbol_does_not_hold_up_the_others(run: Ingestion, server: YahooServer) -> None:
    server.gates["AAPL"] = gate = threading.Event()
    msft_asked = threading.Event()
    answer = server.answer

    def watched(path: str, query: dict[str, str]) -> Answer:
        if path.endswith("MSFT") and "period1" in query:
            msft_asked.set()
        return answer(path, query)

    server.answer = watched  # type: ignore[method-assign] # to see requests as they come
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        assert msft_asked.wait(30)
        assert not running.done()
        gate.set()
        assert running.result().contracts == ["AAPL", "MSFT"]
