"""The table that `trading live` shows while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.commands.live.all_in_one.supervisor import Supervised, Supervisor

if TYPE_CHECKING:
    from cli.commands.live.all_in_one.observation import Observation
    from cli.commands.live.all_in_one.worth import Worth

MOST_ROWS = 12


def live_table(
    seen: Observation, worth: Worth, supervisor: Supervisor, down: Sequence[str] = ()
) -> Group:
    """Counts, money and lag in lines, the busiest symbols below, and the processes.

    Args:
        seen: What goes over the bus.
        worth: What the account is worth.
        supervisor: The processes.
        down: What cannot be kept running, a sentence each without a stop.
    """
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
    states = ", ".join(map(_state, supervisor.processes))
    told = [Text(f"{sentence}.", style="bold red") for sentence in down]
    return Group(*_head(seen, worth), table, *more, Text(states), *told)


def _head(seen: Observation, worth: Worth) -> list[Text]:
    from trading.instruments.clock import NEW_YORK, moment_of  # noqa: PLC0415 - --help stays quick

    moment = moment_of(seen.clock).astimezone(NEW_YORK)
    clock = f"{moment:%Y-%m-%d %H:%M:%S} New York" if seen.clock else "Starting"
    lag = seen.lag.milliseconds()
    late = "-" if lag["p50"] is None else f"{lag['p50']:,.0f} ms, p99 {lag['p99']:,.0f} ms"
    counts = seen.counts
    money = "no equity yet"
    if worth.equity is not None and worth.profit is not None:
        money = f"equity {worth.equity:,.2f}   P&L {worth.profit:+,.2f}"
    return [
        Text(f"{clock}   {seen.ticks_per_second:,.0f} ticks/s   lag {late}"),
        Text(
            f"{counts.ticks:,} ticks   {counts.bars:,} bars   {counts.signals:,} signals   "
            f"{counts.alerts:,} alerts"
        ),
        Text(f"{len(counts.orders):,} orders   {counts.fills:,} fills   {money}"),
    ]


def _time(ts: int, interval: str) -> str:
    from trading.instruments.clock import NEW_YORK, moment_of  # noqa: PLC0415 - see above

    return f"{moment_of(ts).astimezone(NEW_YORK):%H:%M} {interval}"


def _state(one: Supervised) -> str:
    name = one.process.name
    if one.refusal:
        return f"{name} cannot run"
    if one.ended:
        return f"{name} has ended"
    if one.crashes:
        return f"{name} is down"
    return f"{name} (restarts: {one.restarts})" if one.restarts else name
