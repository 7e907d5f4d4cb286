"""Pacers that never wait: their time is a number that sleeping moves."""

from __future__ import annotations

from adapters.market_data.pacing import RequestPacer


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def paced(per_second: float) -> tuple[RequestPacer, FakeTime]:
    time = FakeTime()
    return RequestPacer(per_second, clock=time.clock, sleep=time.sleep), time
