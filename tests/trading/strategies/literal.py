"""The strategies once more, bar by bar and word for word; nothing of the package is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.trading.indicators import loops

Series = Sequence[float]
Pair = tuple[float, float]


@dataclass
class Vegas:
    """What the Vegas channel says of each bar."""

    status: list[str | None]
    lost: list[float]
    accelerated: list[bool]
    decelerated: list[bool]
    touch: list[str | None]
    signal: list[str]


def vegas_channel(o: Series, low: Series, c: Series, k: int) -> Vegas:
    """The channel of an interval of k minutes or sessions."""
    e8, e13, e144, e169 = (loops.ema(c, n) for n in (8, 13, 144, 169))
    short, long = list(zip(e8, e13, strict=True)), list(zip(e144, e169, strict=True))
    bars = range(len(c))
    status = [_status(o[t], c[t], short[t], long[t]) for t in bars]
    window = {1: 28, 3: 20, 5: 20, 8: 14, 13: 14}.get(k, 7)
    lost = [math.nan] * len(c)
    for t in bars:
        last = status[t - window + 1 : t + 1] if t >= window - 1 else []
        if len(last) == window and None not in last:
            lost[t] = sum(name != "maintained" for name in last)
    up = [lost[t] > window - lost[t] and max(long[t]) <= max(short[t]) < o[t] < c[t] for t in bars]
    down = [lost[t] > window - lost[t] and c[t] < min(short[t]) <= min(long[t]) for t in bars]
    accelerated = [up[t] and not any(up[max(0, t - 30) : t]) for t in bars]
    decelerated = [down[t] and not any(down[max(0, t - 30) : t]) for t in bars]
    signal = [
        "buy" if t + 1 >= 169 and accelerated[t] and o[t] < c[t]
        else "sell" if status[t] == "loss"
        else "hold"
        for t in bars
    ]  # fmt: skip
    tolerance = {1: 0.002, 3: 0.02, 5: 0.05, 8: 0.07, 13: 0.1}.get(k, 0.02)
    touch = [_touch((o[t], low[t], c[t]), short[t], long[t], tolerance) for t in bars]
    return Vegas(status, lost, accelerated, decelerated, touch, signal)


def _status(o: float, c: float, short: Pair, long: Pair) -> str | None:
    if math.isnan(long[1]):
        return None
    if c > o and c > max(short) and c > max(long) and min(short) > max(long):
        return "maintained"
    if c < short[1] and c > long[1]:
        return "weak"
    if c < short[1] and c < long[1]:
        return "loss"
    return "negotiating"


def _touch(
    bar: tuple[float, float, float], short: Pair, long: Pair, tolerance: float
) -> str | None:
    o, low, c = bar
    if math.isnan(long[1]):
        return None
    bottom, top = min(long) * (1 - tolerance), max(long) * (1 + tolerance)
    if not any(bottom <= level <= top for level in (low, *short)):
        return None
    if min(short) > max(long) and min(o, c) > min(long):
        return "support"
    if max(short) < max(long) and c < max(long):
        return "resistance"
    return "neutral"


def crossings(a: Series, b: Series) -> tuple[list[bool], list[bool]]:
    """Where a crosses above b, and where below."""
    above = [t > 0 and a[t] > b[t] and a[t - 1] <= b[t - 1] for t in range(len(a))]
    below = [t > 0 and a[t] < b[t] and a[t - 1] >= b[t - 1] for t in range(len(a))]
    return above, below


def named(buy: Sequence[bool], sell: Sequence[bool]) -> list[str]:
    return [
        "buy" if b and not s else "sell" if s and not b else "hold"
        for b, s in zip(buy, sell, strict=True)
    ]


def vegas_tunnel(c: Series) -> list[str]:
    quick, fast, slow = (loops.ema(c, n) for n in (12, 144, 169))
    upper = [max(pair) for pair in zip(fast, slow, strict=True)]
    lower = [min(pair) for pair in zip(fast, slow, strict=True)]
    upper = [math.nan if math.isnan(s) else u for u, s in zip(upper, slow, strict=True)]
    lower = [math.nan if math.isnan(s) else u for u, s in zip(lower, slow, strict=True)]
    buy, sell = crossings(c, upper)[0], crossings(c, lower)[1]
    return named(
        [b and q > u for b, q, u in zip(buy, quick, upper, strict=True)],
        [s and q < low for s, q, low in zip(sell, quick, lower, strict=True)],
    )


def rsi_reversion(c: Series) -> list[str]:
    rsi = loops.rsi(c, 14)
    return named(crossings(rsi, [30.0] * len(c))[0], crossings(rsi, [70.0] * len(c))[1])


def macd_cross(c: Series) -> list[str]:
    line, signal, _ = loops.macd(c, 12, 26, 9)
    return named(*crossings(line, signal))


def bollinger_reversion(c: Series) -> list[str]:
    upper, _, lower = loops.bollinger(c, 20, 2.0)
    return named(crossings(c, lower)[0], crossings(c, upper)[1])
