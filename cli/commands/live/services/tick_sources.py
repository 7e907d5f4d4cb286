"""The source of ticks that a user names."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from cli.commands.live.options import ALPACA, DEFAULT_SYMBOLS, POLYGON, REPLAY, StreamOptions
from cli.settings import absolute
from database.connection import Database
from database.live.consumers import ConsumerState, load_state, save_state
from database.live.subscriptions import subscribe, subscriptions, unsubscribe
from live.bus.port import Bus
from live.stream.publishing import last_time_known, last_time_told
from live.stream.source import TickSource
from servers.errors import USAGE, CommandError
from trading.bars.synthetic import contract_names
from trading.errors import ParameterError
from trading.instruments.calendar import sessions
from trading.instruments.symbols import checked_symbol

_SYNTHETIC_DAYS = 30

_KIND = "kind of prices"
"""Its entry among the states of consumers."""

if TYPE_CHECKING:
    from flows.boundary.settings import Settings


def tick_source(
    options: StreamOptions, settings: Settings, bus: Bus, database: Database
) -> TickSource:
    """The source, which goes on after the last time that the bus was told.

    One of made-up or replayed prices goes on after the database's last live bar where the bus was
    told no time.

    Raises:
        CommandError, ParameterError: What was asked for makes no sense.
    """
    check_kind(database, str(options.source))
    symbols = asked_symbols(options, database)
    source = _source(options, settings, bus, database, symbols)
    claim_kind(database, str(options.source))
    return source


def _source(
    options: StreamOptions,
    settings: Settings,
    bus: Bus,
    database: Database,
    symbols: Collection[str],
) -> TickSource:
    if options.source in (ALPACA, POLYGON):
        from live.stream.vendor import vendor_ticks  # noqa: PLC0415 - of an extra

        return vendor_ticks(
            options.source, symbols, settings.keys,
            stale_seconds=settings.stale_seconds, after=last_time_told(bus),
        )  # fmt: skip
    known = last_time_known(bus, database)
    if options.source == REPLAY:
        return _replay(options, settings, symbols, known)
    from live.stream.synthetic import SyntheticTicks  # noqa: PLC0415 - of an extra

    begin = max(known, _first_open())
    return SyntheticTicks(symbols, options.rate, speed=options.speed, begin=begin)


def claim_kind(database: Database, source: str) -> None:
    """Keep the live tables to one kind of prices: made-up ones beside real ones would mislead.

    Raises:
        CommandError: They have another kind already.
    """
    kind = check_kind(database, source)
    if claimed_kind(database) is None:
        save_state(database, _KIND, ConsumerState(kind, b""))


def check_kind(database: Database, source: str) -> str:
    """The kind of a source's prices, which is that of the live tables or the first; claims nothing.

    Raises:
        CommandError: They have another kind already.
    """
    kind = "a vendor" if source in (ALPACA, POLYGON) else source
    known = claimed_kind(database)
    if known not in (None, kind):
        raise CommandError(
            f"--source {source} would mix its prices with those of {known} that the bus and the "
            "database have; use another --server-dir, or another database and bus, for it.",
            USAGE,
        )
    return kind


def claimed_kind(database: Database) -> str | None:
    """The kind of prices that the live tables have: `synthetic`, `replay` or `a vendor`."""
    known = load_state(database, _KIND)
    return None if known is None else known.offset


def asked_symbols(options: StreamOptions, database: Database) -> frozenset[str]:
    """Those named, which replace those of before; without a name those of before, or some."""
    before = subscriptions(database)
    if options.symbols is None and before:
        return before
    text = options.symbols or DEFAULT_SYMBOLS
    wanted = frozenset(symbols_named(text))
    unsubscribe(database, before - wanted)
    subscribe(database, wanted)
    return wanted


def symbols_named(text: str) -> list[str]:
    """The symbols that an option names, or so many made-up ones.

    Raises:
        CommandError, ParameterError: There are none, or a name is no symbol's.
    """
    if not text.isdecimal():
        return [checked_symbol(name.strip()) for name in text.split(",")]
    if int(text) == 0:
        raise CommandError("symbols=0 is no stream; ask for at least one symbol.", USAGE)
    return contract_names(int(text))


def _replay(
    options: StreamOptions, settings: Settings, symbols: Collection[str], told: int
) -> TickSource:
    from live.stream.replay import ReplayedMinutes  # noqa: PLC0415 - of an extra

    last = day_named("to", options.last) or day_named("from", options.first) or last_session()
    first = day_named("from", options.first) or last
    return ReplayedMinutes(
        symbols, first, last, lake_dir=absolute(options.lake_dir or settings.lake_dir, "lake_dir"),
        speed=options.speed, source=options.bronze_source, after=told,
    )  # fmt: skip


def day_named(name: str, text: str | None) -> date | None:
    """The date that an option names; None where it is left out.

    Raises:
        ParameterError: It is none.
    """
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ParameterError(name, text, "a date", "write it like 2024-01-02") from None


def last_session() -> date:
    """The New York date of the last session that is over."""
    today = datetime.now(UTC).date()
    near = sessions(today - timedelta(days=14), today)
    over = near.dates[near.closes < np.datetime64(datetime.now(UTC).replace(tzinfo=None))]
    day: date = over[-1].item()
    return day


def _first_open() -> int:
    """Where made-up time begins: some sessions back, so that there are some to tell."""
    last = last_session()
    within = sessions(last - timedelta(days=_SYNTHETIC_DAYS), last)
    return int(within.opens.astype(np.int64)[0])
