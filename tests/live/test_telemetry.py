"""What live processes tell of themselves, and that nothing secret is among it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from live import telemetry as module
from live.logs import JsonFormatter, log_to, masked
from live.telemetry import Telemetry, served


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back afterwards."""
    logger = logging.getLogger()
    before, level = logger.handlers[:], logger.level
    yield logger
    for handler in logger.handlers:
        if handler not in before:
            handler.close()
    logger.handlers[:] = before
    logger.setLevel(level)


def test_it_answers_what_it_counted() -> None:
    telemetry = Telemetry("windows")
    telemetry.received("ticks", 7)
    telemetry.published("bars")
    telemetry.error("reconnect")
    telemetry.lag(0.2)
    with served(telemetry, 0) as port:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    found = {
        (sample.name, sample.labels.get("stream") or sample.labels.get("kind")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("service") == "windows" and "le" not in sample.labels
    }
    assert found["trading_events_received_total", "ticks"] == 7
    assert found["trading_events_published_total", "bars"] == 1
    assert found["trading_errors_total", "reconnect"] == 1
    assert found["trading_lag_seconds_count", None] == 1


def test_ready_and_live_follow_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry = Telemetry("stream")
    with served(telemetry, 0) as port:

        def status(path: str) -> int:
            return httpx.get(f"http://127.0.0.1:{port}/{path}").status_code

        assert (status("live"), status("ready")) == (200, 503)
        telemetry.turn()
        assert (status("live"), status("ready")) == (200, 200)
        telemetry.turn(ready=False)
        assert (status("live"), status("ready")) == (200, 503)
        telemetry.turn()
        monkeypatch.setattr(module, "HANGS_AFTER", -1.0)
        assert (status("live"), status("ready")) == (503, 503)
        assert status("else") == 404


def test_without_a_port_nothing_listens() -> None:
    with served(Telemetry("x"), None) as port:
        assert port is None


def test_a_line_is_an_object_with_what_the_record_was_given(
    tmp_path: Path, root: logging.Logger
) -> None:
    log_to(tmp_path, "executor")
    logging.getLogger("live").info("sent %s", "AAPL", extra={"order_id": "o-1", "api_key": "x"})
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("live").exception("it went wrong")
    first, second = (json.loads(line) for line in (tmp_path / "executor.log").open())
    assert (first["service"], first["message"], first["order_id"]) == (
        "executor", "sent AAPL", "o-1",
    )  # fmt: skip
    assert first["api_key"] == "***"
    assert "ZeroDivisionError" in second["error"]


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:hush@db:5432/x refused",
        "redis://:hush@127.0.0.1/0",
        "GET /v2/bars?apiKey=hush&limit=1",
        'headers={"Authorization": "Bearer hush"}',
        "APCA-API-SECRET-KEY: hush",
        "password=hush",
    ],
)
def test_secrets_are_masked(text: str) -> None:
    record = logging.makeLogRecord({"msg": text, "levelname": "INFO"})
    assert "hush" not in JsonFormatter("x").format(record)
    assert "***" in masked(text)
