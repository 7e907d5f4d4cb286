"""Yahoo Finance, through yfinance.

yfinance hides most failures: an error status is parsed as if it were an answer, `Retry-After` is
lost, and answers, errors included, are cached for the life of the process. So the requests go
through a session of ours, and its cache is emptied.

Yahoo adjusts all prices, minutes as well, for splits; `bars` undoes that by Yahoo's own splits.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import yfinance as yf
from yfinance.exceptions import YFException, YFPricesMissingError, YFRateLimitError

from adapters.market_data.bar_source import (
    Adjustment,
    Capability,
    Delivery,
    Reach,
    checked_request,
    no_instruments,
)
from adapters.market_data.protocol import CloseInterval, ClosePrices, SourceError
from adapters.market_data.rows import delivery
from adapters.market_data.splits_undone import (
    later_ratio,
    not_applied,
    shares_before,
    traded_prices,
)
from adapters.market_data.yahoo_session import (
    REQUESTS_PER_SECOND,
    YahooRefusedError,
    YahooSession,
)
from adapters.market_data.yfinance_internals import let_failures_through
from trading.arrays import Floats, Timestamps
from trading.bars.intervals import Interval
from trading.bars.model import PRICES
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.clock import EXCHANGE_ZONE, NEW_YORK, midnight
from trading.instruments.instrument import Instrument

HOURLY_HISTORY = timedelta(days=730)
MINUTE_HISTORY = timedelta(days=30)

MINUTE_WINDOW = timedelta(days=7)
"""Longest range of minutes that Yahoo answers at once."""

DAYS_BEFORE = timedelta(days=10)
"""Days before a range that hold its last close before, by which a split is checked."""

NO_BARS = "Data doesn't exist for startDate"
"""How Yahoo begins the error by which it says that a range holds no bars."""


@dataclass(frozen=True, slots=True)
class _Events:
    """Splits and dividends of a symbol from a date on, as known on a day.

    Attributes:
        day: The New York date of today.
        since: From when on.
        splits: In order.
        dividends: In order, as paid.
    """

    day: date
    since: date
    splits: tuple[CorporateAction, ...]
    dividends: tuple[CorporateAction, ...]


class YahooSource:
    """Yahoo Finance: closes adjusted for splits (daily ones for dividends too), and raw bars."""

    name = "yahoo"
    vix_symbol = "^VIX"
    spx_symbol = "^GSPC"
    max_parallel = 4
    capability = Capability(
        reach={
            Interval.MINUTE: Reach(back=MINUTE_HISTORY),
            Interval.HOUR: Reach(back=HOURLY_HISTORY),
            Interval.DAY: Reach(),
        },
        requests_per_second=REQUESTS_PER_SECOND,
        max_parallel=max_parallel,
        adjustment=Adjustment.SPLITS_UNDONE,
        extended_hours=True,
        actions=True,
    )

    def __init__(self, session: YahooSession | None = None) -> None:
        self._session = session or YahooSession()
        self._known_events: dict[str, _Events] = {}
        self._events_lock = threading.Lock()
        let_failures_through()

    def history(self, interval: CloseInterval) -> timedelta | None:
        """Hourly bars reach back 730 days."""
        return HOURLY_HISTORY if interval is CloseInterval.HOUR else None

    def close_prices(
        self, symbol: str, start: datetime, end: datetime, interval: CloseInterval
    ) -> ClosePrices:
        """The closes of one symbol's bars that start in [start, end), as Yahoo has them.

        Raises:
            SourceError: Yahoo cannot be reached, refuses, or does not know the symbol.
        """
        frame = self._frame(symbol, start=start, end=end, interval=interval.value, actions=False)
        if frame is None:
            return ClosePrices.empty()
        starts = _starts(frame, daily=interval is CloseInterval.DAY)
        return ClosePrices(starts, frame["Close"].to_numpy(dtype=np.float64))

    def check_access(self) -> None:
        """Nothing: Yahoo asks for no key, and whether it answers is seen by asking."""

    def bars(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> Delivery:
        """The bars of one symbol that start in [start, end), as traded.

        Minutes include those before the open and after the close, which Yahoo gives no volume.
        A volume that Yahoo lacks is 0: yfinance does not tell the two apart.

        Raises:
            ParameterError: The request makes no sense.
            SourceError: Yahoo did not deliver, or adjusted the prices for one split and not for
                another, so that what was traded is not known.
        """
        checked_request(self, symbol, interval, start, end)
        stamps, columns = self._adjusted(symbol, interval, start, end)
        if len(stamps):
            first = stamps.min().astype("datetime64[D]").item()
            events = self._events(symbol, first)
            if events is None:
                reason = "Yahoo has no daily prices with which it would list the splits since"
                raise SourceError(symbol, reason, transient=True)
            factor = later_ratio(stamps, events.splits)
            columns = {name: traded_prices(columns[name], factor) for name in PRICES} | {
                "volume": columns["volume"] / factor
            }
        return delivery(self.name, symbol, timestamps=stamps, values=columns, start=start, end=end)

    def actions(self, symbol: str, first: date, last: date) -> tuple[CorporateAction, ...]:
        """Splits and dividends with an ex-date from `first` to `last`, in order of the ex-date.

        Raises:
            SourceError: Yahoo did not deliver.
        """
        events = self._events(symbol, first)
        if events is None:
            return ()
        found = [a for a in (*events.splits, *events.dividends) if first <= a.ex_date <= last]
        return tuple(sorted(found, key=lambda action: (action.ex_date, action.kind)))

    def instruments(self, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:  # noqa: ARG002 - the protocol's
        """None: Yahoo has no list of them.

        Raises:
            SourceError: Always.
        """
        raise no_instruments(self)

    def _adjusted(
        self, symbol: str, interval: Interval, start: datetime, end: datetime
    ) -> tuple[Timestamps, dict[str, Floats]]:
        """Bar starts and columns as Yahoo has them."""
        frames = [
            self._frame(
                symbol,
                start=first,
                end=last,
                interval=interval.value,
                actions=False,
                auto_adjust=False,
                prepost=interval is Interval.MINUTE,
                keepna=True,
            )
            for first, last in _windows(interval, start, end)
        ]
        frames = [frame[frame["Close"].notna()] for frame in frames if frame is not None]
        names = (*PRICES, "volume")
        if not frames:
            return np.empty(0, "datetime64[ns]"), {name: np.empty(0) for name in names}
        daily = interval is Interval.DAY
        starts = np.concatenate([_starts(frame, daily=daily) for frame in frames])
        return starts, {
            name: np.concatenate(
                [frame[name.capitalize()].to_numpy(dtype=np.float64) for frame in frames]
            )
            for name in names
        }

    def _events(self, symbol: str, since: date) -> _Events | None:
        """Splits and dividends from `since` until now, asked for once a day.

        None when there is no price since then: yfinance gives events with prices alone.

        Raises:
            SourceError: Yahoo did not deliver, or did not apply one of the splits.
        """
        today = datetime.now(NEW_YORK).date()
        with self._events_lock:
            known = self._known_events.get(symbol)
        if known is not None and known.day == today and known.since <= since:
            return known
        begin = midnight(since) - DAYS_BEFORE
        frame = self._frame(
            symbol, start=begin, end=None, interval="1d", actions=True, auto_adjust=False
        )
        if frame is None or not len(frame):
            return None
        splits = _split_actions(symbol, frame)
        events = _Events(today, since, splits, _dividend_actions(symbol, frame, splits))
        with self._events_lock:
            self._known_events[symbol] = events
        return events

    def _frame(self, symbol: str, **parameters: Any) -> Any:  # noqa: ANN401 - pandas' and yfinance's
        """What yfinance makes of Yahoo's answer; None when it says that there are no bars.

        Raises:
            SourceError: Yahoo cannot be reached, refuses, or does not know the symbol.
        """
        try:
            return yf.Ticker(symbol, session=self._session).history(**parameters)
        except YFPricesMissingError as error:
            if (error.yahoo_reason or NO_BARS).startswith(NO_BARS):
                return None
            raise SourceError(symbol, str(error.yahoo_reason)) from error
        except YahooRefusedError as error:
            if error.description.startswith(NO_BARS):
                return None
            raise _refused(symbol, error) from error
        except YFRateLimitError as error:
            raise SourceError(symbol, "Yahoo limits the rate", transient=True) from error
        except OSError as error:
            reason = f"Yahoo cannot be reached ({type(error).__name__})"
            raise SourceError(symbol, reason, transient=True) from error
        except YFException as error:
            raise SourceError(symbol, str(error)) from error
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            # yfinance indexes into the answer unchecked; a maintenance page ends up here.
            reason = f"Yahoo's answer is not understood ({type(error).__name__})"
            raise SourceError(symbol, reason, transient=True) from error


def _windows(
    interval: Interval, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The stretches to ask for, one after the other."""
    if interval is not Interval.MINUTE:
        yield start, end
        return
    begin = start.astimezone(UTC)
    while begin < end:
        yield begin, min(begin + MINUTE_WINDOW, end)
        begin += MINUTE_WINDOW


