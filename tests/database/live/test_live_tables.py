from __future__ import annotations

from datetime import UTC, datetime, timedelta

from database.connection import Database, open_database
from database.live.bars import live_bars, save_live_bars
from database.live.consumers import ConsumerState, hold_alone, load_state, save_state
from database.live.heartbeats import beat, heartbeats
from database.live.signals import save_signals, stored_signals
from tests.waiting import wait_until
from trading.events import BarClosed, SignalMade
from trading.instruments.clock import nanoseconds_of

START = datetime(2024, 7, 3, 13, 30, tzinfo=UTC)
END = START + timedelta(hours=1)


def bar(revision: int, close: float, minute: int = 0) -> BarClosed:
    ts = nanoseconds_of(START) + minute * 60 * 10**9
    return BarClosed(
        "A", "1m", ts, 1.0, 9.0, 0.5, close, 10.0, ts + 60 * 10**9, None, None, revision
    )


def signal(revision: int, name: str) -> SignalMade:
    ts = nanoseconds_of(START)
    return SignalMade(
        "vegas_channel", "abc", "A", "5m", ts, name, 2.5, ts + 1_000, None,  # type: ignore[arg-type]
        {"ema_8": 1.5, "rsi_14": None}, revision,
    )  # fmt: skip


def test_the_latest_revision_of_a_bar_stays_in_whatever_order_they_come(
    database: Database,
) -> None:
    assert save_live_bars(database, []) == 0
    assert save_live_bars(database, [bar(1, 3.0), bar(0, 2.0), bar(0, 5.0, minute=1)]) == 2
    assert save_live_bars(database, [bar(0, 2.0)]) == 0
    assert live_bars(database, "1m", START, END) == [bar(1, 3.0), bar(0, 5.0, minute=1)]
    assert live_bars(database, "1m", START, END, ["B"]) == []
    assert save_live_bars(database, [bar(2, 4.0)]) == 1
    assert live_bars(database, "1m", START, END, ["A"])[0] == bar(2, 4.0)


def test_the_signal_of_the_latest_revision_stays(database: Database) -> None:
    assert save_signals(database, [signal(0, "hold"), signal(1, "buy")]) == 1
    assert save_signals(database, [signal(0, "sell")]) == 0
    assert stored_signals(database, START, END) == [signal(1, "buy")]
    assert stored_signals(database, START, END, symbol="A", strategy="vegas_channel") != []
    assert stored_signals(database, START, END, interval="1m") == []


def test_a_state_is_of_its_consumer_and_shard(database: Database) -> None:
    assert load_state(database, "windows") is None
    save_state(database, "windows", ConsumerState("1-0", b"\x00one"))
    save_state(database, "windows", ConsumerState("2-0", b"\x00two"))
    save_state(database, "windows", ConsumerState("3-0", b"other"), shard="1")
    assert load_state(database, "windows") == ConsumerState("2-0", b"\x00two")
    assert load_state(database, "windows", "1") == ConsumerState("3-0", b"other")


def test_one_process_at_a_time_is_a_consumer(database: Database, database_url: str) -> None:
    with open_database(database_url) as first:
        assert hold_alone(first, "windows")
        assert not hold_alone(database, "windows")
        assert hold_alone(database, "signals")
    wait_until(lambda: hold_alone(database, "windows"), "the first one's connection is gone")


def test_a_process_says_that_it_lives(database: Database) -> None:
    beat(database, "windows", "here:1", started_at=START, state="starting", detail={})
    beat(database, "windows", "here:1", started_at=START, state="running", detail={"ticks": 7})
    (found,) = heartbeats(database)
    assert (found.state, found.detail, found.started_at) == ("running", {"ticks": 7}, START)
    assert 0 <= found.age_seconds < 3600
