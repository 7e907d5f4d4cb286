"""A week of the whole platform, told again at 600 times its speed while processes are killed.

    uv run --extra live python -m benchmarks.week
    uv run --extra live python -m benchmarks.week --sessions 1 --kills 10

`trading live` replays a lake of made-up minutes with its servers and all its processes. In each
session some of them are killed, the servers, their keepers and the command itself among them; the
command alone is begun again by hand. After each close a flow run makes the session's silver in a
lake of its own, while its Prefect server and worker are killed, too; `--no-prefect` leaves it out.

At the end the bars have to be silver's, the signals gold's, the orders those of the signals, the
books balanced, and every alert told once; and of each session one flow run has to be completed and
no partition lost or made twice. Exits with 1 when one of it is not so.
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.week.plan import Plan
from benchmarks.week.running import Outcome, run
from trading.instruments.calendar import sessions

WARM_UP, FIRST, LAST = date(2024, 6, 24), date(2024, 7, 1), date(2024, 7, 8)
"""Five sessions, an early close, a holiday and a weekend among them, after five of warm-up."""

SYMBOLS = ("AAPL", "JPM", "MSFT", "NVDA", "XOM")

MOST_SHOWN = 50


def main(
    *,
    session_count: Annotated[int, typer.Option("--sessions", help="How many of the week.")] = 5,
    kills: Annotated[int, typer.Option(help="How many in each session.")] = 20,
    speed: Annotated[float, typer.Option(help="Simulated seconds in a second.")] = 600.0,
    seed: Annotated[int, typer.Option(help="Of the draw of what is killed.")] = 1,
    strategy: Annotated[str, typer.Option(help="What runs on the bars.")] = "bollinger_reversion",
    intervals: Annotated[str, typer.Option(help="Of which bars.")] = "5m,13m",
    prefect: Annotated[
        bool, typer.Option(help="Make silver of each session on Prefect, which is killed, too.")
    ] = True,
    keep: Annotated[Path | None, typer.Option(help="A new folder for all of it.")] = None,
) -> None:
    """Run the week and print what was found."""
    with tempfile.TemporaryDirectory(prefix="trading-week-") as temporary:
        plan = Plan(
            folder=keep or Path(temporary), symbols=SYMBOLS, warm_up=WARM_UP, first=FIRST,
            last=sessions(FIRST, LAST).dates[:session_count].tolist()[-1],
            speed=speed, strategy=strategy, intervals=tuple(intervals.split(",")),
        )  # fmt: skip
        outcome = run(plan, kills, seed, prefect=prefect)
    _print(outcome)
    raise typer.Exit(1 if outcome.violations else 0)


def _print(outcome: Outcome) -> None:
    kills = outcome.kills
    told = ", ".join(f"{name} {count}" for name, count in kills.most_common())
    print(f"{sum(kills.values())} kills: {told}\n\n| what | count | violations | |")
    print("|---|---:|---:|---|")
    for one in outcome.checks:
        print(f"| {one.what} | {one.count:,} | {len(one.violations)} | {one.remark} |")
    print(*outcome.violations[:MOST_SHOWN], sep="\n")


if __name__ == "__main__":
    typer.run(main)
