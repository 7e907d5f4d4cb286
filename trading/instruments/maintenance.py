"""What a fresh list of instruments says of those that are known: new, changed or gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from trading.errors import DataError
from trading.instruments.history import SymbolHistory, SymbolPeriod
from trading.instruments.instrument import Instrument

SUSPICIOUS, LARGEST_SHARE = 10, 0.1
"""A list that lacks so many instruments that traded, and more than this share, is cut short."""


@dataclass(frozen=True, slots=True)
class Maintained:
    """Instruments after a look at a source's list.

    Attributes:
        instruments: All, in the order of symbol and listing.
        history: The periods of their symbols, as far as any was renamed.
        added: Symbols that were not known.
        delisted: Symbols that are not listed any more.
        renamed: Symbols that instruments had and have.
    """

    instruments: tuple[Instrument, ...]
    history: SymbolHistory
    added: tuple[str, ...]
    delisted: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]


def maintained(
    known: Sequence[Instrument],
    history: SymbolHistory,
    listed: Sequence[Instrument],
    looked_for: Iterable[str],
    today: date,
) -> Maintained:
    """The known instruments with what a source lists today.

    One that is listed under another symbol, by its identifier, was renamed: it has the new one from
    today on. An instrument is the same as a known one of its symbol unless their identifiers
    differ, or that was delisted before it was listed: a reused symbol is two instruments. One that
    was looked for and is not in the list any more, though it was known, has been delisted by today:
    from then on nothing is expected of it. What the list does not say (a sector, a date) stays as
    it was.

    Args:
        known: As stored.
        history: As stored.
        listed: What the source has of the symbols looked for and of those that they may have been
            renamed to, delisted ones with their date.
        looked_for: The symbols that were asked for.
        today: The day of the list.

    Raises:
        DataError: So many are gone that the list cannot be whole, or a rename contradicts the
            history.
    """
    kept, wanted = list(known), set(looked_for)
    renamed: list[tuple[str, str]] = []
    for number, fresh in _renames(known, listed, wanted):
        old = kept[number].symbol
        kept[number] = replace(kept[number], symbol=fresh.symbol)
        history = _after_rename(history, known, known[number], fresh.symbol, today)
        renamed.append((old, fresh.symbol))
    wanted = (wanted - {old for old, _ in renamed}) | {new for _, new in renamed}
    # What trades first: of two with a symbol the one that trades is the known one that does.
    chosen = sorted((i for i in listed if i.symbol in wanted), key=lambda i: i.delisted is not None)
    taken: set[int] = set()
    added = [fresh.symbol for fresh in chosen if not _update(kept, fresh, taken, today)]
    _end_missing(kept, wanted - {instrument.symbol for instrument in chosen}, today)
    pairs = zip(known, kept, strict=False)  # the new ones come after those that were known
    ended = {now.symbol for old, now in pairs if now.delisted and not old.delisted}
    ordered = sorted(kept, key=lambda i: (i.symbol, i.listed or date.min, i.delisted or date.max))
    return Maintained(
        tuple(ordered), history, tuple(sorted(set(added))), tuple(sorted(ended)), tuple(renamed)
    )


def _renames(
    known: Sequence[Instrument], listed: Sequence[Instrument], wanted: Collection[str]
) -> list[tuple[int, Instrument]]:
    """Positions of known instruments that the list has under another symbol alone."""
    now = {i.identifier: i for i in listed if i.identifier and i.delisted is None}
    found = {
        old.symbol: (number, fresh)
        for number, old in enumerate(known)
        if old.symbol in wanted
        and old.delisted is None
        and (fresh := now.get(old.identifier)) is not None
        and fresh.symbol != old.symbol
    }
    ordered = []
    while found:
        # A symbol that another gives up at the same time is free only after that.
        free = next((old for old, (_, new) in found.items() if new.symbol not in found), None)
        ordered.append(found.pop(free or next(iter(found))))
    return ordered


def _after_rename(
    history: SymbolHistory, known: Sequence[Instrument], old: Instrument, new: str, today: date
) -> SymbolHistory:
    """The history with the rename, and with what the two symbols were before it."""
    if history.instrument(new, today) == _name(old):
        return history  # known from a run that ended before it had stored the instruments
    periods = list(history.periods)
    for symbol in (old.symbol, new):
        # Once the history has a symbol, it alone says what that was.
        if not history.of(symbol):
            periods += [
                SymbolPeriod(symbol=symbol, instrument=_name(i), first=i.listed, last=i.delisted)
                for i in known
                if i.symbol == symbol
            ]
    return SymbolHistory(tuple(periods)).renamed(old.symbol, new, today)


def _name(instrument: Instrument) -> str:
    """What an instrument is called for good."""
    since = f"-{instrument.listed:%Y%m%d}" if instrument.listed else ""
    return instrument.identifier or f"{instrument.symbol}{since}"


def _end_missing(kept: list[Instrument], missing: Collection[str], today: date) -> None:
    """Have what is not listed any more end today.

    Raises:
        DataError: It is so much that the list cannot be whole.
    """
    trading = [number for number, instrument in enumerate(kept) if instrument.delisted is None]
    gone = [number for number in trading if kept[number].symbol in missing]
    if len(gone) >= SUSPICIOUS and len(gone) > LARGEST_SHARE * len(trading):
        raise DataError(
            "instruments",
            f"{len(gone)} of {len(trading)} that traded are not in the source's list",
            "ask again later, since nothing was changed; or name those to look for with --symbols",
        )
    for number in gone:
        kept[number] = replace(kept[number], delisted=today)


def _update(kept: list[Instrument], fresh: Instrument, taken: set[int], today: date) -> bool:
    """Put what is fresh in place of the same instrument, or at the end; tell if it was there."""
    for number, old in enumerate(kept):
        if number not in taken and old.symbol == fresh.symbol and _same(old, fresh):
            taken.add(number)
            kept[number] = replace(
                fresh,
                name=fresh.name or old.name,
                kind=fresh.kind or old.kind,
                exchange=fresh.exchange or old.exchange,
                sector=fresh.sector or old.sector,
                listed=fresh.listed or old.listed,
                delisted=fresh.delisted,
                identifier=fresh.identifier or old.identifier,
            )
            return True
    taken.add(len(kept))
    kept.append(fresh if fresh.delisted else _reusing(kept, fresh, today))
    return False


def _reusing(kept: list[Instrument], fresh: Instrument, today: date) -> Instrument:
    """A new instrument with its listing; one that traded under its symbol ends the day before."""
    for number, old in enumerate(kept):
        if old.symbol == fresh.symbol and old.delisted is None:
            since = fresh.listed or today
            if old.listed is None or old.listed < since:
                kept[number] = replace(old, delisted=since - timedelta(days=1))
                fresh = replace(fresh, listed=since)
    return fresh


def _same(old: Instrument, fresh: Instrument) -> bool:
    if old.identifier and fresh.identifier:
        return old.identifier == fresh.identifier
    if old.listed and fresh.listed:
        return old.listed == fresh.listed
    if old.delisted is None:
        return True
    # One that ended is the same only when the list says that it ended then.
    return old.delisted == fresh.delisted
