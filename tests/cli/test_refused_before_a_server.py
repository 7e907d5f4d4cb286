"""What can be known to be wrong is said before a server of any kind is started."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from cli.pipeline.sample_data import write_sample
from flows.boundary.settings import settings
from lake.market.inputs import VIX_FILE
from servers.errors import FAILED, USAGE
from tests.cli.in_process import run
from tests.lake.bronze.deliveries import Lake, deliver, minutes

DAYS_OFF = (
    "start='2024-12-25' is not the start of a range with a session that has begun "
    "(end=2024-12-25); pass e.g. start="
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with one session of minutes of AAPL."""
    made = Lake(tmp_path / "lake")
    made.ingest(deliver(tmp_path / "in", minutes()), made.request())
    return made


@pytest.fixture(autouse=True)
def _fresh_settings() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lake ingest --symbols AAPL --interval 3m", "interval='3m' is not an interval that synt"),
        ("lake ingest --symbols AAPL --source files --from {}", "source_dir='{}' is not a folder"),
        ("lake ingest --symbols AAPL --from {}", "source_dir='{}' is not a folder"),
        ("lake ingest --symbols AAPL --timezone UTC", "timezone='UTC' is not of use to the source"),
        ("lake ingest --symbols AAPL --source synthetic,synthetic", "sources=['synthetic', 'synt"),
        ("lake ingest --symbols AAPL --start 2024-12-25 --end 2024-12-25", f"{DAYS_OFF}2024-12-24"),
        (
            "lake ingest --symbols AAPL --start 2024-01-06 --end 2024-01-07",
            "e.g. start=2024-01-05.",
        ),
        ("lake ingest --symbols AAPL --end 2024-12-25", "end='2024-12-25' is not a day whose sess"),
        (
            "lake ingest --symbols AAPL --start 2100-01-04 --end 2100-01-08",
            "start='2100-01-04' is ",
        ),
        (
            "lake ingest --symbols AAPL --start 1600-01-01",
            "start='1600-01-01' is not a day from 16",
        ),
        ("lake redo bronze --symbols NOSUCH", "symbols='NOSUCH' is not a symbol of the lake"),
        ("lake build --lake-dir {}", "lake_dir='{}' is not a lake that is there"),
        ("lake demo", "has bars of AAPL from files"),
        ("backtest vegas_channel --lake-dir {}", "lake_dir='{}' is not a lake that is there"),
        ("backtest vegas_channel --symbols NOSUCH", "symbols='NOSUCH' is not a symbol"),
        ("demo --input-dir {}", "input_dir='{}' holds no market data"),
        ("demo --make-sample --output-dir /dev/null/x", "/dev/null/x"),
        ("redo --input-dir {}", "{}"),
    ],
)
def test_nothing_is_started_for_what_is_refused(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, said: str
) -> None:
    monkeypatch.setenv("TRADING_LAKE_DIR", str(lake.folder))
    monkeypatch.setenv("TRADING_INPUT_DIR", str(tmp_path / "input"))
    nowhere, server = tmp_path / "nowhere", tmp_path / "server"
    words = line.format(nowhere).split()
    done = run(*words, "--server-dir", str(server), "--port", "0")
    assert done.exit_code in (FAILED, USAGE), done.output
    assert said.format(nowhere) in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not server.exists()
    assert not nowhere.exists()


def test_a_sample_is_not_made_beside_data_of_the_users_own(tmp_path: Path) -> None:
    market, server = tmp_path / "input", tmp_path / "server"
    write_sample(str(market), 2, date(2024, 1, 2), date(2024, 1, 2), seed=1)
    (market / VIX_FILE).unlink()
    words = ["--input-dir", str(market), "--make-sample", "--server-dir", str(server)]
    done = run("demo", *words, "--port", "0")
    assert done.exit_code == USAGE
    assert f"holds no {VIX_FILE}; add it, or pass --input-dir with an empty" in done.stderr
    assert not server.exists()


@pytest.mark.parametrize(
    ("words", "bus", "said"),
    [
        ("api --port 0", "mqtt://me:p4ss@broker:1883", "TRADING_BUS_URL='...' is not redis://"),
        ("api --port 0 --lake-dir {}", None, "lake_dir='{}' is not a lake that is there"),
        ("live --port 0", "mqtt://me:p4ss@broker", "TRADING_BUS_URL='...' is not redis://"),
        ("live stream", "kafka://me:p4ss@broker:port", "TRADING_BUS_URL='...' is not redis://"),
        ("live windows", "kafka://broker:99999", "TRADING_BUS_URL='...' is not redis://"),
        ("live signals", "redis://me:p4ss@host:port", "TRADING_BUS_URL='...' is not redis://"),
        ("live executor --symbols AAPL", "nonsense", "TRADING_BUS_URL='...' is not redis://"),
    ],
)
def test_nothing_of_the_live_side_is_started_for_what_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str, bus: str | None, said: str
) -> None:
    if bus is not None:
        monkeypatch.setenv("TRADING_BUS_URL", bus)
    nowhere, server = tmp_path / "nowhere", tmp_path / "server"
    done = run(*words.format(nowhere).split(), "--server-dir", str(server))
    assert done.exit_code == USAGE, done.output
    assert said.format(nowhere) in done.stderr
    assert "p4ss" not in done.stderr
    assert not server.exists()
