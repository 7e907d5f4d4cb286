"""Which bars of the lake a command is about: what the user named, and the settings otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from adapters.market_data.sources import SourceName
from cli.settings import absolute, existing_lake
from lake.bronze.contents import Series, keys_between, stored_series
from lake.bronze.counted import ordered_sources
from lake.bronze.request import BronzeRequest, usual_grain
from lake.bronze.settlement import settlement_start
from lake.grain import Grain
from lake.reference.universes import read_universe
from storage.directory import open_directory
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.calendar import sessions
from trading.instruments.clock import NEW_YORK, midnight, to_datetime64
from trading.instruments.market_hours import session_before
from trading.instruments.symbols import checked_symbol

if TYPE_CHECKING:
    from flows.boundary.settings import Settings

EARLIEST = date(1678, 1, 1)
"""The first day of the years whose moments a 64-bit number of nanoseconds can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeQuestion:
    """What the user asked about, as typed; None leaves it to the settings or the lake.

    Attributes:
        symbols: Names, separated by commas.
        universe: Name of a list of symbols.
        interval: One or more, separated by commas.
        start: First day.
        end: Last day, included.
        source: One or more, in order, separated by commas.
        source_dir: Folder of the source `files`.
        timezone: Of times in these files.
        grain: What a partition covers.
        lake_dir: The lake.
    """

    symbols: str | None = None
    universe: str | None = None
    interval: str | None = None
    start: str | None = None
    end: str | None = None
    source: str | None = None
    source_dir: str | None = None
    timezone: str | None = None
    grain: str | None = None
    lake_dir: str | None = None


def lake_dir(question: LakeQuestion, settings: Settings) -> str:
    """The lake, absolute.

    Raises:
        LocationError: It cannot be named so.
    """
    return absolute(question.lake_dir or settings.lake_dir, "lake_dir")


def ingest_requests(question: LakeQuestion, settings: Settings) -> list[BronzeRequest]:
    """What is to be ingested: a request per interval, of the first source.

    Without a range, the last sessions, which sources may still correct.

    Raises:
        ParameterError: A value cannot be used, no symbols are named, or no session of the range
            has begun.
        FileError: The universe cannot be read.
    """
    now = datetime.now(UTC)
    lake = lake_dir(question, settings)
    names = named_symbols(question, settings)
    if names is None:
        names = list(_universe(question, settings, lake))
    last = parsed_day(question.end, "end") or now.astimezone(NEW_YORK).date()
    first = parsed_day(question.start, "start") or min(settlement_start(now), last)
    folder = question.source_dir and absolute(question.source_dir, "source_dir")
    requests = [
        BronzeRequest(
            source=sources(question, settings)[0].value,
            interval=interval,
            symbols=tuple(names),
            first=first,
            last=last,
            grain=Grain(question.grain) if question.grain else usual_grain(interval),
            lake_dir=lake,
            source_dir=folder or None,
            timezone=question.timezone,
        )
        for interval in intervals(question) or list(settings.intervals)
    ]
    _check_sessions(question, first, last, now)
    return requests


def stored_requests(question: LakeQuestion, settings: Settings) -> list[BronzeRequest]:
    """What is looked at: a request for each source, interval and symbol that the lake has.

    Without a range, from a symbol's first stored day to the last stored day of all symbols of its
    source and interval. Symbols that are named are looked at whether the lake has them or not.

    Raises:
        ParameterError: A value cannot be used.
        StorageError: The lake cannot be listed.
    """
    lake = existing_lake(question.lake_dir, settings.lake_dir)
    found = _asked(question, settings, stored_series(lake))
    first, last = parsed_day(question.start, "start"), parsed_day(question.end, "end")
    spans = {series: _span(lake, series) for series in found}
    requests = []
    for series in found:
        alike = [s for s in found if (s.source, s.interval) == (series.source, series.interval)]
        known = [span for s in alike if (span := spans[s]) is not None]
        own = spans[series] or (known[0] if known else None)
        if own is None and (first is None or last is None):
            continue
        end = last or max([span[1] for span in known], default=date.max)
        if last is None and first is not None and first > end:
            allowed = f"at or before {end}, the last day that the lake has"
            raise ParameterError("start", str(first), allowed, "choose an earlier day")
        requests.append(
            BronzeRequest(
                source=series.source,
                interval=series.interval,
                symbols=(series.symbol,),
                first=first or (own[0] if own else date.min),
                last=end,
                grain=usual_grain(series.interval),
                lake_dir=lake,
            )
        )
    return requests


def check_known(question: LakeQuestion, settings: Settings) -> None:
    """Refuse symbols that the lake has no bar of, for which nothing found means nothing.

    Raises:
        ParameterError: One is named.
    """
    stored = {series.symbol for series in stored_series(lake_dir(question, settings))}
    for name in named_symbols(question, settings) or ():
        if name not in stored:
            next_step = f"ingest it first, e.g. trading lake ingest --symbols {name}"
            raise ParameterError("symbols", name, "a symbol of the lake", next_step)


