"""The table that `trading live` shows while it runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.commands.live.supervisor import Supervised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.commands.live.observation import Observation

MOST_ROWS = 15


def live_table(seen: Observation, processes: Sequence[Supervised]) -> Group:
    """Counts, rates and lag in a line, the busiest symbols below, and the processes."""
    from trading.instruments.clock import NEW_YORK  # noqa: PLC0415 - --help stays quick

    moment = datetime.fromtimestamp(seen.clock / 1e9, UTC).astimezone(NEW_YORK)
    clock = f"{moment:%Y-%m-%d %H:%M:%S}" if seen.clock else "waiting"
    lag = seen.lag.milliseconds()
    counts = seen.counts
    head = Text(
        f"{clock} New York   {seen.ticks_per_second:,.0f} ticks/s   {counts.ticks:,} ticks   "
        f"{counts.bars:,} bars   {counts.signals:,} signals   lag "
        + ("-" if lag["p50"] is None else f"{lag['p50']:.0f} ms, p99 {lag['p99']:.0f} ms")
    )
    table = Table("symbol", box=None, pad_edge=False)
    for name in ("price", "ticks", "bars", "last bar", "signal"):
        table.add_column(name, justify="right")
    busiest = sorted(seen.symbols.items(), key=lambda item: (-item[1].ticks, item[0]))
    for symbol, row in sorted(busiest[:MOST_ROWS]):
        bar = row.last_bar
        started = "" if bar is None else _time(bar.ts, bar.interval)
        table.add_row(
            symbol, f"{row.price:,.2f}", f"{row.ticks:,}", f"{row.bars:,}", started, row.signal
        )
    rest = len(seen.symbols) - MOST_ROWS
    more = [Text(f"and {rest:,} more symbols")] if rest > 0 else []
    return Group(head, table, *more, Text("   ".join(map(_state, processes))))


def _time(ts: int, interval: str) -> str:
    from trading.instruments.clock import NEW_YORK  # noqa: PLC0415 - see above

    return f"{datetime.fromtimestamp(ts // 10**9, UTC).astimezone(NEW_YORK):%H:%M} {interval}"


def _state(one: Supervised) -> str:
    restarts = f", begun again {one.restarts} times" if one.restarts else ""
    return f"{one.process.name}: {'ended' if one.ended else 'running'}{restarts}"
