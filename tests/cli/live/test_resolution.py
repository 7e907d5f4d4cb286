"""What is run where the user left it open."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from cli.commands.live.all_in_one import resolution
from cli.commands.live.all_in_one.resolution import check_account_is_free, resolved
from cli.commands.live.services.tick_sources import (
    claim_kind,
    claimed_kind,
    last_session,
    tick_source,
)
from database.connection import Database, open_database
from database.live.bars import save_live_bars
from database.live.subscriptions import subscribe, subscriptions
from database.orders.accounts import only_executor
from flows.boundary.settings import Settings
from lake.grain import Grain
from live.bus.port import Bus
from live.stream.replay import AFTER_CLOSE
from live.stream.source import time_tick
from servers.errors import USAGE, CommandError
from tests.cli.in_process import run
from tests.cli.live.given import options
from tests.lake.bronze_files import write_bronze, write_minutes
from trading.bars.folding.session import MINUTE
from trading.bars.synthetic_minutes import synthetic_minutes
from trading.errors import ParameterError
from trading.events import CLOCK, BarClosed, Stream
from trading.instruments.calendar import sessions

FIRST, LAST = date(2024, 7, 2), date(2024, 7, 3)


def told(bus: Bus, day: date, after: int = AFTER_CLOSE) -> None:
    """The bus was told the time up to the end of a day."""
    close = int(sessions(day, day).closes[0].astype(np.int64))
    bus.publish(Stream.TICKS, CLOCK, time_tick(close + after))


def test_without_a_lake_prices_are_made_up(tmp_path: Path, database: Database, bus: Bus) -> None:
    found, symbols = resolved(options(None, tmp_path), Settings(), database, bus)
    assert found.stream.source == "synthetic"
    assert "AAPL" in symbols


def test_minutes_of_the_lake_are_told_again_from_the_first_source_on(
    tmp_path: Path, database: Database, bus: Bus
) -> None:
    lake = tmp_path / "lake"
    write_minutes(lake, "MSFT", FIRST, LAST)
    write_bronze(lake, synthetic_minutes("IBM", FIRST, FIRST), "1m", Grain.SESSION, "alpaca")
    found, symbols = resolved(options(None, tmp_path), Settings(), database, bus)
    assert (found.stream.source, found.stream.bronze_source) == ("replay", "synthetic")
    assert symbols == ["MSFT"]
    assert (found.stream.first, found.stream.last) == (FIRST.isoformat(), LAST.isoformat())


def test_the_source_stays_what_it_was_when_the_lake_gets_minutes(
    tmp_path: Path, database: Database, bus: Bus
) -> None:
    resolved(options(None, tmp_path), Settings(), database, bus)
    write_minutes(tmp_path / "lake", "MSFT", FIRST, LAST)
    found, _ = resolved(options(None, tmp_path), Settings(), database, bus)
    assert found.stream.source == "synthetic"
    with pytest.raises(CommandError, match="would mix its prices with those of synthetic") as no:
        resolved(options("replay", tmp_path), Settings(), database, bus)
    assert no.value.exit_code == USAGE


def test_prices_of_another_kind_are_refused_first_and_change_no_subscription(
    tmp_path: Path, database: Database, bus: Bus
) -> None:
    claim_kind(database, "synthetic")
    subscribe(database, ["NVDA"])
    write_minutes(tmp_path / "lake", "MSFT", FIRST, LAST)
    told(bus, LAST)
    asked = options("replay", tmp_path, symbols="MSFT")
    with pytest.raises(CommandError, match="would mix its prices with those of synthetic"):
        resolved(asked, Settings(), database, bus)
    with pytest.raises(CommandError, match="would mix its prices with those of synthetic"):
        tick_source(asked.stream, Settings(), bus, database)
    assert subscriptions(database) == {"NVDA"}


def test_made_up_prices_never_follow_those_of_a_vendor(
    tmp_path: Path, database: Database, bus: Bus
) -> None:
    claim_kind(database, "alpaca")
    claim_kind(database, "polygon")
    with pytest.raises(CommandError, match="have prices of a vendor; name it"):
        resolved(options(None, tmp_path), Settings(), database, bus)


def test_a_replay_of_nothing_is_refused_and_claims_nothing(
    tmp_path: Path, database: Database, bus: Bus
) -> None:
    with pytest.raises(CommandError, match="has no minutes to replay; fill it with trading lake"):
        resolved(options("replay", tmp_path), Settings(), database, bus)
    claim_kind(database, "synthetic")


def test_a_replay_that_is_over_is_refused(tmp_path: Path, database: Database, bus: Bus) -> None:
    write_minutes(tmp_path / "lake", "MSFT", FIRST, LAST)
    told(bus, FIRST)
    resolved(options("replay", tmp_path), Settings(), database, bus)
    # Killed here its last bars are still open.
    told(bus, LAST, after=0)
    resolved(options("replay", tmp_path), Settings(), database, bus)
    told(bus, LAST)
    with pytest.raises(CommandError, match="All up to 2024-07-03 was replayed before"):
        resolved(options("replay", tmp_path), Settings(), database, bus)


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        ({"symbols": "NOSUCH"}, "symbols='NOSUCH' is not a symbol of which synthetic has minutes"),
        ({"first": "2024-07-03", "last": "2024-07-02"}, "to='2024-07-02' is not at or after from="),
        ({"first": "2040-01-05"}, "from='2040-01-05' is not a day with minutes in "),
    ],
)
def test_a_replay_of_what_the_lake_lacks_is_refused_and_claims_nothing(
    tmp_path: Path, database: Database, bus: Bus, stream: dict[str, str], said: str
) -> None:
    write_minutes(tmp_path / "lake", "MSFT", FIRST, LAST)
    with pytest.raises(ParameterError) as refused:
        resolved(options("replay", tmp_path, **stream), Settings(), database, bus)
    assert str(refused.value).startswith(said)
    assert claimed_kind(database) is None
    assert subscriptions(database) == frozenset()


@pytest.mark.parametrize("source", ["synthetic", "replay"])
def test_prices_go_on_after_the_restored_bars_where_the_bus_is_empty(
    tmp_path: Path, database: Database, bus: Bus, source: str
) -> None:
    day = last_session() if source == "synthetic" else LAST
    write_minutes(tmp_path / "lake", "MSFT", FIRST, LAST)
    minute = int(sessions(day, day).opens[0].astype(np.int64)) + 60 * MINUTE
    end = minute + MINUTE
    save_live_bars(database, [BarClosed("MSFT", "1m", minute, 1.0, 1.0, 1.0, 1.0, 1.0, end)])
    asked, _ = resolved(options(source, tmp_path, symbols="MSFT"), Settings(), database, bus)
    found = tick_source(replace(asked.stream, speed=0), Settings(), bus, database)
    told = [tick for _ in range(5) for tick in found.take(0)]
    assert end <= told[0].ts <= end + MINUTE
    assert all(tick.ts >= end for tick in told)


@pytest.mark.usefixtures("named_database")
@pytest.mark.parametrize("source", [None, "synthetic"])
def test_a_second_command_is_refused_before_it_changes_anything(
    tmp_path: Path,
    database: Database,
    bus_url: str,
    monkeypatch: pytest.MonkeyPatch,
    source: str | None,
) -> None:
    claim_kind(database, "synthetic")
    subscribe(database, ["NVDA"])
    monkeypatch.setattr(resolution, "LIVE_SECONDS", 0.0)
    monkeypatch.setenv("TRADING_BUS_URL", bus_url)
    words = ["--symbols", "MSFT", "--minutes", "0.01", "--port", "0", "--no-prefect"]
    named = [] if source is None else ["--source", source]
    with only_executor(database, "paper-synthetic") as has_it:
        assert has_it
        done = run("live", *words, *named, "--server-dir", str(tmp_path / "s"))
    assert done.exit_code == USAGE, done.output
    assert done.stderr == (
        "Another executor trades in paper-synthetic; stop it, or use another --server-dir, or "
        "another database and bus.\n"
    )
    assert subscriptions(database) == {"NVDA"}
    assert not (tmp_path / "s" / "logs").exists()


@pytest.mark.parametrize(
    ("source", "held"), [(None, "paper"), ("synthetic", "paper"), ("alpaca", "paper-synthetic")]
)
def test_an_executor_of_another_account_is_in_nobodys_way(
    database: Database, database_url: str, source: str | None, held: str
) -> None:
    # Its own connection would be given the lock once more.
    with only_executor(database, held), open_database(database_url) as other:
        check_account_is_free(other, source)
