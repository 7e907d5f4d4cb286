"""A database without room: said in one sentence, nothing lost or doubled, and on by itself.

The server itself refuses every row with the error of a full disk, as triggers tell it to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from cli.commands.live.all_in_one.supervisor import Supervised
from database.alerts.log import unpublished_events
from database.alerts.rules import put_rule
from database.connection import Database, open_database
from database.errors import DatabaseError
from database.live.consumers import ConsumerState, load_state, save_state
from live.bus.port import BEGINNING
from live.bus.redis_streams.bus import RedisBus
from servers.valkey import ValkeyServer
from tests.live.day import DAY, SYMBOLS
from tests.live.processes import Told, told
from tests.live.test_full_disk import Begin, begin, own_bus  # noqa: F401 - fixtures
from tests.live.test_rewound_bus import Day
from tests.waiting import wait_until
from trading.alerts.rules import alert_rule
from trading.events import AlertChanged, Event, OrderChanged, Stream

STRATEGY = "macd_cross"
FULL = "its disk is full; give it room"

_FILL = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
END $$;
DO $$ DECLARE known regclass; BEGIN
    FOR known IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
        AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON %s
            FOR EACH STATEMENT EXECUTE FUNCTION no_room()', known);
    END LOOP;
END $$
"""


@contextmanager
def no_room(url: str) -> Iterator[None]:
    """Let a database take no row."""
    with open_database(url) as opened:
        opened.rows.execute(_FILL)
    try:
        yield
    finally:
        with open_database(url) as opened:
            opened.rows.execute("DROP FUNCTION no_room CASCADE")


def test_it_is_one_sentence_and_what_was_there_stays(database: Database, database_url: str) -> None:
    save_state(database, "windows", ConsumerState("1-1", b"before"))
    with (
        no_room(database_url),
        pytest.raises(DatabaseError, match=f"takes no more, {FULL}") as said,
    ):
        save_state(database, "windows", ConsumerState("2-1", b"after"))
    assert "\n" not in str(said.value)
    assert load_state(database, "windows") == ConsumerState("1-1", b"before")
    save_state(database, "windows", ConsumerState("2-1", b"after"))
    assert load_state(database, "windows") == ConsumerState("2-1", b"after")


@pytest.fixture
def undisturbed(bus_url: str, other_database_url: str, lakes: tuple[Path, Path]) -> Told:
    """What stream, windows and signals say of the day with room."""
    with open_database(other_database_url) as other:
        day = Day(bus_url, other, lakes, STRATEGY)
        day.finish()
        day.close()
    return told(other_database_url, bus_url, DAY)


@pytest.mark.slow
def test_bars_whose_signals_found_no_room_come_again(
    own_bus: ValkeyServer, database: Database, lakes: tuple[Path, Path],  # noqa: F811
    undisturbed: Told,
) -> None:  # fmt: skip
    before = Day(own_bus.url, database, lakes, STRATEGY)
    for _ in range(40):
        before.stream.step(0)
        before.windows.step(0)
    before.windows.save()
    with no_room(database.url), pytest.raises(DatabaseError, match=FULL):
        before.signals.step(5)
    before.close()
    after = Day(own_bus.url, database, lakes, STRATEGY)
    after.finish()
    after.close()
    assert told(database.url, own_bus.url, DAY) == undisturbed


@pytest.mark.slow
def test_a_session_comes_out_whole_although_the_database_is_full_for_a_while(
    begin: Begin, own_bus: ValkeyServer, database: Database, lakes: tuple[Path, Path],  # noqa: F811
    undisturbed: Told,
) -> None:  # fmt: skip
    followed = ("--strategy", STRATEGY, "--interval", "5m")
    rule = {"name": "crossing", "kind": "signal", "strategy": STRATEGY, "interval": "5m"}
    put_rule(database, alert_rule(rule), "api", "k")
    names = ",".join(SYMBOLS)
    processes = [
        begin("windows"),
        begin("signals", *followed, "--lake-dir", str(lakes[0])),
        begin("executor", "--symbols", names, *followed, "--clock", "events"),
        begin("alerts", "--clock", "events"),
    ]  # fmt: skip
    wait_until(lambda: groups(own_bus) == {"signals", "alerts", "executor-paper"}, "all read")
    stream = begin(
        "stream", "--source", "replay", "--symbols", names, "--from", str(DAY),
        "--lake-dir", str(lakes[1]), "--speed", "600",
    )  # fmt: skip
    processes.append(stream)
    wait_until(lambda: looked(processes) and signals(database) > 10, "signals are made", 60)
    with no_room(database.url):
        before = signals(database)
        wait_until(
            lambda: looked(processes) and all(FULL in one.log.read_text() for one in processes),
            "each has said that there is no room", 60,
        )  # fmt: skip
        assert signals(database) == before
    # What ends by itself is begun again with growing pauses.
    wait_until(lambda: looked(processes) and stream.ended, "the day is told again", 120)
    wait_until(lambda: looked(processes) and is_over(own_bus, undisturbed), "all is read", 60)
    assert told(database.url, own_bus.url, DAY) == undisturbed
    wait_until(lambda: looked(processes) and not untold(database), "all is told", 30)
    with RedisBus(own_bus.url) as bus:
        orders = {e.identity for e in everything(bus, Stream.ORDERS) if isinstance(e, OrderChanged)}
        alerts = {e.identity for e in everything(bus, Stream.ALERTS) if isinstance(e, AlertChanged)}
    assert len(orders) == count(database, "SELECT count(*) FROM order_event") > 0
    fired = count(database, "SELECT count(*) FROM alert_event WHERE kind = 'firing'")
    decided = [one for one in undisturbed.signals if one.signal != "hold"]
    assert len(decided) == fired > 0
    assert len(alerts) == count(database, "SELECT count(*) FROM alert_event")


def groups(server: ValkeyServer) -> set[str]:
    client = redis.Redis.from_url(server.url, protocol=2)
    try:
        found = [client.xinfo_groups(f"trading:{stream}") for stream in ("bars", "signals")]
    except redis.ResponseError:  # nobody reads it yet
        return set()
    finally:
        client.close()
    return {one["name"].decode() for of_stream in found for one in of_stream}


def is_over(server: ValkeyServer, whole: Told) -> bool:
    """Whether the day's bars and signals are there, and everybody has read them."""
    with RedisBus(server.url) as bus:
        if {e.identity for e in everything(bus, Stream.SIGNALS)} != {
            e.identity for e in whole.signals
        }:
            return False
    client = redis.Redis.from_url(server.url, protocol=2)
    found = [one for name in ("bars", "signals") for one in client.xinfo_groups(f"trading:{name}")]
    client.close()
    return not any(one["lag"] or one["pending"] for one in found)


def everything(bus: RedisBus, stream: Stream) -> list[Event]:
    tail = bus.tail(stream, BEGINNING)
    found: list[Event] = []
    while events := tail.fetch(10_000, 0).events:
        found += events
    return found


def looked(processes: list[Supervised]) -> bool:
    """Begin again what has ended."""
    for one in processes:
        one.look()
    return True


def signals(database: Database) -> int:
    return count(database, "SELECT count(*) FROM signal")


def untold(database: Database) -> int:
    waiting_orders = count(database, "SELECT count(*) FROM order_event WHERE NOT is_published")
    return waiting_orders + len(unpublished_events(database))


def count(database: Database, statement: str) -> int:
    row = database.rows.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])
