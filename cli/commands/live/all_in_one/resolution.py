"""What `trading live` runs where its user left it open: which source, symbols and days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from cli.commands.live.options import (
    REPLAY,
    SYNTHETIC,
    LiveOptions,
    StreamOptions,
    paper_account,
)
from cli.commands.live.services.account_lock import LIVE_SECONDS, alone
from cli.commands.live.services.tick_sources import (
    asked_symbols,
    check_kind,
    claim_kind,
    claimed_kind,
    day_named,
    last_session,
    symbols_named,
)
from cli.settings import absolute
from database.connection import Database
from database.live.subscriptions import subscriptions
from lake.bronze.contents import Series, keys_between, stored_series
from live.bus.port import Bus
from live.stream.publishing import last_time_told
from live.stream.replay import AFTER_CLOSE
from servers.errors import USAGE, CommandError
from storage.directory import open_directory
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.calendar import sessions

if TYPE_CHECKING:
    from flows.boundary.settings import Settings

MOST_SYMBOLS = 10
REPLAYED_DAYS = timedelta(days=30)
"""How far a replay reaches back from the last day that the lake has."""

_NEVER = date(1970, 1, 1)


def check_account_is_free(database: Database, source: str | None) -> None:
    """Refuse a second `trading live` of the same prices before it changes or starts anything.

    Args:
        database: Where the account's lock is.
        source: The source that was asked for; None for that of before.

    Raises:
        CommandError: An executor trades in the account.
    """
    kind = source or claimed_kind(database)
    if kind is None:
        return  # without prices there was no other one before
    next_step = "use another --server-dir, or another database and bus"
    with alone(database, paper_account(kind), LIVE_SECONDS, next_step):
        pass


def resolved(
    options: LiveOptions, settings: Settings, database: Database, bus: Bus
) -> tuple[LiveOptions, list[str]]:
    """The options with nothing about the stream left open, and the symbols.

    Without a source it is that of before or, the first time, a replay where the lake has minutes.

    Raises:
        CommandError, ParameterError: What is asked for makes no sense, or is over.
        StorageError: The lake cannot be listed.
    """
    stream = options.stream
    lake_dir = absolute(stream.lake_dir or settings.lake_dir, "lake_dir")
    if stream.source is None:
        known = claimed_kind(database)
        if known is None:
            known = REPLAY if _minutes(stream, settings, lake_dir) else SYNTHETIC
        if known not in (REPLAY, SYNTHETIC):
            raise CommandError(
                f"The bus and the database have prices of {known}; name it, e.g. --source alpaca, "
                "or use another --server-dir for made-up prices.",
                USAGE,
            )
        stream = replace(stream, source=known)
    check_kind(database, str(stream.source))
    if stream.source == REPLAY:
        stream = _replay(stream, settings, lake_dir, database)
        _check_not_over(stream, bus)
    claim_kind(database, str(stream.source))
    symbols = sorted(asked_symbols(stream, database))
    return replace(options, stream=stream), symbols


def _minutes(stream: StreamOptions, settings: Settings, lake_dir: str) -> list[Series]:
    """The lake's series of minutes of one source, the first that counts of those that it has."""
    found = [one for one in stored_series(lake_dir) if one.interval is Interval.MINUTE]
    known = {one.source for one in found}
    preferred = [source.value for source in settings.sources]
    order = [stream.bronze_source] if stream.bronze_source else [*preferred, *sorted(known)]
    first = next((source for source in order if source in known), None)
    return [one for one in found if one.source == first]


def _replay(
    stream: StreamOptions, settings: Settings, lake_dir: str, database: Database
) -> StreamOptions:
    """The replay with its source, symbols and days named, as far as the lake has some."""
    found = _minutes(stream, settings, lake_dir)
    if not found:
        raise CommandError(
            f"The lake {lake_dir} has no minutes to replay; fill it with trading lake ingest "
            "--interval 1m, or choose --source synthetic.",
            USAGE,
        )
    symbols = stream.symbols
    if symbols is None and not subscriptions(database):
        symbols = ",".join(one.symbol for one in found[:MOST_SYMBOLS])
    stream = replace(stream, bronze_source=found[0].source, symbols=symbols)
    if stream.first is None and stream.last is None:
        wanted = set((symbols or "").split(",")) or subscriptions(database)
        series = next((one for one in found if one.symbol in wanted), found[0])
        keys = keys_between(open_directory(lake_dir, "lake_dir"), series, _NEVER, last_session())
        if keys:
            last = min(keys[-1].stretch.last, last_session())
            first = max(keys[0].stretch.first, last - REPLAYED_DAYS)
            stream = replace(stream, first=first.isoformat(), last=last.isoformat())
    _check_minutes(stream, lake_dir, found)
    return stream


def _check_minutes(stream: StreamOptions, lake_dir: str, found: Sequence[Series]) -> None:
    """Refuse a replay of symbols or days of which the lake has no minutes.

    Raises:
        CommandError, ParameterError: It has none.
    """
    known = {one.symbol: one for one in found}
    names = list(known) if stream.symbols is None else symbols_named(stream.symbols)
    for name in names:
        if name not in known:
            raise ParameterError(
                "symbols", name, f"a symbol of which {found[0].source} has minutes in {lake_dir}",
                f"ingest it first, e.g. trading lake ingest --symbols {name} --interval 1m",
            )  # fmt: skip
    last = day_named("to", stream.last) or day_named("from", stream.first) or last_session()
    first = day_named("from", stream.first) or last
    if last < first:
        raise ParameterError("to", str(last), f"at or after from={first}", "exchange the two")
    lake = open_directory(lake_dir, "lake_dir")
    if not any(keys_between(lake, known[name], first, last) for name in names):
        others = "" if first == last else f", nor is any other up to to={last}"
        raise ParameterError(
            "from", str(first), f"a day with minutes in {lake_dir}{others}",
            "see trading lake status for what there is, or choose --source synthetic",
        )  # fmt: skip


def _check_not_over(stream: StreamOptions, bus: Bus) -> None:
    """Refuse a replay of what was told before: nothing would move.

    Raises:
        CommandError: All of it was.
    """
    told = last_time_told(bus)
    last = day_named("to", stream.last) or day_named("from", stream.first) or last_session()
    within = sessions(day_named("from", stream.first) or last, last)
    if len(within) and told >= int(within.closes[-1].astype(np.int64)) + AFTER_CLOSE:
        raise CommandError(
            f"All up to {last} was replayed before; name later days with --from and --to, or use "
            "another --server-dir to replay it again.",
            USAGE,
        )