def _starts(frame: Any, *, daily: bool) -> Timestamps:  # noqa: ANN401 - pandas has no types
    """Bar starts in UTC, shape (n,)."""
    starts = frame.index
    if daily:
        # yfinance says midnight where the exchange is, for the VIX in Chicago.
        starts = starts.tz_localize(None).tz_localize(EXCHANGE_ZONE)
    utc: Timestamps = starts.tz_convert(None).to_numpy().astype("datetime64[ns]")
    return utc


def _split_actions(symbol: str, frame: Any) -> tuple[CorporateAction, ...]:  # noqa: ANN401 - see above
    """The splits in a frame of daily prices, each one seen to be in the prices before it."""
    splits = tuple(
        CorporateAction(symbol=symbol, kind=ActionKind.SPLIT, ex_date=day, value=ratio)
        for day, ratio in _non_zero(frame, "Stock Splits")
    )
    if not splits:
        return ()
    priced = frame[frame["Close"].notna() & frame["Open"].notna()]
    dates = np.array([moment.date() for moment in priced.index], "datetime64[D]")
    opens, closes = (priced[name].to_numpy(dtype=np.float64) for name in ("Open", "Close"))
    for split in splits:
        if not_applied(split, dates, opens, closes):
            day = split.ex_date.isoformat()
            reason = (
                f"Yahoo lists a split of {split.value:g} on {day} and seems not to have applied it "
                "to the prices before, so that what was traded is not known; name another source"
            )
            raise SourceError(symbol, reason)
    return splits


def _dividend_actions(
    symbol: str,
    frame: Any,  # noqa: ANN401 - see above
    splits: tuple[CorporateAction, ...],
) -> tuple[CorporateAction, ...]:
    """The dividends in a frame of daily prices, which Yahoo adjusts for later splits as well."""
    return tuple(
        CorporateAction(
            symbol=symbol,
            kind=ActionKind.DIVIDEND,
            ex_date=day,
            value=round(amount * shares_before(splits, day), 6),
        )
        for day, amount in _non_zero(frame, "Dividends")
    )


def _non_zero(frame: Any, column: str) -> list[tuple[date, float]]:  # noqa: ANN401 - see above
    return [(moment.date(), float(value)) for moment, value in frame[column].items() if value > 0]


def _refused(symbol: str, error: YahooRefusedError) -> SourceError:
    match error.status:
        case 404:
            reason = f"Yahoo does not know it ({error.description or 'HTTP 404'})"
        case 429:
            reason = "Yahoo limits the rate (HTTP 429)"
        case _:
            reason = f"Yahoo refused ({error})"
    transient = error.status in (408, 425, 429) or error.status >= 500  # noqa: PLR2004
    return SourceError(symbol, reason, transient=transient, retry_after=error.retry_after)
