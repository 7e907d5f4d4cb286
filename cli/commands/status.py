"""`trading status`: the grid of partitions in the terminal, and the commands that complete it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise

import typer

from cli.commands.prune import prune_command
from cli.pipeline.failures import named_server, server_note, with_failures
from cli.pipeline.query import (
    STATUSES,
    PartitionQuery,
    as_json,
    counts,
    read_status,
    stored_request_of,
)
from cli.settings import installation
from flows.runs.commands import shell_command
from lake.dataset import PartitionStatus, SymbolStatus
from lake.keys import Partition
from lake.market.orphaned import Orphan, counted, orphaned_results
from lake.market.request import MarketRequest

INCOMPLETE = 3
"""Exit code when a partition is not done; 1 is for a command that could not find out."""

SIGNS = {
    PartitionStatus.FAILED: ("✗", "x", typer.colors.RED),
    PartitionStatus.MISSING: ("·", ".", typer.colors.BRIGHT_BLACK),
    PartitionStatus.STALE: ("~", "~", typer.colors.YELLOW),
    PartitionStatus.DONE: ("✓", "#", typer.colors.GREEN),
}
"""How each status shows, where the terminal knows the sign and where it does not, and its colour;
of several partitions in one column the first of these shows."""

NARROWEST, WIDEST = 10, 120

NAMED_ORPHANS = 5
"""Orphaned results that are named for people; the JSON object names all."""


def run_status(query: PartitionQuery, *, as_object: bool) -> int:
    """Print the status of every partition asked about; returns the exit code.

    Args:
        query: Which partitions.
        as_object: Whether to print one JSON object instead of text.

    Raises:
        CommandError, TradingError: It cannot be found out.
    """
    settings = installation()
    server = named_server(settings)
    request = stored_request_of(settings, query)
    statuses = read_status(request, query)
    if server is not None:
        statuses = with_failures(request.output_dir.location, statuses)
    orphaned = orphaned_results(request)
    text = status_json if as_object else status_text
    typer.echo(text(request, query, statuses, orphaned, server_note(server)))
    done = all(s.count(PartitionStatus.DONE) == len(s.states) for s in statuses)
    return 0 if done else INCOMPLETE


def status_json(
    request: MarketRequest,
    query: PartitionQuery,
    statuses: Sequence[SymbolStatus[Partition]],
    orphaned: Sequence[Orphan],
    note: str,
) -> str:
    """The status as one JSON object."""
    return as_json(
        {
            "input_dir": request.input_dir.location,
            "output_dir": request.output_dir.location,
            "grain": request.grain.value,
            "strategy": request.strategy.model_dump(mode="json"),
            "note": note,
            "partitions": counts(statuses),
            "contracts": {
                s.symbol: {
                    state.value: [p.relative_path for p in s.having({state})]
                    for state in STATUSES
                    if state is not PartitionStatus.DONE
                }
                | {"done": s.count(PartitionStatus.DONE)}
                for s in statuses
            },
            "commands": commands(request, query, counts(statuses)),
            "orphaned": [orphan.file for orphan in orphaned],
            "prune_command": prune_command(request, query.contracts) if orphaned else None,
        }
    )


def status_text(
    request: MarketRequest,
    query: PartitionQuery,
    statuses: Sequence[SymbolStatus[Partition]],
    orphaned: Sequence[Orphan],
    note: str,
) -> str:
    """The status for people: a line per contract, a legend and what to do."""
    totals = counts(statuses)
    partitions = statuses[0].keys  # contracts share the bars of the data
    first, last = (p.label.removeprefix(p.symbol).strip() for p in (partitions[0], partitions[-1]))
    width = min(len(partitions), WIDEST, max(NARROWEST, _columns() - 34))
    names = max(len(s.symbol) for s in statuses)
    per_column = "one" if width == len(partitions) else f"about {len(partitions) / width:.0f}"
    lines = [
        f"Results  {request.output_dir.location}",
        f"Input    {request.input_dir.location}",
        f"Grain    {request.grain.value}: {_number_of(statuses)}",
        f"Time     {first} to {last}, {per_column} to a column",
        "",
        *(f"{s.symbol:<{names}}  {_row(s, width)}  {_told(s)}" for s in statuses),
        "",
        "   ".join(
            f"{_sign(state)} {state.value} {totals[state.value]}" for state in reversed(list(SIGNS))
        ),
        note,
    ]
    if todo := commands(request, query, totals):
        lines += ["", "To complete it:", *(f"  {command}" for command in todo)]
    if orphaned:
        lines += ["", *_orphaned_lines(request, query, orphaned)]
    return "\n".join(lines)


def _orphaned_lines(
    request: MarketRequest, query: PartitionQuery, orphaned: Sequence[Orphan]
) -> list[str]:
    named = [orphan.file for orphan in orphaned[:NAMED_ORPHANS]]
    more = len(orphaned) - len(named)
    return [
        f"Orphaned, which no portfolio counts: {counted(orphaned)}",
        f"  {', '.join(named)}{f' and {more:,} more' if more else ''}",
        "To list them, and to remove them once you confirm it:",
        f"  {prune_command(request, query.contracts)}",
    ]


def commands(request: MarketRequest, query: PartitionQuery, totals: Mapping[str, int]) -> list[str]:
    """The commands that would compute what is not done: of each status there is, then of all."""
    words = ["--output-dir", request.output_dir.location, "--input-dir", request.input_dir.location]
    # Told always: what `redo` takes by itself are those of the results, then.
    words += ["--grain", request.grain.value]
    words += ["--strategy", request.strategy.model_dump_json(exclude_defaults=True)]
    asked = {"--contracts": query.contracts, "--from": query.first, "--to": query.last}
    words += [word for name, value in asked.items() if value for word in (name, value)]
    undone = [s.value for s in SIGNS if s is not PartitionStatus.DONE and totals[s.value]]
    each = [shell_command("trading", "redo", "--only", status, *words) for status in undone]
    return each if len(each) < 2 else [*each, shell_command("trading", "redo", *words)]  # noqa: PLR2004 - one says it all


def _number_of(statuses: Sequence[SymbolStatus[Partition]]) -> str:
    each, contracts = len(statuses[0].keys), len(statuses)
    return f"{each:,} partitions of " + (
        "1 contract" if contracts == 1 else f"each of {contracts} contracts"
    )


def _columns() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _row(status: SymbolStatus[Partition], width: int) -> str:
    count = len(status.states)
    width = min(width, count)
    bounds = [count * i // width for i in range(width + 1)]
    return "".join(_sign(_worst(status.states[a:b])) for a, b in pairwise(bounds))


def _worst(states: Sequence[PartitionStatus]) -> PartitionStatus:
    return next(state for state in SIGNS if state in states)


def _sign(state: PartitionStatus) -> str:
    sign, plain, colour = SIGNS[state]
    try:
        sign.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        sign = plain
    return typer.style(sign, fg=colour)


def _told(status: SymbolStatus[Partition]) -> str:
    """`18 done, 6 missing`, without what there is none of."""
    order = (s for s in reversed(list(SIGNS)) if status.count(s))
    return ", ".join(f"{status.count(s)} {s.value}" for s in order)
