"""Made-up ticks: the same again, up to the present, and then on with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from live.stream.pace import Pace
from live.stream.synthetic import SyntheticTicks
from trading.events import CLOCK, Tick

SECOND = 10**9


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@dataclass
class Present:
    """A clock that a test sets."""

    now: int

    def __call__(self) -> int:
        return self.now


@pytest.fixture(autouse=True)
def _pace_that_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is behind the present is told at once; the present itself is the test's."""
    monkeypatch.setattr(Pace, "wait_until", lambda *_: True)


def stream(present: Present, begin: str) -> SyntheticTicks:
    return SyntheticTicks(["AAPL", "MSFT"], 200, speed=30, begin=moment(begin), now=present)


def told(source: SyntheticTicks, until: int) -> list[Tick]:
    """What it tells up to a moment, or until nothing is due."""
    found: list[Tick] = []
    while (ticks := source.take(0)) and ticks[-1].ts <= until:
        found += ticks
    return found


def prices(ticks: list[Tick]) -> list[Tick]:
    return [tick for tick in ticks if tick.symbol != CLOCK]


def test_begun_again_it_tells_the_same_ticks() -> None:
    present = Present(moment("2024-07-02T14:00:00"))
    whole = told(stream(present, "2024-07-02T13:40:00"), present.now)
    again = told(stream(present, "2024-07-02T13:50:00"), present.now)
    assert len(again) > 1000
    assert whole[-len(again) :] == again


@pytest.mark.parametrize("symbols", [["AAPL", "AMD", "MSFT"], ["MSFT"], ["AAAA", "MSFT", "ZTS"]])
def test_a_symbol_that_comes_or_goes_moves_no_other_price(symbols: list[str]) -> None:
    source = stream(Present(moment("2024-07-02T14:00:00")), "2024-07-02T13:40:00")
    before = [t for t in told(source, moment("2024-07-02T13:50:00")) if t.symbol == "MSFT"]
    source.subscribe(symbols)
    after = [t for t in told(source, moment("2024-07-02T13:51:00")) if t.symbol == "MSFT"]
    assert after[0].price == pytest.approx(before[-1].price, rel=0.002)


@pytest.mark.parametrize(
    ("begin", "now"),
    [
        ("2024-07-02T18:00:00", "2024-07-02T19:00:00"),  # in a session
        ("2024-07-03T16:50:00", "2024-07-03T23:00:00"),  # after the close of a half day
        ("2024-07-03T16:50:00", "2024-07-06T12:00:00"),  # Saturday
        ("2024-07-08T12:00:00", "2024-07-08T12:30:00"),  # before the open
    ],
)
def test_at_the_present_it_goes_on_with_it(begin: str, now: str) -> None:
    """It neither ends at the present nor tells what is not over."""
    present = Present(moment(now))
    source = stream(present, begin)
    caught_up = told(source, present.now)
    assert not source.ended
    assert source.take(0) == []
    if prices(caught_up):
        assert max(tick.ts for tick in caught_up) <= present.now
    for _ in range(90):
        present.now += SECOND
        ticks = told(source, present.now)
        assert present.now - 2 * SECOND < ticks[-1].ts <= present.now
        assert [tick.symbol for tick in ticks].count(CLOCK) in (1, 2)
        caught_up += ticks
    seconds = {tick.ts // SECOND for tick in prices(caught_up) if tick.ts > moment(now)}
    assert len(seconds) > 80, "prices move all the time"
    stamps = [tick.ts for tick in caught_up if tick.symbol == CLOCK]
    assert stamps == sorted(set(stamps))


def test_from_the_weekend_it_comes_to_the_open() -> None:
    opens = moment("2024-07-08T13:30:00")
    present = Present(opens - 5 * SECOND)
    source = stream(present, "2024-07-05T20:00:00")
    told(source, present.now)
    present.now = opens + 5 * SECOND
    ticks = told(source, present.now)
    assert opens in [tick.ts for tick in ticks if tick.symbol == CLOCK]
    last = [t for t in prices(ticks) if t.ts < opens and t.symbol == "AAPL"][-1]
    first = next(t for t in prices(ticks) if t.ts >= opens and t.symbol == "AAPL")
    assert first.price == pytest.approx(last.price, rel=0.002)


def test_after_a_pause_of_the_machine_it_catches_up() -> None:
    present = Present(moment("2024-07-02T14:00:00"))
    source = stream(present, "2024-07-02T13:59:00")
    told(source, present.now)
    present.now += 3600 * SECOND
    ticks = told(source, present.now)
    assert present.now - 2 * SECOND < ticks[-1].ts <= present.now
