"""A Polygon that sends nonsense, limits, hangs or refuses the key: told apart, the key nowhere."""

from __future__ import annotations

import logging
import pickle
import socket
import traceback
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.market_data.bar_source import AccessError
from adapters.market_data.rest.polygon import PolygonSource
from tests.adapters.json_server import Answer, dripping_server, json_answer, too_many_requests
from tests.adapters.pacers import paced
from tests.adapters.polygon.conftest import (
    END,
    START,
    fetched,
    minutes,
    own_client,
    refused,
    source_of,
)
from tests.adapters.polygon_server import KEY, PolygonServer
from trading.errors import ParameterError


@pytest.mark.parametrize(
    ("change", "words", "transient"),
    [
        ({"adjusted": True}, "is adjusted", False),
        ({"adjusted": None}, "is adjusted", False),
        ({"results": None, "resultsCount": 3}, "does not say that there are none", True),
        ({"resultsCount": 4}, "counts 4", True),
        ({"resultsCount": None}, "does not count", True),
        ({"status": "ERROR"}, "does not say that it is right", True),
        ({"ticker": "MSFT"}, "another ticker", True),
        ({"queryCount": 50_000}, "without naming the next page", True),
        ({"results": [{"t": 1}] * 3}, "lacks a number", True),
        ({"results": [{"t": None, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}] * 3}, "a time", True),
        ({"results": [{"t": 1, "o": "1", "h": 1, "l": 1, "c": 1, "v": 1}] * 3}, "a number", True),
    ],
)
def test_a_page_that_is_not_what_it_should_be_is_a_failure(
    server: PolygonServer,
    source: PolygonSource,
    change: dict[str, Any],
    words: str,
    *,
    transient: bool,
) -> None:
    server.bars["AAPL", "minute"] = minutes(3)
    server.changes = [change] * 5
    error = refused(source)
    assert words in error.reason
    assert error.transient is transient


def test_a_last_page_that_is_cut_is_a_failure_where_polygons_own_client_ends(
    server: PolygonServer, source: PolygonSource
) -> None:
    server.bars["AAPL", "minute"] = minutes(25)
    server.page_size = 10
    page = json_answer({"status": "OK", "adjusted": False})
    server.faults.extend([None, page])
    assert len(list(own_client(server).list_aggs("AAPL", 1, "minute", START, END))) == 10
    server.faults.extend([None, page])
    assert "does not count" in refused(source).reason


def test_pages_in_a_circle_are_a_failure(server: PolygonServer, source: PolygonSource) -> None:
    server.bars["AAPL", "minute"] = minutes(3)
    here = "/v2/aggs/ticker/AAPL/range/1/minute/1719806400000/1720065599999?adjusted=false"
    server.changes = [{"next_url": f"https://elsewhere.invalid{here}"}] * 5
    assert "there before" in refused(source).reason


@pytest.mark.parametrize(
    "fault",
    [
        Answer(500, "<html>down</html>"),
        Answer(503),
        Answer(200, "<html>maintenance</html>"),
        Answer(200, '{"status": "OK", "results": [', missing=500),
        Answer(200, '{"status": "OK", "results": ['),
        Answer(200, '{"status": "OK", "count": NaN}'),
        Answer(408),
    ],
)
def test_a_passing_fault_is_tried_again_and_a_lasting_one_is_transient(
    server: PolygonServer, source: PolygonSource, fault: Answer
) -> None:
    server.bars["AAPL", "minute"] = minutes(25)
    server.page_size = 10
    server.faults.extend([None, fault])
    assert len(fetched(source).bars) == 25
    assert len(server.requests) == 4  # the page again, not the pages before
    server.faults.extend([fault] * 10)
    error = refused(source)
    assert error.transient
    assert "<html>" not in error.reason


def test_a_rate_limit_holds_all_threads_back_for_as_long_as_it_says(server: PolygonServer) -> None:
    server.bars["AAPL", "minute"] = minutes(3)
    pacer, time = paced(1_000)
    source, other = source_of(server.url, pacer=pacer), source_of(server.url, pacer=pacer)
    server.faults.append(too_many_requests("7"))
    begun = time.now
    assert len(fetched(source).bars) == 3
    assert time.now - begun >= 7
    server.faults.extend([too_many_requests("9")] * 10)
    assert refused(source).retry_after == 9
    server.faults.clear()
    limited = time.now
    fetched(other)
    assert time.now - limited == pytest.approx(9)