def sources(question: LakeQuestion, settings: Settings) -> list[SourceName]:
    """The sources in the order in which to ask.

    Raises:
        ParameterError: One is unknown.
    """
    if question.source is None:
        return [SourceName.FILES] if question.source_dir else list(settings.sources)
    words = _listed(question.source.replace("->", ","), "source", "polygon,yahoo") or []
    for word in words:
        if word not in set(SourceName):
            allowed = f"one of {', '.join(SourceName)}"
            raise ParameterError("source", word, allowed, "choose one, or several in order")
    return [SourceName(word) for word in words]


def source_order(
    question: LakeQuestion, settings: Settings, symbol: str, found: Sequence[str]
) -> list[str]:
    """Those of a symbol's sources that count, the first one first.

    Args:
        question: May name them.
        settings: Order them where the question does not.
        symbol: The symbol.
        found: The sources that the lake has of it.

    Raises:
        ParameterError: There are several, and neither the question nor the settings order them.
    """
    if question.source is not None:
        return [source.value for source in sources(question, settings) if source in found]
    return ordered_sources(symbol, found, settings.sources)


def named_symbols(question: LakeQuestion, settings: Settings) -> list[str] | None:
    """The symbols that are named, one by one or as a universe; None when none are.

    Raises:
        ParameterError: A name is empty or no symbol's, or there is a universe as well.
        FileError: The universe cannot be read.
    """
    names = _listed(question.symbols, "symbols", "AAPL,MSFT")
    if names is not None and question.universe is not None:
        allowed = "of use beside symbols, which say all"
        raise ParameterError("universe", question.universe, allowed, "leave one of the two out")
    for name in names or ():
        checked_symbol(name)
    if names is None and question.universe is not None:
        names = list(_universe(question, settings, lake_dir(question, settings)))
    return names


def intervals(question: LakeQuestion) -> list[Interval]:
    """The lengths of bars that were named.

    Raises:
        ParameterError: One is unknown.
    """
    words = _listed(question.interval, "interval", "1m,1d") or []
    for word in words:
        if word not in set(Interval):
            allowed = f"one of {', '.join(Interval)}"
            raise ParameterError("interval", word, allowed, "choose one, e.g. 1m or 1d")
    return [Interval(word) for word in words]


def parsed_day(text: str | None, parameter: str) -> date | None:
    """A day as users write it.

    Raises:
        ParameterError: It is none.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        allowed = "a day like 2024-01-02"
        raise ParameterError(parameter, text, allowed, "write it as YYYY-MM-DD") from None


def _check_sessions(question: LakeQuestion, first: date, last: date, now: datetime) -> None:
    """Refuse days of which no session is known or has begun: there is nothing to fetch.

    Raises:
        ParameterError: It is so.
    """
    if first < EARLIEST:
        allowed = f"a day from {EARLIEST.isoformat()} on"
        parameter = "end" if question.start is None else "start"
        raise ParameterError(parameter, first.isoformat(), allowed, "choose a later day")
    until = min(last, now.astimezone(NEW_YORK).date())
    if (sessions(first, until).opens <= to_datetime64(now)).any():
        return
    before = session_before(midnight(until)).day.isoformat()
    if question.start is None:
        allowed = "a day whose session has begun, and no other day is asked for"
        raise ParameterError("end", last.isoformat(), allowed, f"pass e.g. end={before}")
    allowed = f"the start of a range with a session that has begun (end={last.isoformat()})"
    raise ParameterError("start", first.isoformat(), allowed, f"pass e.g. start={before}")


def _universe(question: LakeQuestion, settings: Settings, lake: str) -> Sequence[str]:
    name = question.universe or settings.universe
    if name is None:
        allowed = "a list of symbols, and no universe is set to take them from"
        raise ParameterError("symbols", None, allowed, "pass --symbols AAPL,MSFT")
    return read_universe(open_directory(lake, "lake_dir"), name)


def _asked(question: LakeQuestion, settings: Settings, stored: Sequence[Series]) -> list[Series]:
    """Of the stored series those asked for, and those of named symbols that are not stored."""
    names = named_symbols(question, settings)
    lengths = set(intervals(question))
    places = {s.value for s in sources(question, settings)} if question.source else None
    chosen = [
        series
        for series in stored
        if (not lengths or series.interval in lengths)
        and (places is None or series.source in places)
    ]
    if names is None:
        return chosen
    kinds = {(series.source, series.interval) for series in chosen}
    if places and lengths:
        kinds |= {(source, interval) for source in places for interval in lengths}
    return [Series(source, interval, name) for source, interval in sorted(kinds) for name in names]


def _span(lake: str, series: Series) -> tuple[date, date] | None:
    """The first and last day of the stored partitions, the last one as far as it has come."""
    keys = keys_between(open_directory(lake, "lake_dir"), series, date.min, date.max)
    if not keys:
        return None
    today = datetime.now(NEW_YORK).date()
    return keys[0].stretch.first, min(today, max(key.stretch.last for key in keys))


def _listed(text: str | None, parameter: str, example: str) -> list[str] | None:
    """`AAPL,MSFT` as a list.

    Raises:
        ParameterError: A name is empty.
    """
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise ParameterError(parameter, text, "a list without gaps", f"pass e.g. {example}")
    return words
