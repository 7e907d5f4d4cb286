"""Renames, reused symbols and delistings as a vendor's list tells of them, day by day."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.market_data.rest.polygon import PolygonSource
from cli.app import app
from lake.bronze.dataset import BronzeDataset
from lake.reference.refresh import refresh_instruments
from lake.reference.tables import read_history, read_instruments
from tests.adapters.polygon.conftest import source_of
from tests.adapters.polygon_server import PolygonServer
from tests.lake.bronze.deliveries import Lake
from trading.bars.intervals import Interval

MONDAY, TUESDAY, WEDNESDAY = date(2024, 6, 3), date(2024, 6, 4), date(2024, 6, 5)
SYMBOLS = ("FB", "META", "OLD")


@pytest.fixture
def server() -> Iterator[PolygonServer]:
    running = PolygonServer()
    with running.running():
        yield running


@pytest.fixture
def source(server: PolygonServer) -> PolygonSource:
    return source_of(server.url)


def listed(symbol: str, figi: str, delisted: str | None = None) -> dict[str, Any]:
    row = {"ticker": symbol, "type": "CS", "market": "stocks", "composite_figi": figi,
           "active": delisted is None}  # fmt: skip
    return row | ({"delisted_utc": f"{delisted}T00:00:00Z"} if delisted else {})


def wanted(lake: Lake, symbol: str) -> list[str]:
    """The days of the week on which bars of a symbol are expected."""
    request = lake.request(
        "polygon", Interval.MINUTE, first=MONDAY, last=date(2024, 6, 7), symbols=(symbol,)
    )
    days = BronzeDataset(None).sessions(request, symbol).dates
    return [str(day) for day in days]


def test_each_symbol_is_expected_while_it_is_listed(
    tmp_path: Path, server: PolygonServer, source: PolygonSource
) -> None:
    lake = Lake(tmp_path / "lake")
    table = server.tables["/v3/reference/tickers"]
    table += [listed("FB", "F"), listed("META", "R"), listed("OLD", "O")]
    first = refresh_instruments(lake.directory, source, SYMBOLS, MONDAY)
    assert first.added == SYMBOLS

    # On Tuesday the fund gives up META, and Facebook takes it; OLD is not listed any more.
    table[:] = [listed("META", "F"), listed("METV", "R")]
    second = refresh_instruments(lake.directory, source, SYMBOLS, TUESDAY)
    assert (sorted(second.renamed), second.delisted) == (
        [("FB", "META"), ("META", "METV")], ("OLD",),
    )  # fmt: skip
    history = read_history(lake.directory)
    days = (MONDAY, TUESDAY)
    assert [history.instrument("META", day) for day in days] == ["R", "F"]
    assert [history.symbol("F", day) for day in days] == ["FB", "META"]
    assert wanted(lake, "FB") == ["2024-06-03"]
    assert wanted(lake, "META") == [f"2024-06-0{day}" for day in range(3, 8)]
    assert wanted(lake, "METV") == [f"2024-06-0{day}" for day in range(4, 8)]
    assert wanted(lake, "OLD") == ["2024-06-03", "2024-06-04"]

    # On Wednesday another company takes OLD.
    table.append(listed("OLD", "N"))
    third = refresh_instruments(lake.directory, source, ["META", "METV", "OLD"], WEDNESDAY)
    assert (third.added, third.renamed) == (("OLD",), ())
    assert wanted(lake, "OLD") == [f"2024-06-0{day}" for day in range(3, 8)]
    before = read_instruments(lake.directory)
    refresh_instruments(lake.directory, source, ["META", "METV", "OLD"], WEDNESDAY)
    assert read_instruments(lake.directory) == before


def test_the_command_tells_what_has_changed_and_writes_nothing_when_told_so(
    tmp_path: Path,
) -> None:
    lake = Lake(tmp_path / "lake")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    words = ["lake", "symbols", "--source", "synthetic", "--lake-dir", str(lake.folder)]

    def told(*more: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, [*words, "--json", *more])
        assert done.exit_code == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    assert told("--symbols", "AAPL,MSFT", "--dry-run")["added"] == ["AAPL", "MSFT"]
    assert read_instruments(lake.directory) == ()
    assert told("--symbols", "AAPL,MSFT")["added"] == ["AAPL", "MSFT"]
    text = CliRunner().invoke(app, [*words, "--symbols", "AAPL,NVDA", "--dry-run"]).stdout
    assert "3 instruments, as synthetic has them.\nNVDA is new.\nNothing was written." in text
    for number, handler in handlers.items():
        signal.signal(number, handler)
