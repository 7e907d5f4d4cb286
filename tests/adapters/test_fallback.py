"""The chain of sources: one gives the whole answer; and the synthetic source, which is a part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from adapters.market_data.bar_source import (
    AccessError,
    BarSource,
    Capability,
    Delivery,
    Reach,
    checked_request,
)
from adapters.market_data.fallback import FallbackChain
from adapters.market_data.files.source import FileSource
from adapters.market_data.protocol import SourceError
from adapters.market_data.rest.alpaca import AlpacaSource
from adapters.market_data.rest.polygon import PolygonSource
from adapters.market_data.rows import delivery
from adapters.market_data.synthetic_bars import SyntheticBarSource
from adapters.market_data.yahoo import YahooSource
from storage.directory import open_directory
from trading.bars.intervals import Interval
from trading.bars.model import VALUES
from trading.bars.synthetic_minutes import synthetic_days, synthetic_minutes
from trading.errors import DataError, ParameterError
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.clock import NEW_YORK, midnights
from trading.instruments.instrument import Instrument

START = datetime(2024, 7, 1, tzinfo=NEW_YORK)
END = datetime(2024, 7, 3, tzinfo=NEW_YORK)


@dataclass
class Scripted:
    """A source whose answers a test sets: an error to raise, or how many bars to give."""

    name: str
    gives: Exception | int
    intervals: tuple[Interval, ...] = (Interval.MINUTE, Interval.DAY)
    access: Exception | None = None
    asked: int = 0
    knows: tuple[CorporateAction, ...] | Exception = ()
    first: date | None = None
    calls: list[str] = field(default_factory=list)

    @property
    def capability(self) -> Capability:
        return Capability(
            reach=dict.fromkeys(self.intervals, Reach(first=self.first)),
            requests_per_second=None,
            max_parallel=1,
        )

    def check_access(self) -> None:
        self.calls.append("check_access")
        if self.access is not None:
            raise self.access

    def bars(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> Delivery:
        checked_request(self, symbol, interval, start, end)
        self.asked += 1
        if isinstance(self.gives, Exception):
            raise self.gives
        stamps = np.datetime64("2024-07-01T13:30", "ns") + np.arange(self.gives) * np.timedelta64(
            60, "s"
        )
        values = {name: np.full(self.gives, float(len(self.name))) for name in VALUES}
        return delivery(self.name, symbol, timestamps=stamps, values=values, start=start, end=end)

    def actions(
        self,
        symbol: str,
        first: date,
        last: date,
    ) -> tuple[CorporateAction, ...]:
        if isinstance(self.knows, Exception):
            raise self.knows
        return self.knows

    def instruments(
        self,
        symbols: Sequence[str] | None = None,
    ) -> tuple[Instrument, ...]:
        return ()


def failing(*, transient: bool, retry_after: float | None = None) -> SourceError:
    return SourceError("AAPL", "it is down", transient=transient, retry_after=retry_after)


def asked(*sources: BarSource, interval: Interval = Interval.MINUTE) -> Delivery:
    return FallbackChain(sources).bars("AAPL", interval, START, END)


def test_the_first_that_has_bars_gives_the_whole_answer() -> None:
    first, second = Scripted("polygon", 5), Scripted("yahoo", 7)
    answer = asked(first, second)
    assert (answer.source, len(answer.bars), answer.passed_over) == ("polygon", 5, ())
    assert set(answer.bars.close) == {7.0}
    assert second.asked == 0


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        (failing(transient=True), "polygon: it is down"),
        (failing(transient=False), "polygon: it is down"),
        (0, "polygon: it has no bars in the range"),
    ],
)
def test_the_next_one_answers_alone_and_says_why(gives: Exception | int, words: str) -> None:
    answer = asked(Scripted("polygon", gives), Scripted("yahoo", 7))
    assert (answer.source, len(answer.bars)) == ("yahoo", 7)
    assert set(answer.bars.close) == {5.0}
    assert answer.passed_over == (words,)


def test_a_source_without_the_interval_or_so_old_a_past_is_passed_over() -> None:
    days = Scripted("polygon", 5, intervals=(Interval.DAY,))
    assert asked(days, Scripted("yahoo", 7)).source == "yahoo"
    young = Scripted("polygon", 5, first=date(2024, 7, 5))
    answer = asked(young, Scripted("yahoo", 7))
    assert answer.passed_over == ("polygon: polygon has 1m bars from 2024-07-05 on, not before",)
    assert (days.asked, young.asked) == (0, 0)


def test_no_bars_anywhere_is_the_empty_answer_of_the_first() -> None:
    answer = asked(Scripted("polygon", failing(transient=False)), Scripted("yahoo", 0))
    assert (answer.source, len(answer.bars)) == ("yahoo", 0)
    assert asked(Scripted("polygon", 0), Scripted("yahoo", 0)).source == "polygon"


def test_an_outage_is_not_taken_for_no_bars() -> None:
    with pytest.raises(SourceError, match="polygon: it is down; yahoo: it has no bars") as raised:
        asked(Scripted("polygon", failing(transient=True)), Scripted("yahoo", 0))
    assert raised.value.transient


def test_when_all_fail_the_error_names_all_and_is_worth_a_retry_when_one_is() -> None:
    down = Scripted("polygon", failing(transient=True, retry_after=30.0))
    refused = Scripted("yahoo", failing(transient=False))
    with pytest.raises(SourceError) as raised:
        asked(down, refused)
    assert str(raised.value) == "AAPL: polygon: it is down; yahoo: it is down"
    assert (raised.value.transient, raised.value.retry_after) == (True, 30.0)
    with pytest.raises(SourceError) as raised:
        asked(refused)
    assert not raised.value.transient


@pytest.mark.parametrize(
    "error",
    [AccessError("polygon_api_key", "wrong"), DataError("AAPL.csv", "is odd", "correct it")],
)
def test_a_wrong_key_and_a_bad_file_hide_behind_no_other_source(error: Exception) -> None:
    other = Scripted("yahoo", 7)
    with pytest.raises(type(error)):
        asked(Scripted("polygon", error), other)
    assert other.asked == 0


def test_all_sources_keep_the_protocol_and_can_be_chained(tmp_path: Path) -> None:
    key = SecretStr("a-key")
    chain = FallbackChain(
        (
            PolygonSource(key),
            AlpacaSource(key, key),
            YahooSource(),
            FileSource(open_directory(str(tmp_path), "from")),
            SyntheticBarSource(),
        )
    )
    assert chain.name == "polygon -> alpaca -> yahoo -> files -> synthetic"
    assert [s.name for s in chain.serving(Interval.HOUR)] == ["yahoo", "files"]
    for source in chain.sources:
        assert {Interval.MINUTE, Interval.DAY} <= set(source.capability.intervals)
        assert source.capability.actions


def test_what_cannot_work_is_refused_before_anything_runs() -> None:
    days = Scripted("polygon", 5, intervals=(Interval.DAY,))
    chain = FallbackChain((days, Scripted("yahoo", 7)))
    chain.check_access([Interval.MINUTE, Interval.DAY])
    assert days.calls == ["check_access"]
    assert chain.name == "polygon -> yahoo"
    assert [s.name for s in chain.serving(Interval.MINUTE)] == ["yahoo"]
    with pytest.raises(ParameterError, match="interval='5m' is not an interval that one of"):
        chain.check_access([Interval.MINUTES_5])
    with pytest.raises(AccessError):
        FallbackChain((Scripted("polygon", 1, access=AccessError("key", "wrong")),)).check_access(
            [Interval.DAY]
        )
    for sources in ((), (days, days)):
        with pytest.raises(ParameterError, match="name each source once"):
            FallbackChain(sources)


def test_actions_are_those_of_the_first_that_knows_any() -> None:
    split = CorporateAction(
        symbol="AAPL", kind=ActionKind.SPLIT, ex_date=date(2024, 7, 2), value=4.0
    )
    without = Scripted("polygon", 1, knows=failing(transient=True))
    knowing = Scripted("yahoo", 1, knows=(split,))
    dates = (date(2024, 7, 1), date(2024, 7, 3))
    assert FallbackChain((without, knowing)).actions("AAPL", *dates) == (split,)
    with pytest.raises(SourceError, match="polygon: it is down") as raised:
        FallbackChain((without,)).actions("AAPL", *dates)
    assert raised.value.transient


@pytest.mark.parametrize(
    ("interval", "make"), [(Interval.MINUTE, synthetic_minutes), (Interval.DAY, synthetic_days)]
)
def test_the_synthetic_source_gives_the_range_that_is_asked_for(
    interval: Interval, make: Callable[..., object]
) -> None:
    source = SyntheticBarSource(seed=3)
    source.check_access()
    whole = source.bars("AAPL", interval, START, END).bars
    made = make("AAPL", date(2024, 7, 1), date(2024, 7, 2), seed=3)
    for name in ("timestamps", *VALUES):
        np.testing.assert_array_equal(getattr(whole, name), getattr(made, name))
    middle = START + timedelta(hours=12)
    parts = [source.bars("AAPL", interval, *r).bars for r in ((START, middle), (middle, END))]
    assert sum(len(part) for part in parts) == len(whole)
    assert np.concatenate([part.close for part in parts]).tolist() == whole.close.tolist()


def test_the_synthetic_source_knows_its_splits_and_lists_instruments() -> None:
    source = SyntheticBarSource()
    (split,) = source.actions("MSFT", date(2022, 1, 1), date(2022, 12, 31))
    assert (split.kind, split.value) == (ActionKind.SPLIT, 5.0)
    assert len(source.instruments()) == 500
    assert [i.symbol for i in source.instruments(["MSFT", "AAPL"])] == ["AAPL", "MSFT"]
    with pytest.raises(SourceError, match="synthetic has no 1h bars"):
        source.bars("AAPL", Interval.HOUR, START, END)
    with pytest.raises(SourceError, match="from 2000-01-03 on"):
        source.bars("AAPL", Interval.DAY, START.replace(year=1999), END.replace(year=1999))


@pytest.mark.parametrize(
    "day", ["2024-03-10", "2024-03-11", "2024-11-03", "2024-11-04", "1962-07-02"]
)
def test_a_day_begins_at_midnight_in_new_york(day: str) -> None:
    begin = datetime.fromisoformat(day).replace(tzinfo=NEW_YORK)
    (start,) = midnights(np.array([day], "datetime64[D]"))
    assert start.astype("datetime64[s]").astype(int) == int(begin.timestamp())
