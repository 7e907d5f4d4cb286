"""`trading backtest`: parameter sets of a strategy over past bars, ranked honestly."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from pydantic import ValidationError

from cli.commands.lake.selection import symbol_names
from cli.commands.up import STARTING
from cli.display.progress import progress_display
from cli.pipeline.credentials import use_credentials_block
from cli.pipeline.pipeline import Pipeline, point_to_the_ui, quiet_prefect, worker_for
from cli.settings import absolute, existing_lake, installation, settings_before_a_server
from lake.backtests.account import account
from lake.backtests.request import HELD_BACK, BacktestRequest
from servers.connection import leases_of, prefect_connection, say_whose_server
from servers.errors import FAILED, USAGE, CommandError
from trading.backtest.assumptions import Assumptions
from trading.backtest.sweep.parameter_sets import Search, parameter_sets
from trading.backtest.sweep.ranking import SetResult, values
from trading.bars.intervals import Interval
from trading.errors import ParameterError, shown
from trading.strategies.registry import strategy_named

if TYPE_CHECKING:
    from cli.pipeline.flow_in_process import EndedFlow
    from flows.backtests.backtest import BacktestSummary
    from flows.boundary.settings import Settings
    from lake.backtests.summary import SweepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asks for, as typed; None leaves it to the defaults.

    Attributes:
        strategy: A name, or a class as `package.module:Class`.
        symbols: Names, separated by commas.
        interval: Length of the bars.
        start: First New York date.
        end: Last one, included.
        grid: Values by parameter, as JSON.
        sample: How many random sets.
        seed: Of them.
        walk_forward: Folds.
        assumptions: Capital, costs and participation by their names, those that were given.
        portfolio: Whether one account trades all symbols.
        held_back: Share of the bars that is out of sample.
        lake_dir: The lake.
        input_dir: The main pipeline's market data to take instead of silver.
    """

    strategy: str
    symbols: str | None = None
    interval: str = "1d"
    start: str | None = None
    end: str | None = None
    grid: str | None = None
    sample: int | None = None
    seed: int = 0
    walk_forward: int | None = None
    assumptions: Mapping[str, Any]
    portfolio: bool = False
    held_back: float = HELD_BACK
    lake_dir: str | None = None
    input_dir: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestOptions:
    """How to run it.

    Attributes:
        batch: How many sets one flow run covers.
        job_per: How much runs in a job of its own; None takes the settings'.
        reprocess: Whether to redo what is up to date.
        port: Where to start a local server.
        server_dir: Where its data and the logs of what it runs are.
        json: Whether to print one JSON object instead of text.
    """

    batch: int
    job_per: str | None
    reprocess: bool
    port: int
    server_dir: Path
    json: bool


def run_backtest(wish: Wish, options: BacktestOptions) -> int:
    """Run a sweep and print what came of it; returns the exit code.

    Raises:
        CommandError, TradingError: It could not be started.
    """
    started = time.monotonic()
    search = _search(wish)
    _request(wish, search, "", None)  # refuses what is no value at all
    early = settings_before_a_server()
    checked = None if early is None else _checked(wish, search, early)
    with contextlib.ExitStack() as running:
        with progress_display() as display:
            display.phase(STARTING)
            connection = running.enter_context(prefect_connection(options.server_dir, options.port))
            quiet_prefect()
            # Loads Prefect, which must know its server by then.
            settings = installation()
            say_whose_server(connection)
            use_credentials_block(settings, connection)
            request = checked or _checked(wish, search, settings)
            job_per = options.job_per or settings.job_per.value
            asked = _parameters(request, search, options) | {"job_per": job_per}
            pipeline = Pipeline(connection, settings, options.server_dir, display)
            pipeline.prepare()
            from cli.pipeline.flow_in_process import ProgressWatch, run_flow  # noqa: PLC0415 - loads Prefect
            from flows.backtests.backtest import backtest  # noqa: PLC0415 - as above
            from flows.deploy.deployments import BACKTEST  # noqa: PLC0415 - as above
            from flows.runs.observing import observer  # noqa: PLC0415 - as above

            display.phase(f"Trading {len(request.sets):,} sets of {wish.strategy}")
            watch = ProgressWatch(display)
            observer.set(watch.observe)
            ended = run_flow(
                BACKTEST,
                backtest,
                asked,
                worker=worker_for(job_per, settings.work_pool, pipeline.worker_log),
                watch=watch,
                leases=leases_of(connection, options.server_dir),
            )
        code = _tell(ended, request, time.monotonic() - started, as_object=options.json)
        point_to_the_ui(connection, serve=False)
    return code


