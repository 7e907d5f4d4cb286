"""`trading lake demo`: raw bars to signals of ten synthetic symbols, from one command."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from cli.commands.lake.medallion_run import (
    RunOptions,
    as_object,
    layers_of,
    require_extra,
    run_medallion,
)
from cli.settings import absolute
from flows.runs.commands import shell_command
from lake.bronze.contents import stored_series
from lake.gold.request import GoldRequest, page_name
from servers.errors import USAGE, CommandError
from storage.directory import Directory, open_directory
from trading.bars.intervals import Interval
from trading.bars.synthetic import contract_names
from trading.instruments.clock import NEW_YORK

if TYPE_CHECKING:
    from cli.pipeline.flow_in_process import EndedFlow
    from flows.boundary.settings import Settings

SYMBOLS = tuple(contract_names(10))
FIRST, LAST = date(2024, 1, 2), date(2024, 1, 30)
"""Twenty sessions, long over: a second run finds nothing that could have changed."""

SOURCE = "synthetic"
STRATEGY = "vegas_channel"
INTERVALS = (Interval.MINUTES_5, Interval.MINUTES_21)

SHOWN_SIGNALS = 5
COUNTED = {"bronze": "bars", "silver": "bars", "silver_days": "bars", "gold": "signals"}
"""What the rows of each view are, as it is printed."""


@dataclass(frozen=True, slots=True)
class Made:
    """What is there after the run.

    Attributes:
        rows: Rows of the demonstration's symbols by view of the lake; of gold the bars of the
            strategy and its intervals.
        signals: How often each signal occurs, by its name.
        latest: The last buy or sell of each symbol, the latest first.
        pages: The page of each symbol, as far as it is there.
    """

    rows: Mapping[str, int]
    signals: Mapping[str, int]
    latest: Sequence[Mapping[str, Any]]
    pages: Sequence[str]


def run_demo(lake_dir: str | None, options: RunOptions) -> int:
    """Run all layers, and print what was made, what it says and where to look; the exit code.

    Args:
        lake_dir: The lake; None for the settings'.
        options: How to run it.

    Raises:
        CommandError, TradingError: It could not be started.
    """
    require_extra("duckdb", "talib")

    def told(ended: EndedFlow, place: str, seconds: float) -> str:
        made = _made(place)
        if options.json:
            return json.dumps(_object(ended, place, seconds, made))
        return "\n".join(_text(ended, place, seconds, made))

    return run_medallion(
        f"From raw bars to signals of {len(SYMBOLS)} symbols",
        lambda settings: _parameters(lake_dir, settings),
        told,
        options,
    )


def _parameters(lake_dir: str | None, settings: Settings) -> dict[str, Any]:
    place = absolute(lake_dir or settings.lake_dir, "lake_dir")
    refuse_bars_of_others(open_directory(place, "lake_dir"))
    return {
        "symbols": list(SYMBOLS),
        "ingestion": {
            "interval": Interval.MINUTE.value,
            "start": FIRST.isoformat(),
            "end": LAST.isoformat(),
            "sources": [SOURCE],
        },
        "strategies": [STRATEGY],
        "intervals": [interval.value for interval in INTERVALS],
        "sources": [SOURCE],
        "lake_dir": place,
    }


def refuse_bars_of_others(lake: Directory) -> None:
    """Keep silver and gold that were made of real bars from being made of synthetic ones.

    Raises:
        CommandError: The lake has bars of another source of one of the symbols.
    """
    for series in stored_series(lake.url):
        if series.symbol in SYMBOLS and series.source != SOURCE:
            raise CommandError(
                f"lake_dir={lake.url} has bars of {series.symbol} from {series.source}, which the "
                "synthetic ones of the demonstration must not replace; pass another folder with "
                "--lake-dir.",
                USAGE,
            )


def _made(place: str) -> Made:
    from lake.sql import connect  # noqa: PLC0415 - an extra brings what it needs

    symbols = ", ".join(f"'{symbol}'" for symbol in SYMBOLS)
    intervals = ", ".join(f"'{interval}'" for interval in INTERVALS)
    of_demo = {
        "bronze": f"source = '{SOURCE}' AND interval = '1m'",
        "gold": f"strategy = '{STRATEGY}' AND interval IN ({intervals})",
    }
    with connect(place) as lake:

        def rows(query: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = lake.arrow(query).to_pylist()
            return found

        counted = {
            view: rows(
                f"SELECT count(*) AS n FROM {view} "  # noqa: S608 - our own words
                f"WHERE symbol IN ({symbols}) AND {of_demo.get(view, 'true')}"
            )[0]["n"]
            for view in COUNTED
        }
        of_gold = f"FROM gold WHERE symbol IN ({symbols}) AND {of_demo['gold']}"
        signals = rows(f"SELECT signal, count(*) AS n {of_gold} GROUP BY 1 ORDER BY 1")
        latest = rows(
            f"SELECT symbol, interval, available_at, signal, close {of_gold} AND signal <> 'hold' "
            "QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY available_at DESC) = 1 "
            "ORDER BY available_at DESC, symbol"
        )
    return Made(counted, {row["signal"]: row["n"] for row in signals}, latest, _pages(place))


def _pages(place: str) -> list[str]:
    lake = open_directory(place, "lake_dir")
    request = GoldRequest(lake_dir=place, strategy=STRATEGY)
    names = (page_name(request, symbol) for symbol in SYMBOLS)
    return [
        f"{place}/{name}" if lake.is_local else lake.url_of(name)
        for name in names
        if lake.identity(name) is not None
    ]


def _query(place: str) -> str:
    """The command that asks the lake for its signals."""
    query = "SELECT symbol, interval, signal, count(*) AS bars FROM gold GROUP BY ALL ORDER BY ALL"
    return shell_command("trading", "lake", "sql", query, "--lake-dir", place)


def _object(ended: EndedFlow, place: str, seconds: float, made: Made) -> dict[str, Any]:
    latest = [
        {**row, "available_at": row["available_at"].astimezone(UTC).isoformat()}
        for row in made.latest
    ]
    return as_object(ended, place, seconds) | {
        "seconds": dict(ended.value.seconds) if ended.value is not None else {},
        "rows": dict(made.rows),
        "signals": dict(made.signals),
        "latest": latest,
        "pages": list(made.pages),
        "commands": [_query(place)],
    }


def _text(ended: EndedFlow, place: str, seconds: float, made: Made) -> Iterator[str]:
    yield f"Lake        {place}"
    yield f"Bars        {len(SYMBOLS)} symbols, {FIRST} to {LAST}, synthetic minutes"
    yield ""
    yield from _layers(ended)
    yield ""
    for view, what in COUNTED.items():
        yield f"{view:<12}{made.rows[view]:>9,} {what}"
    if made.latest:
        said = ", ".join(f"{count:,} {signal}" for signal, count in made.signals.items())
        yield ""
        yield f"{STRATEGY} says: {said}. The latest, by New York time:"
        yield from map(_signal, made.latest[:SHOWN_SIGNALS])
    yield ""
    if made.pages:
        yield f"Charts      {made.pages[0]}"
        yield f"            and {len(made.pages) - 1} more beside it; open them in a browser"
    yield f"Ask         {_query(place)}"
    yield f"Time        {seconds:.1f} s"


def _layers(ended: EndedFlow) -> Iterator[str]:
    """A line for each layer: what became of its partitions, and how long that took."""
    taken = ended.value.seconds if ended.value is not None else {}
    yield f"{'layer':<20}{'computed':>10}{'up to date':>12}{'failed':>8}{'seconds':>9}"
    for layer, counts in layers_of(ended).items():
        yield (
            f"{layer:<20}{counts['computed']:>10,}{counts['up_to_date']:>12,}"
            f"{counts['failed']:>8,}{taken.get(layer.split(maxsplit=1)[0], 0.0):>9.1f}"
        )


def _signal(row: Mapping[str, Any]) -> str:
    moment: datetime = row["available_at"].astimezone(NEW_YORK)
    return (
        f"  {row['symbol']:<6}{row['signal']:<5} at {row['close']:.2f}, "
        f"bar of {row['interval']} until {moment:%Y-%m-%d %H:%M}"
    )
