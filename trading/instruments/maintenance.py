"""What a fresh list of instruments says of those that are known: new, changed or gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from trading.instruments.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Maintained:
    """Instruments after a look at a source's list.

    Attributes:
        instruments: All, in the order of symbol and listing.
        added: Symbols that were not known.
        delisted: Symbols that are not listed any more.
    """

    instruments: tuple[Instrument, ...]
    added: tuple[str, ...]
    delisted: tuple[str, ...]


def maintained(
    known: Sequence[Instrument],
    listed: Sequence[Instrument],
    looked_for: Iterable[str],
    today: date,
) -> Maintained:
    """The known instruments with what a source lists today.

    An instrument is the same as a known one of its symbol unless that was delisted before it was
    listed: a reused symbol is two instruments. One that was looked for and is not in the list any
    more, though it was known, has been delisted or renamed by today: from then on nothing is
    expected of it. What the list does not say (a sector, a date) stays as it was.

    Args:
        known: As stored.
        listed: What the source has of the symbols looked for, delisted ones with their date.
        looked_for: The symbols that were asked for.
        today: The day of the list.
    """
    kept = list(known)
    added = [fresh.symbol for fresh in listed if not _update(kept, fresh)]
    missing = set(looked_for) - {instrument.symbol for instrument in listed}
    for number, instrument in enumerate(kept):
        if instrument.symbol in missing and instrument.delisted is None:
            kept[number] = replace(instrument, delisted=today)
    ended = {i.symbol for i in kept if i.delisted} - {i.symbol for i in known if i.delisted}
    ordered = sorted(kept, key=lambda i: (i.symbol, i.listed or date.min, i.delisted or date.max))
    return Maintained(tuple(ordered), tuple(sorted(set(added))), tuple(sorted(ended)))


def _update(kept: list[Instrument], fresh: Instrument) -> bool:
    """Put what is fresh in place of the same instrument, or at the end; tell if it was there."""
    for number, old in enumerate(kept):
        if old.symbol == fresh.symbol and _same(old, fresh):
            kept[number] = replace(
                fresh,
                name=fresh.name or old.name,
                kind=fresh.kind or old.kind,
                exchange=fresh.exchange or old.exchange,
                sector=fresh.sector or old.sector,
                listed=fresh.listed or old.listed,
                delisted=fresh.delisted,
            )
            return True
    kept.append(fresh)
    return False


def _same(old: Instrument, fresh: Instrument) -> bool:
    if old.listed and fresh.listed:
        return old.listed == fresh.listed
    if old.delisted is None:
        return True
    # One that ended is the same only when the list says that it ended then.
    return old.delisted == fresh.delisted