def test_a_wait_that_is_too_long_is_not_waited_for(server: PolygonServer) -> None:
    pacer, time = paced(1_000)
    server.faults.append(too_many_requests("3600"))
    error = refused(source_of(server.url, pacer=pacer))
    assert (error.transient, error.retry_after) == (True, 3_600)
    assert len(server.requests) == 1
    assert sum(time.slept) < 60


def test_sources_with_the_same_key_share_their_turns(server: PolygonServer) -> None:
    def pacer_of(key: str) -> object:
        return PolygonSource(SecretStr(key), base_url=server.url)._client._pacer

    assert pacer_of("a") is pacer_of("a")
    assert pacer_of("a") is not pacer_of("b")


def test_a_server_that_hangs_is_given_up(server: PolygonServer) -> None:
    server.gate.clear()
    error = refused(source_of(server.url, read=0.1))
    assert error.transient
    assert "cannot be reached (ReadTimeout)" in error.reason


def test_an_answer_without_an_end_is_given_up() -> None:
    with dripping_server() as url:
        error = refused(source_of(url, answer=0.1))
    assert error.transient
    assert "cannot be reached (ReadTimeout)" in error.reason


def test_a_network_that_is_down_is_transient() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = refused(source_of(f"http://127.0.0.1:{unused.getsockname()[1]}"))
    assert error.transient


def test_a_redirect_takes_the_key_nowhere(server: PolygonServer, source: PolygonSource) -> None:
    elsewhere = PolygonServer()
    with elsewhere.running():
        server.faults.append(Answer(302, headers={"Location": f"{elsewhere.url}/v2"}))
        error = refused(source)
    assert not error.transient
    assert elsewhere.requests == []


@pytest.mark.parametrize("key", [None, "", "two words", "line\nbreak", "schlüssel"])
def test_a_missing_or_malformed_key_is_refused_in_one_sentence(key: str | None) -> None:
    with pytest.raises(ParameterError) as raised:
        PolygonSource(None if key is None else SecretStr(key))
    message = str(raised.value)
    assert message.startswith("polygon_api_key=")
    assert "TRADING_POLYGON_API_KEY" in message
    assert "\n" not in message
    assert not key or key not in message


def test_a_wrong_key_is_told_in_one_sentence_without_the_key(server: PolygonServer) -> None:
    source = source_of(server.url, "wrong-key-4711")
    with pytest.raises(AccessError) as raised:
        source.check_access()
    assert str(raised.value) == (
        "polygon_api_key: Polygon refuses the key (HTTP 401: Unknown API Key); correct the key"
    )
    assert isinstance(pickle.loads(pickle.dumps(raised.value)), AccessError)  # noqa: S301 - ours
    assert len(server.requests) == 1


def test_a_right_key_has_access(server: PolygonServer, source: PolygonSource) -> None:
    server.tables["/v3/reference/tickers"] = [{"ticker": "AAPL"}]
    source.check_access()


def test_what_the_plan_does_not_hold_is_not_the_keys_fault(
    server: PolygonServer, source: PolygonSource
) -> None:
    words = f"You are not entitled to this data with {KEY}."
    server.faults.append(json_answer({"status": "NOT_AUTHORIZED", "message": words}, 403))
    error = refused(source)
    assert not isinstance(error, AccessError)
    assert not error.transient
    assert "not entitled" in error.reason
    assert KEY not in error.reason


@pytest.mark.parametrize(
    "fault", [Answer(500), Answer(401, "{}"), Answer(200, "{"), Answer(200, "", missing=9)]
)
def test_the_key_is_in_no_error_traceback_or_log(
    server: PolygonServer, caplog: pytest.LogCaptureFixture, fault: Answer
) -> None:
    caplog.set_level(logging.DEBUG)
    server.faults.extend([fault] * 10)
    error = refused(source_of(server.url))
    assert KEY not in "".join(traceback.format_exception(error))
    assert KEY not in caplog.text
    assert KEY not in repr(pickle.dumps(error))
