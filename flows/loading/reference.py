"""The lake's small tables in the database: instruments, actions, open gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from database.actions import replace_actions
from database.connection import Database
from database.gaps import SessionGap, replace_open_gaps
from database.instruments import StoredInstrument, SymbolPeriod, replace_instruments
from lake.bronze.contents import Series, gap_records
from lake.reference.tables import read_actions, read_history, read_instruments
from lake.silver.bronze_rows import bronze_of
from storage.directory import Directory
from trading.bars.intervals import Interval
from trading.bars.quality.gaps import SessionGap as Gap
from trading.instruments.history import SymbolHistory
from trading.instruments.instrument import Instrument


def copy_reference(database: Database, lake: Directory) -> int:
    """Make the database's instruments, symbols and actions those of the lake.

    Returns:
        How many rows that changed.

    Raises:
        ContentError: A table of the lake is damaged or contradicts itself.
        StorageError: It cannot be read.
        DatabaseError: The database did not take them.
    """
    instruments, periods = stored_instruments(read_instruments(lake), read_history(lake))
    changed = replace_instruments(database, instruments, periods)
    return changed + replace_actions(database, read_actions(lake))


def stored_instruments(
    instruments: Sequence[Instrument], history: SymbolHistory
) -> tuple[list[StoredInstrument], list[SymbolPeriod]]:
    """Instruments under names for good, with the periods of their symbols.

    A symbol that the history knows is as it says. Of another each instrument has the symbol from
    its listing to its end, and is called by both: a reused symbol is two instruments.
    """
    known = {period.symbol for period in history.periods}
    stored: dict[str, StoredInstrument] = {}
    periods = []
    for period in history.periods:
        described = _described(period.instrument, instruments, history)
        stored[period.instrument] = StoredInstrument(id=period.instrument, instrument=described)
        periods.append(_period(period.symbol, period.instrument, period.first, period.last))
    ended: dict[str, date] = {}
    for instrument in sorted(instruments, key=lambda i: (i.symbol, i.delisted or date.max)):
        symbol = instrument.symbol
        if symbol not in known:
            since = instrument.listed or ended.get(symbol)
            name = f"{symbol}-{since:%Y%m%d}" if since else symbol
            stored[name] = StoredInstrument(id=name, instrument=instrument)
            periods.append(_period(symbol, name, since, instrument.delisted))
            if instrument.delisted:
                ended[symbol] = instrument.delisted + timedelta(days=1)
    return list(stored.values()), periods


def _described(name: str, instruments: Sequence[Instrument], history: SymbolHistory) -> Instrument:
    """What is known of an instrument of the history: by the last symbol that it had."""
    own = sorted(
        (period for period in history.periods if period.instrument == name),
        key=lambda period: period.first or date.min,
    )
    last = own[-1]
    begin, end = last.first or date.min, last.last or date.max
    for instrument in instruments:
        overlaps = (
            begin <= (instrument.delisted or date.max) and (instrument.listed or date.min) <= end
        )
        if instrument.symbol == last.symbol and overlaps:
            return replace(instrument, listed=instrument.listed or own[0].first)
    return Instrument(symbol=last.symbol, listed=own[0].first, delisted=last.last)


def _period(symbol: str, name: str, first: date | None, last: date | None) -> SymbolPeriod:
    return SymbolPeriod(
        symbol=symbol, instrument_id=name, valid_from=first or date.min,
        valid_to=last + timedelta(days=1) if last else None,
    )  # fmt: skip


def copy_gaps(
    database: Database, lake: Directory, interval: Interval, sources: Mapping[str, Sequence[str]]
) -> int:
    """Make the open gaps of symbols those of the lake.

    Args:
        database: The database.
        lake: The lake.
        interval: Of the gaps.
        sources: The sources of each symbol, the one that counts first at the front.

    Returns:
        How many sessions that changed.

    Raises:
        ContentError: A record is damaged.
        StorageError: It cannot be read.
        DatabaseError: The database did not take them.
    """
    gaps = [
        gap
        for symbol, names in sources.items()
        for gap in _open_gaps(lake, interval, symbol, names)
    ]
    return replace_open_gaps(database, interval.value, list(sources), gaps)


def _open_gaps(
    lake: Directory, interval: Interval, symbol: str, sources: Sequence[str]
) -> list[SessionGap]:
    """Those of the source that counts for the session; of the first where none has it."""
    bronze = bronze_of(lake, symbol, interval, sources)
    found: dict[date, SessionGap] = {}
    for source in sources:
        series = Series(source, interval, symbol)
        for record in gap_records(lake, [series], date.min, date.max):
            for gap in record.gaps:
                counting = bronze.covering(gap.session)
                if not counting or counting[0].source == source:
                    found.setdefault(gap.session, _session_gap(series, gap))
    return list(found.values())


def _session_gap(series: Series, gap: Gap) -> SessionGap:
    return SessionGap(
        symbol=series.symbol, interval=series.interval.value, session=gap.session,
        expected=gap.expected, present=gap.present, state="open", reason=gap.reason.value,
    )  # fmt: skip