def _search(wish: Wish) -> Search:
    grid: Any = {}
    if wish.grid is not None:
        try:
            grid = json.loads(wish.grid)
        except ValueError:
            grid = None
        if not isinstance(grid, dict):
            raise CommandError(
                f"grid={shown(wish.grid)} is not a JSON object with a list of values for each "
                """parameter; pass e.g. --grid '{"periods": [7, 14, 21]}'.""",
                USAGE,
            )
    return Search(grid=grid, sample=wish.sample, seed=wish.seed)


def _request(wish: Wish, search: Search, lake_dir: str, input_dir: str | None) -> BacktestRequest:
    """What is asked for, without a look at any bars.

    Raises:
        CommandError, ParameterError: A value cannot be used.
    """
    strategy = strategy_named(wish.strategy)
    return BacktestRequest(
        lake_dir=lake_dir,
        strategy=wish.strategy,
        interval=_interval(wish.interval),
        sets=parameter_sets(strategy, search).sets,
        symbols=symbol_names(wish.symbols),
        portfolio=wish.portfolio,
        start=_date("start", wish.start),
        end=_date("end", wish.end),
        assumptions=_assumptions(wish),
        held_back=wish.held_back,
        folds=wish.walk_forward or 0,
        input_dir=input_dir or wish.input_dir,
        as_of=datetime.now(UTC),
    )


def _checked(wish: Wish, search: Search, settings: Settings) -> BacktestRequest:
    """The request, with its bars looked at before anything is submitted."""
    # With an input_dir the lake is only where results go, and need not be there yet.
    read = None if wish.input_dir else wish.lake_dir
    lake_dir = existing_lake(read, wish.lake_dir or settings.lake_dir)
    input_dir = absolute(wish.input_dir, "input_dir") if wish.input_dir else None
    request = _request(wish, search, lake_dir, input_dir)
    account(request, request.accounts()[0])
    return request


def _parameters(
    request: BacktestRequest, search: Search, options: BacktestOptions
) -> dict[str, Any]:
    """The parameters of the flow `backtest`."""
    return {
        "strategy": request.strategy,
        "interval": request.interval.value,
        "symbols": list(request.traded_symbols()),
        "portfolio": request.portfolio,
        "start": request.start and request.start.isoformat(),
        "end": request.end and request.end.isoformat(),
        "grid": dict(search.grid) or None,
        "sample": search.sample,
        "seed": search.seed,
        "walk_forward": request.folds or None,
        "assumptions": request.assumptions.model_dump(mode="json"),
        "held_back": request.held_back,
        "batch": options.batch,
        "as_of": request.as_of and request.as_of.isoformat(),
        "reprocess": options.reprocess,
        "lake_dir": request.lake_dir,
        "input_dir": request.input_dir,
    }


def _assumptions(wish: Wish) -> Assumptions:
    given = {name: value for name, value in wish.assumptions.items() if value is not None}
    if wish.input_dir is not None:
        # Bars of the input have no volume to take a share of.
        given.setdefault("participation", None)
    try:
        return Assumptions.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        about = Assumptions.model_fields[name].description or ""
        raise ParameterError(
            name, first["input"], f"valid: {first['msg'][:1].lower()}{first['msg'][1:]}",
            f"pass another value ({about.rstrip('.')})",
        ) from None  # fmt: skip


def _interval(text: str) -> Interval:
    try:
        return Interval(text)
    except ValueError:
        raise ParameterError(
            "interval", text, "one of " + ", ".join(Interval), "pass one of them"
        ) from None


