"""A synthetic market whose true betas are known: one factor, the S&P 500, and a VIX beside it.

The S&P 500's hourly returns scale with the VIX of the bar before; the logarithm of the VIX reverts
to its mean (Ornstein-Uhlenbeck in discrete time) and is shocked against the S&P 500. A contract's
return is `drift + beta * SPX return + noise`, so that `beta` is what a regression
of percentage changes estimates (Sharpe, "A Simplified Model for Portfolio Analysis", Management
Science 9, 1963).

Every series draws from a random stream of its own, seeded by its name: asking for more contracts
or more bars leaves the others and the earlier ones as they are. Prices are rounded to 1/100 of a
cent, which also hides the last digit in which mathematical libraries differ.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats, Timestamps
from trading.errors import ParameterError
from trading.instruments.symbols import checked_contract

LISTED = {
    "AAPL": (185.0, 1.15),
    "MSFT": (372.0, 1.10),
    "GOOGL": (138.5, 1.20),
    "AMZN": (150.0, 1.30),
    "TSLA": (250.0, 1.85),
    "NVDA": (49.0, 1.70),
    "META": (350.0, 1.35),
    "BRK-B": (360.0, 0.75),
    "JPM": (170.0, 1.05),
    "V": (259.0, 0.90),
}
"""The first contracts: start price in dollars and true beta. The others draw theirs."""

MAX_CONTRACTS = 5_000

SPX_START, SPX_VOLATILITY, SPX_DRIFT = 4_745.0, 0.003, 0.00003
"""Index points; standard deviation and mean of an hourly return while the VIX is at its mean."""

VIX_MEAN, VIX_REVERSION, VIX_VOLATILITY = 16.5, 0.02, 0.03
"""Index points; share of the (logarithmic) gap closed per bar; shock of the logarithm per bar."""

VIX_SPX_CORRELATION = -0.7

MAX_LOSS = -0.5
"""No return in one bar is below this, which keeps prices positive."""

DECIMALS = 4


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticMarket:
    """Generated series.

    Attributes:
        timestamps: Bar starts, UTC, shape (n,).
        contracts: Names of the k contracts.
        prices: Close prices in dollars, shape (n, k), each contract's column contiguous.
        vix: VIX in index points, shape (n,).
        spx: S&P 500 in index points, shape (n,).
        betas: True betas, shape (k,).
    """

    timestamps: Timestamps
    contracts: tuple[str, ...]
    prices: npt.NDArray[np.float64]
    vix: Floats
    spx: Floats
    betas: Floats


def contract_names(count: int) -> list[str]:
    """The first `count` contracts: ten listed ones, then `SYN0011`, `SYN0012` and so on.

    Raises:
        ParameterError: `count` is not between 1 and 5,000.
    """
    if not 1 <= count <= MAX_CONTRACTS:
        raise ParameterError(
            "contracts", count, f"between 1 and {MAX_CONTRACTS}", "pass for instance 10"
        )
    names = list(LISTED)[:count]
    return names + [f"SYN{number:04}" for number in range(len(names) + 1, count + 1)]


def synthetic_market(
    contracts: Sequence[str], timestamps: Timestamps, seed: int
) -> SyntheticMarket:
    """Generate prices of `contracts`, the VIX and the S&P 500.

    Args:
        contracts: Names, each once; a name and the seed determine its series.
        timestamps: Bar starts, UTC, strictly increasing, shape (n,); only their number matters.
        seed: Not negative.

    Raises:
        ParameterError: A name is malformed or repeated, or the seed is negative.
    """
    names = tuple(checked_contract(name) for name in contracts)
    if len(set(names)) != len(names):
        raise ParameterError("contracts", names, "a list of different names", "name each once")
    if seed < 0:
        raise ParameterError("seed", seed, "0 or more", "pass for instance 0")
    bars = len(timestamps)
    spx_return, vix = _market(bars, seed)
    prices = np.empty((len(names), bars))
    betas = np.empty(len(names))
    for row, name in enumerate(names):
        stream = _stream(seed, name)
        start, betas[row], noise = _character(name, stream)
        drift = SPX_DRIFT * stream.uniform(0.0, 2.0)
        own = stream.standard_normal(bars)
        prices[row] = _levels(start, drift + betas[row] * spx_return + noise * own)
    return SyntheticMarket(
        timestamps, names, prices.T, np.round(vix, 2), _levels(SPX_START, spx_return), betas
    )


def _market(bars: int, seed: int) -> tuple[Floats, Floats]:
    """The S&P 500's returns as fractions, and the VIX, shape (bars,) each."""
    shock = _stream(seed, "^SPX").standard_normal(bars)
    own = _stream(seed, "^VIX").standard_normal(bars)
    own_share = np.sqrt(1.0 - VIX_SPX_CORRELATION**2)
    push = VIX_VOLATILITY * (VIX_SPX_CORRELATION * shock + own_share * own)
    gap = np.empty(bars)
    before = 0.0
    for bar, pushed in enumerate(push.tolist()):
        before = (1.0 - VIX_REVERSION) * before + pushed
        gap[bar] = before
    vix = VIX_MEAN * np.exp(gap)
    known = np.concatenate([[VIX_MEAN], vix[:-1]])[:bars]
    return SPX_DRIFT + SPX_VOLATILITY * known / VIX_MEAN * shock, vix


def _character(name: str, stream: np.random.Generator) -> tuple[float, float, float]:
    """Start price in dollars, true beta and standard deviation of the own hourly return."""
    start = round(float(np.exp(stream.normal(4.6, 0.6))), 2)
    beta = round(float(stream.uniform(0.4, 1.8)), 2)
    noise = float(stream.uniform(0.003, 0.006))
    listed_start, listed_beta = LISTED.get(name, (start, beta))
    return listed_start, listed_beta, noise


def _levels(start: float, returns: Floats) -> Floats:
    """Prices after each return, never below the smallest one that rounding keeps positive."""
    levels = start * np.cumprod(1.0 + np.maximum(returns, MAX_LOSS))
    return np.maximum(np.round(levels, DECIMALS), 10.0**-DECIMALS)


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
