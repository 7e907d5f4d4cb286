"""Whether the live bars are silver's, each once, and the signals gold's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from benchmarks.week.plan import Plan
from database.connection import Database
from database.live.bars import live_bars
from database.live.signals import stored_signals
from lake.reading import read
from live.bus.port import BEGINNING, Bus
from live.bus.redis_streams.bus import RedisBus
from live.bus.redis_streams.names import stream_name
from trading.bars.intervals import MINUTE_INTERVALS
from trading.bars.model import VALUES
from trading.events import BarClosed, SignalMade, Stream


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    Attributes:
        what: What was looked at.
        count: How many there were.
        violations: What was wrong with them, a sentence each.
        remark: What else there is to know.
    """

    what: str
    count: int
    violations: list[str]
    remark: str = ""


def check_bars(plan: Plan, database: Database) -> Checked:
    """Live bars of all intervals against silver of the same sessions, to the bit."""
    start, end = _stretch(plan)
    wrong, count = [], 0
    for interval in MINUTE_INTERVALS:
        for symbol in plan.symbols:
            silver = read(
                "silver", symbol, interval.value, plan.first, plan.last, lake_dir=plan.lake
            )
            wanted = _silver_rows(silver)
            found = [_row(bar) for bar in live_bars(database, interval.value, start, end, [symbol])]
            count += len(found)
            wrong += _differences(f"{symbol} {interval.value}", wanted, found)
    return Checked("bars = silver", count, wrong)


def check_signals(plan: Plan, database: Database) -> Checked:
    """Signals on live bars against gold of the same sessions."""
    start, end = _stretch(plan)
    wrong, count = [], 0
    for interval in plan.intervals:
        for symbol in plan.symbols:
            gold = read(
                "gold", symbol, interval, plan.first, plan.last,
                strategy=plan.strategy, lake_dir=plan.lake,
            )  # fmt: skip
            wanted = list(
                zip(_starts(gold), gold["signal"].to_pylist(), gold["close"].to_pylist(),
                    strict=True)
            )  # fmt: skip
            said = stored_signals(
                database, start, end, symbol=symbol, strategy=plan.strategy, interval=interval
            )
            found = [(signal.ts, signal.signal, signal.close) for signal in said]
            count += len(found)
            wrong += _differences(f"{symbol} {interval}", wanted, found)
    return Checked("signals = gold", count, wrong)


def check_bus(plan: Plan, bus: RedisBus, database: Database) -> Checked:
    """What the bus carried: nothing twice under two names, nothing that the database lacks."""
    start, end = _stretch(plan)
    bars = [event for event in events(bus, Stream.BARS) if isinstance(event, BarClosed)]
    signals = [event for event in events(bus, Stream.SIGNALS) if isinstance(event, SignalMade)]
    carried: list[BarClosed | SignalMade] = [*bars, *signals]
    contents: dict[str, object] = {}
    wrong = [
        f"{event.identity} was published with two contents"
        for event in carried
        if contents.setdefault(event.identity, event) != event
    ]
    stored = {
        bar.identity
        for interval in MINUTE_INTERVALS
        for bar in live_bars(database, interval.value, start, end)
    }
    told = {bar.identity for bar in bars}
    wrong += [f"bar {name} was stored and never published" for name in sorted(stored - told)[:3]]
    kept = {signal.identity for signal in stored_signals(database, start, end)}
    said = {signal.identity for signal in signals}
    wrong += [f"signal {name} was stored, not published" for name in sorted(kept - said)[:3]]
    again = len(carried) - len(contents)
    wrong += _members(bus)
    letters = bus.dead_letters()
    wrong += [f"dead letter: {letter.reason}" for letter in letters]
    return Checked("events", len(carried), wrong, f"{again:,} came again")


def _members(bus: RedisBus) -> list[str]:
    """Groups that remember more members than the process and the one that made the group."""
    client = bus._connection.client  # noqa: SLF001 - no process needs to ask for this
    return [
        f"{group['name'].decode()} of {stream} remembers {group['consumers']} members"
        for stream in (Stream.BARS, Stream.SIGNALS)
        for group in client.xinfo_groups(stream_name(stream))
        if group["consumers"] > 2
    ]


def events(bus: Bus, stream: Stream) -> Iterator[object]:
    """All that a stream has."""
    tail = bus.tail(stream, BEGINNING)
    while found := tail.fetch(10_000, 0).events:
        yield from found


def _stretch(plan: Plan) -> tuple[datetime, datetime]:
    start = datetime(plan.first.year, plan.first.month, plan.first.day, tzinfo=UTC)
    end = datetime(plan.last.year, plan.last.month, plan.last.day, tzinfo=UTC)
    return start, end + timedelta(days=1)


def _row(bar: BarClosed) -> tuple[object, ...]:
    return (bar.ts, *(getattr(bar, name) for name in VALUES))


def _silver_rows(table: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(_starts(table), *(table[name].to_pylist() for name in VALUES), strict=True))


def _starts(table: pa.Table) -> list[int]:
    starts: list[int] = (
        table["timestamp"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_pylist()
    )
    return starts


def _differences(
    name: str, wanted: Sequence[tuple[object, ...]], found: Sequence[tuple[object, ...]]
) -> list[str]:
    if wanted == found:
        return []
    lacks, extra = set(wanted) - set(found), set(found) - set(wanted)
    some = min(lacks | extra, key=lambda row: int(str(row[0])), default=())
    return [f"{name} lacks {len(lacks)} and has {len(extra)} others of {len(wanted)}: {some}"]
