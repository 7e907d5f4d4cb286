"""Where bars come from: the protocol that a source of open, high, low, close and volume keeps.

A further source is one class with the members of `BarSource`. It fetches one symbol's raw bars over
a range and says of a failure whether trying again can help. What every answer has in common (rows
in any order, doubled, or outside of the range) is settled by `adapters.market_data.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from adapters.market_data.protocol import SourceError
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.errors import ParameterError
from trading.instruments.actions import CorporateAction
from trading.instruments.clock import NEW_YORK, midnight
from trading.instruments.instrument import Instrument
from trading.instruments.symbols import checked_contract


class Adjustment(StrEnum):
    """How a source's raw prices come about."""

    RAW = "raw"
    """The source serves what was traded."""

    SPLITS_UNDONE = "splits_undone"
    """The source serves split-adjusted prices; its own list of splits is used to undo that."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back bars of an interval go; without either, as far as the source knows.

    Attributes:
        back: From now.
        first: The first New York date.
    """

    back: timedelta | None = None
    first: date | None = None

    def earliest(self, now: datetime) -> datetime | None:
        """The first moment with bars; None when nothing limits it."""
        if self.back is not None:
            return now - self.back
        if self.first is None:
            return None
        return midnight(self.first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What a source can do, as data.

    Attributes:
        reach: The intervals it serves and how far back each goes.
        requests_per_second: The rate that is kept across all threads of a process; None for none.
        max_parallel: How many threads may ask at a time.
        adjustment: How its raw prices come about.
        consolidated: Whether volume and prices are those of all venues together.
        extended_hours: Whether minutes before the open and after the close are among the bars.
        actions: Whether it knows splits and dividends.
        instruments: Whether it lists instruments.
    """

    reach: Mapping[Interval, Reach]
    requests_per_second: float | None
    max_parallel: int
    adjustment: Adjustment = Adjustment.RAW
    consolidated: bool = True
    extended_hours: bool = False
    actions: bool = False
    instruments: bool = False

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """The intervals it serves."""
        return tuple(self.reach)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Delivery:
    """One answer; all of its bars are from one source.

    Attributes:
        source: Name of the source that gave it.
        bars: Raw bars that start in the range asked for, strictly increasing. A daily bar starts at
            midnight in New York. The last one may still be open: the caller knows the calendar.
        repeated: Rows left out because a later row of the answer had the same timestamp.
        passed_over: Why sources before this one in a chain did not give it, a sentence each.
    """

    source: str
    bars: Bars
    repeated: int = 0
    passed_over: tuple[str, ...] = field(default=())


class AccessError(SourceError):
    """The source refuses the key. Another source is no answer to that: the user corrects it."""


class BarSource(Protocol):
    """What a source of bars is."""

    @property
    def name(self) -> str:
        """Stable name, a part of the path in which its bars are stored."""
        ...

    @property
    def capability(self) -> Capability:
        """What it can do."""
        ...

    def check_access(self) -> None:
        """Find out with one request whether the source can be used at all.

        Raises:
            AccessError: It refuses the key.
            SourceError: It cannot be reached.
        """
        ...

    def bars(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> Delivery:
        """The raw bars of one symbol that start in [start, end). None is an empty answer.

        Args:
            symbol: Our symbol, e.g. `BRK-B`.
            interval: One of those of `capability`.
            start: First possible bar start, aware.
            end: First bar start no longer wanted, aware.

        Raises:
            ParameterError: The request makes no sense.
            SourceError: The source did not deliver, or does not serve the interval or the time.
            DataError: What it delivered cannot be used, and will be the same next time.
        """
        ...

    def actions(self, symbol: str, first: date, last: date) -> tuple[CorporateAction, ...]:
        """Splits and dividends with an ex-date from `first` to `last`, in order of the ex-date.

        Raises:
            SourceError: The source did not deliver, or knows no actions.
        """
        ...

    def instruments(self, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """The instruments that the source lists, delisted ones as well, in order of the symbol.

        Args:
            symbols: Only these; unknown ones are left out. None for all.

        Raises:
            SourceError: The source did not deliver, or has no list.
        """
        ...


def checked_request(
    source: BarSource, symbol: str, interval: Interval, start: datetime, end: datetime
) -> None:
    """Refuse what no request needs to be sent for.

    Raises:
        ParameterError: The symbol is malformed, a time is naive, or the range is empty.
        SourceError: The source does not serve the interval, or nothing so far back.
    """
    checked_contract(symbol)
    for name, moment in (("start", start), ("end", end)):
        if moment.utcoffset() is None:
            aware = moment.replace(tzinfo=NEW_YORK).isoformat()
            raise ParameterError(name, moment.isoformat(), "time-zone aware", f"write {aware}")
    if start >= end:
        after = f"after start={start.isoformat()}"
        raise ParameterError("end", end.isoformat(), after, "pass a later end")
    reach = source.capability.reach.get(interval)
    if reach is None:
        served = ", ".join(i.value for i in source.capability.intervals)
        raise SourceError(symbol, f"{source.name} has no {interval.value} bars, only {served}")
    earliest = reach.earliest(datetime.now(UTC))
    if earliest is not None and end <= earliest:
        since = earliest.astimezone(NEW_YORK).date().isoformat()
        reason = f"{source.name} has {interval.value} bars from {since} on, not before"
        raise SourceError(symbol, reason)


def no_actions(source: BarSource, symbol: str) -> SourceError:
    """The error of a source that knows no corporate actions."""
    return SourceError(symbol, f"{source.name} knows no splits and dividends; name another source")


def no_instruments(source: BarSource) -> SourceError:
    """The error of a source that lists no instruments."""
    return SourceError("instruments", f"{source.name} has no list of them; name another source")
