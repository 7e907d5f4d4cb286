"""Several sources in order: the first that delivers gives the whole answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from adapters.market_data.bar_source import AccessError, BarSource, Delivery
from adapters.market_data.protocol import SourceError
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.actions import CorporateAction


@dataclass(frozen=True, slots=True)
class FallbackChain:
    """Sources to ask in order, e.g. `polygon -> yahoo`.

    An answer is one source's alone, whole: what one lacks is never filled in from the next.

    Attributes:
        sources: In the order to ask, one or more, of different names.
    """

    sources: tuple[BarSource, ...]

    def __post_init__(self) -> None:
        names = [source.name for source in self.sources]
        if not names or len(set(names)) != len(names):
            allowed = "one or more different sources"
            raise ParameterError("source", names, allowed, "name each source once")

    @property
    def name(self) -> str:
        """The chain as users write it."""
        return " -> ".join(source.name for source in self.sources)

    def serving(self, interval: Interval) -> tuple[BarSource, ...]:
        """The sources that serve an interval, in order."""
        return tuple(s for s in self.sources if interval in s.capability.reach)

    def check_access(self, intervals: Sequence[Interval]) -> None:
        """Find out, before anything runs, whether what is going to be asked can be.

        Raises:
            ParameterError: No source serves one of the intervals.
            AccessError: A source refuses its key.
            SourceError: A source cannot be reached.
        """
        for interval in intervals:
            if not self.serving(interval):
                allowed = f"an interval that one of {self.name} serves"
                served = sorted({i.value for s in self.sources for i in s.capability.intervals})
                next_step = f"choose from {', '.join(served)}, or name another source"
                raise ParameterError("interval", interval.value, allowed, next_step)
        for source in self.sources:
            source.check_access()

    def bars(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> Delivery:
        """The answer of the first source that has bars in the range.

        A source that fails or has none is passed over, and the answer says why. When none has bars
        but some answered, the answer is the empty one of the first of them.

        Raises:
            AccessError: A source refuses its key, which hides behind no other source.
            SourceError: No source answered; it is worth a retry when it is for one of them.
            DataError: A source delivered what cannot be used.
        """
        empty: Delivery | None = None
        failures: list[SourceError] = []
        passed: list[str] = []
        for source in self.sources:
            try:
                answer = source.bars(symbol, interval, start, end)
            except AccessError:
                raise
            except SourceError as error:
                failures.append(error)
                passed.append(f"{source.name}: {error.reason}")
                continue
            if len(answer.bars):
                return replace(answer, passed_over=tuple(passed))
            empty = empty or replace(answer, passed_over=tuple(passed))
            passed.append(f"{source.name}: it has no bars in the range")
        # An outage of one that might have had them is no reason to believe that there are none.
        if empty is None or any(error.transient for error in failures):
            raise _all_failed(symbol, failures, passed)
        return empty

    def actions(self, symbol: str, first: date, last: date) -> tuple[CorporateAction, ...]:
        """The splits and dividends of the first source that knows any and answers.

        Raises:
            SourceError: No source answered.
        """
        failures: list[SourceError] = []
        for source in self.sources:
            try:
                return source.actions(symbol, first, last)
            except AccessError:
                raise
            except SourceError as error:
                failures.append(error)
        passed = [f"{s.name}: {e.reason}" for s, e in zip(self.sources, failures, strict=True)]
        raise _all_failed(symbol, failures, passed)


def _all_failed(symbol: str, failures: list[SourceError], passed: list[str]) -> SourceError:
    waits = [e.retry_after for e in failures if e.transient and e.retry_after is not None]
    return SourceError(
        symbol,
        "; ".join(passed),
        transient=any(error.transient for error in failures),
        retry_after=min(waits, default=None),
    )
