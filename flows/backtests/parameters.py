"""The parameters that the flows of backtests share, as types."""

from datetime import date
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from flows.boundary.parameters import input_url
from lake.backtests.request import PORTFOLIO
from trading.backtest.assumptions import Assumptions
from trading.backtest.sweep.folds import MOST_FOLDS
from trading.bars.intervals import Interval
from trading.instruments.symbols import CONTRACT_PATTERN, Contract

BarInterval = Annotated[
    Interval, Field(description="Length of a bar.", examples=["1d", "5m", "1h"])
]
AccountName = Annotated[
    str,
    Field(
        pattern=f"{CONTRACT_PATTERN}|^{PORTFOLIO}$",
        description=f"The symbol of the account, or {PORTFOLIO} for one account of several.",
        examples=["AAPL", PORTFOLIO],
    ),
]
PortfolioSymbols = Annotated[
    list[Contract] | None,
    Field(
        description="The symbols of the portfolio; empty for one symbol.",
        examples=[["AAPL", "MSFT"]],
    ),
]
Start = Annotated[
    date | None,
    Field(
        description="First New York date that is traded; the strategy sees all bars before it. "
        "Empty: the first there is.",
        examples=["2020-01-02"],
    ),
]
End = Annotated[
    date | None,
    Field(
        description="Last New York date, included; empty: the last there is.",
        examples=["2023-12-29"],
    ),
]
Grid = Annotated[
    dict[str, list[Any]] | None,
    Field(
        description="Values to try by parameter of the strategy; every combination is a set.",
        examples=[{"periods": [7, 14, 21], "oversold": [25, 30]}],
    ),
]
Sample = Annotated[
    int | None,
    Field(ge=1, description="How many random sets to try instead of a grid.", examples=[100]),
]
Seed = Annotated[
    int,
    Field(description="Of the random sets: the same seed draws the same ones.", examples=[7]),
]
Folds = Annotated[
    int | None,
    Field(
        ge=1,
        le=MOST_FOLDS,
        description="Folds of a walk-forward: each chooses by the bars before it and trades the "
        "next ones. Empty: none.",
        examples=[5],
    ),
]
HeldBack = Annotated[
    float,
    Field(
        gt=0,
        lt=1,
        description="Share of the bars, at the end, that sets are not compared by.",
        examples=[0.3],
    ),
]
AccountAssumptions = Annotated[
    Assumptions,
    Field(
        description="Capital, costs, and how signals become orders.",
        examples=[{"capital": "50000", "fees_bps": "2"}],
    ),
]
Batch = Annotated[
    int,
    Field(
        ge=1, le=1_000, description="How many parameter sets one flow run covers.", examples=[50]
    ),
]
MarketInput = Annotated[
    str | None,
    Field(
        description="Folder or fsspec URL with the main pipeline's market data, to take instead "
        "of the lake's silver. They have no volumes: set participation to null.",
        examples=["input"],
    ),
]
AsOf = Annotated[
    AwareDatetime | None,
    Field(
        description="The moment as of which is computed: sessions that end later, and actions "
        "known later, take no part; empty: now.",
        examples=["2024-06-28T17:00:00-04:00"],
    ),
]


def market_url(input_dir: str | None) -> str | None:
    """The market data asked for, absolute; None where bars come from the lake.

    Raises:
        ParameterError: It cannot name a directory, or would be gone with this process.
    """
    return None if input_dir is None else input_url(input_dir)