def _date(name: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ParameterError(name, text, "a date", "write it like 2024-01-02") from None


def _tell(ended: EndedFlow, request: BacktestRequest, seconds: float, *, as_object: bool) -> int:
    """Print what came of a run; returns the exit code.

    Raises:
        CommandError: It ended without any account of itself.
    """
    summary: BacktestSummary | None = ended.value
    if summary is None:
        raise CommandError(f"The run ended {ended.status}: {ended.message}".rstrip(": "), FAILED)
    if as_object:
        typer.echo(json.dumps(sweep_object(summary.sweep)))
    else:
        typer.echo(_text(summary, request))
        typer.echo(f"{ended.status.capitalize()} in {seconds:.1f} s")
    for left_out in summary.left_out[:1]:
        typer.echo(
            f"Combinations left out: {len(summary.left_out)}, the first {left_out}", err=True
        )
    if ended.message:
        typer.echo(f"\n{ended.message}", err=True)
    return 0 if ended.status == "completed" else FAILED


def sweep_object(sweep: SweepResult) -> dict[str, Any]:
    """A sweep as JSON; what is not defined is null."""
    found = sweep.ranking.deflated_sharpe
    return {
        "strategy": sweep.strategy,
        "interval": sweep.interval,
        "symbols": list(sweep.symbols),
        "tried": sweep.ranking.tried,
        "deflated_sharpe": found if math.isfinite(found) else None,
        "sets": [_set_object(one, sweep) for one in sweep.ranking.results],
    }


def _set_object(one: SetResult, sweep: SweepResult) -> dict[str, Any]:
    out_of_sample: dict[str, Any] = dict(values(one.parts.out_of_sample))
    out_of_sample["from"] = f"{one.parts.split.astype('datetime64[s]')}+00:00"
    out_of_sample["in_sample"] = values(one.parts.in_sample)
    if sweep.folds:
        out_of_sample["folds"] = [
            {"symbol": fold.symbol, "fold": fold.number, **values(fold.traded)}
            for fold in sweep.folds
            if fold.parameters == one.parameters
        ]
    return {
        "parameters": dict(one.parameters),
        "final_equity": float(one.final_equity),
        "fills": one.fills,
        "fees": float(one.fees),
        "metrics": values(one.parts.whole),
        "out_of_sample": out_of_sample,
    }


def _text(summary: BacktestSummary, request: BacktestRequest) -> str:
    from flows.backtests.rendering import (  # noqa: PLC0415 - loads Prefect
        FOLD_HEAD,
        HEAD,
        fold_rows,
        ranking_rows,
        verdict,
    )

    sweep = summary.sweep
    lines = [
        f"{sweep.strategy} on {', '.join(sweep.symbols)}, bars of {sweep.interval}",
        _counts_text(summary),
        "",
        *_columns([HEAD, *ranking_rows(sweep)]),
        "",
        f"{verdict(sweep)}",
    ]
    if sweep.folds:
        lines += ["", "Walk-forward", *_columns([FOLD_HEAD, *fold_rows(sweep)])]
    if summary.page:
        lines += ["", f"Page     {summary.page}"]
    return "\n".join([*lines, f"Lake     {request.lake_dir}"])


def _counts_text(summary: BacktestSummary) -> str:
    counts = summary.counts
    return (
        f"{counts.completed:,} partitions computed, {counts.skipped:,} up to date, "
        f"{counts.failed:,} failed"
    )


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of texts as aligned lines; on a terminal that is too narrow, what is wide beneath."""
    lines = _aligned(rows)
    width = shutil.get_terminal_size().columns
    if not sys.stdout.isatty() or max(map(len, lines)) <= width:
        return lines
    widest = max(range(len(rows[0])), key=lambda i: max(len(row[i]) for row in rows))
    kept = [_without(row, widest, number) for number, row in enumerate(rows)]
    # A head of several words on as many lines as it has parts.
    heads = [text.split(", ") for text in kept[0]]
    depth = max(map(len, heads))
    above = [[*[""] * (depth - len(parts)), *parts] for parts in heads]
    folded = _aligned([*zip(*above, strict=True), *kept[1:]])
    for number, row in enumerate(rows[1:], 1):
        folded.insert(depth + 2 * number - 1, f"    {row[widest]}")
    return folded


def _without(row: Sequence[str], column: int, number: int) -> list[str]:
    """A row without one of its columns; the first one is replaced by the row's number."""
    if column:
        return [*row[:column], *row[column + 1 :]]
    return [f"#{number}" if number else row[0], *row[1:]]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, the first column to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, len(row)))])
        for row in rows
    ]
