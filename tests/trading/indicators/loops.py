"""The indicators once more, as plain loops over lists; nothing of the package is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

NAN = math.nan

Series = Sequence[float]


def mean(values: Series) -> float:
    return float(sum(map(Fraction, values)) / len(values))


def sma(x: Series, n: int) -> list[float]:
    return [NAN if t < n - 1 else mean(x[t - n + 1 : t + 1]) for t in range(len(x))]


def ema(x: Series, n: int) -> list[float]:
    out = [NAN] * len(x)
    if len(x) < n:
        return out
    out[n - 1] = mean(x[:n])
    for t in range(n, len(x)):
        out[t] = out[t - 1] + 2 / (n + 1) * (x[t] - out[t - 1])
    return out


def rsi(x: Series, n: int) -> list[float]:
    out = [NAN] * len(x)
    if len(x) <= n:
        return out
    changes = [b - a for a, b in pairwise(x)]
    gain = mean([max(change, 0.0) for change in changes[:n]])
    loss = mean([max(-change, 0.0) for change in changes[:n]])
    for t in range(n, len(x)):
        if t > n:
            gain = (gain * (n - 1) + max(changes[t - 1], 0.0)) / n
            loss = (loss * (n - 1) + max(-changes[t - 1], 0.0)) / n
        out[t] = 100 * gain / (gain + loss) if gain + loss else NAN
    return out


def macd(x: Series, fast: int, slow: int, signal: int) -> tuple[list[float], ...]:
    begin = slow - fast
    quick = ([NAN] * begin + ema(x[begin:], fast))[: len(x)]
    line = [a - b for a, b in zip(quick, ema(x, slow), strict=True)]
    smooth = ([NAN] * (slow - 1) + ema(line[slow - 1 :], signal))[: len(x)]
    line = [NAN if math.isnan(s) else v for v, s in zip(line, smooth, strict=True)]
    return line, smooth, [v - s for v, s in zip(line, smooth, strict=True)]


def bollinger(x: Series, n: int, deviations: float) -> tuple[list[float], ...]:
    middle, width = sma(x, n), [NAN] * len(x)
    for t in range(n - 1, len(x)):
        window = [Fraction(value) for value in x[t - n + 1 : t + 1]]
        centre = sum(window) / n
        width[t] = deviations * math.sqrt(sum((value - centre) ** 2 for value in window) / n)
    upper = [m + w for m, w in zip(middle, width, strict=True)]
    return upper, middle, [m - w for m, w in zip(middle, width, strict=True)]


def atr(high: Series, low: Series, close: Series, n: int) -> list[float]:
    out = [NAN] * len(close)
    if len(close) <= n:
        return out
    ranges = [
        max(h, before) - min(low_, before)
        for h, low_, before in zip(high[1:], low[1:], close, strict=False)
    ]
    out[n] = mean(ranges[:n])
    for t in range(n + 1, len(close)):
        out[t] = (out[t - 1] * (n - 1) + ranges[t - 1]) / n
    return out


def vwap(dates: Sequence[str], price: Series, volume: Series) -> list[float]:
    out, dollars, shares = [], 0.0, 0.0
    for t, date in enumerate(dates):
        if t and date != dates[t - 1]:
            dollars, shares = 0.0, 0.0
        dollars, shares = dollars + price[t] * volume[t], shares + volume[t]
        out.append(dollars / shares if shares else NAN)
    return out
