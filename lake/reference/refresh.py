"""Bringing the tables of reference data up to date from a source."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from adapters.market_data.bar_source import AccessError, BarSource
from adapters.market_data.protocol import SourceError
from lake.reference.tables import (
    read_actions,
    read_history,
    read_instruments,
    write_actions,
    write_history,
    write_instruments,
)
from storage.directory import Directory
from trading.instruments.actions import CorporateAction
from trading.instruments.maintenance import Maintained, maintained


def refresh_actions(
    directory: Directory, source: BarSource, symbols: Sequence[str], first: date, last: date
) -> tuple[str, ...]:
    """Put a source's splits and dividends of a range into the table of actions.

    Of an action that is known (symbol, kind and ex-date) the source's value counts, and the earlier
    `known_at`. One that the source does not name is kept: what people have entered stays.

    Args:
        directory: The lake.
        source: Knows actions.
        symbols: Of which.
        first: First ex-date.
        last: Last ex-date.

    Returns:
        A sentence for each symbol whose actions the source did not deliver.

    Raises:
        AccessError: The source refuses the key.
        StorageError: The table cannot be read or written.
    """
    known = {(a.symbol, a.kind, a.ex_date): a for a in read_actions(directory)}
    fresh = dict(known)
    failures: list[str] = []
    for symbol in symbols:
        try:
            for action in source.actions(symbol, first, last):
                key = (action.symbol, action.kind, action.ex_date)
                fresh[key] = _with_earlier(action, known.get(key))
        except AccessError:
            raise
        except SourceError as error:
            failures.append(str(error))
    if fresh != known:
        write_actions(directory, list(fresh.values()))
    return tuple(failures)


def refresh_instruments(
    directory: Directory,
    source: BarSource,
    symbols: Sequence[str],
    today: date,
    *,
    dry_run: bool = False,
) -> Maintained:
    """Put what a source lists of symbols into the tables of instruments and of their symbols.

    The whole list is asked for: only there a renamed instrument is found.

    Args:
        directory: The lake.
        source: Has a list.
        symbols: Which to look for.
        today: The day of the list.
        dry_run: Whether to leave the tables as they are.

    Raises:
        SourceError: The source did not deliver, or has no list.
        DataError: What it delivered cannot be true; the tables are as they were.
        StorageError: A table cannot be read or written.
    """
    known, history = read_instruments(directory), read_history(directory)
    asked = None if any(instrument.identifier for instrument in known) else list(symbols)
    result = maintained(known, history, source.instruments(asked), symbols, today)
    if dry_run:
        return result
    # The history first: a process that dies in between finds the rename again.
    if result.history != history:
        write_history(directory, result.history)
    if result.instruments != known:
        write_instruments(directory, result.instruments)
    return result


def _with_earlier(action: CorporateAction, known: CorporateAction | None) -> CorporateAction:
    if known is None or known.value != action.value or known.currency != action.currency:
        return action
    if action.known_at is None or (known.known_at and known.known_at < action.known_at):
        return known
    return action
