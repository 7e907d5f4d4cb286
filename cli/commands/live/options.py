"""What the commands of the live side are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SYNTHETIC, REPLAY, ALPACA, POLYGON = "synthetic", "replay", "alpaca", "polygon"

DEFAULT_STRATEGY, DEFAULT_INTERVAL = "bollinger_reversion", "1m"
"""It needs few bars, so made-up prices become orders within a minute."""

DEFAULT_SPEED = 30.0
"""A minute takes two seconds: time for all processes, also on a laptop that does something else."""

DEFAULT_SYMBOLS = "AAPL,AMZN,GOOG,JPM,META,MSFT,NVDA,SPY,TSLA,XOM"


def paper_account(source: str | None) -> str:
    """The paper account of a kind of prices: money earned on made-up ones is kept apart."""
    return f"paper-{source}" if source in (SYNTHETIC, REPLAY) else "paper"


def clock_for(source: str | None) -> Literal["wall", "events"]:
    """Whose time a kind of prices is of."""
    return "events" if source in (SYNTHETIC, REPLAY) else "wall"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """Where ticks come from.

    Attributes:
        source: `synthetic`, `replay`, `alpaca` or `polygon`; None for what there is.
        symbols: Names, separated by commas, or how many synthetic ones; None leaves those that
            were asked for before, or takes some.
        rate: Synthetic ticks in a second.
        speed: Simulated seconds in a second, of synthetic ticks and replays.
        first: First day of a replay; None for `last`, or where that is None as well the lake's
            last 30 days in `trading live`, and the last session in `trading live stream`.
        last: Last one, included; None for `first`.
        bronze_source: The source of bronze that is told again; None for the only one.
        lake_dir: The lake; None for the settings'.
    """

    source: str | None = SYNTHETIC
    symbols: str | None = None
    rate: float = 200.0
    speed: float = DEFAULT_SPEED
    first: str | None = None
    last: str | None = None
    bronze_source: str | None = None
    lake_dir: str | None = None

    def arguments(self) -> list[str]:
        """The same as options of a command."""
        given: Sequence[tuple[str, object]] = (
            ("--source", self.source), ("--symbols", self.symbols), ("--rate", self.rate),
            ("--speed", self.speed), ("--from", self.first), ("--to", self.last),
            ("--bronze-source", self.bronze_source), ("--lake-dir", self.lake_dir),
        )  # fmt: skip
        return [word for name, value in given if value is not None for word in (name, str(value))]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalOptions:
    """What runs on live bars.

    Attributes:
        strategies: Names, separated by commas.
        intervals: Lengths of bars, separated by commas.
        lake_dir: The lake; None for the settings'.
    """

    strategies: str = DEFAULT_STRATEGY
    intervals: str = DEFAULT_INTERVAL
    lake_dir: str | None = None

    def arguments(self) -> list[str]:
        """The same as options of a command."""
        lake = [] if self.lake_dir is None else ["--lake-dir", self.lake_dir]
        return ["--strategy", self.strategies, "--interval", self.intervals, *lake]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """How `trading live` runs.

    Attributes:
        stream: Where ticks come from; without a source, what there is decides.
        signals: What runs on bars; the executor follows the first strategy on the first interval.
        minutes: After how many minutes it ends by itself; None for never.
        port: Where the desk is; 0 for a free one.
        prefect: Whether a Prefect server and a worker run beside it.
        schedules: Whether the deployments run by themselves.
        server_dir: Where servers of this machine keep their data, and where logs are.
        json: Whether to print one JSON object at the end instead of a table meanwhile.
    """

    stream: StreamOptions
    signals: SignalOptions
    minutes: float | None
    port: int
    prefect: bool
    schedules: bool
    server_dir: Path
    json: bool
