"""What people read of a run: messages and Markdown, made from data."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, Protocol

SHOWN_FAILURES = 5
"""Failures that a state's message lists; the artifact lists more."""

LISTED_FAILURES = 200
"""Failures that an artifact lists."""

GRID_COLUMNS = 48
"""Widest grid; more partitions than that share a cell."""

REASON_LENGTH = 300
"""Characters of a reason that are shown."""


HEADLINES = (
    ("Total P&L", "total_pnl_pct", "{:+.3f} %"),
    ("Sharpe ratio", "sharpe", "{:.2f}"),
    ("Maximum drawdown", "max_drawdown_pct", "{:.3f} %"),
    ("Win rate", "win_rate", "{:.1%}"),
    ("Average beta", "average_beta", "{:.3f}"),
    ("Trades", "trades", "{:,}"),
    ("  good", "good_trades", "{:,}"),
    ("  bad", "bad_trades", "{:,}"),
)
"""The metrics that a summary shows: name, key and form."""


class Cell(StrEnum):
    """What became of the partitions of one cell of the grid; the worst one shows."""

    LEFT_OUT = "-"
    SKIPPED = "·"
    COMPLETED = "✓"
    FAILED = "✗"


@dataclass(frozen=True, slots=True)
class Failure:
    """A partition that is not done, and what to do about it.

    Attributes:
        partition: Its label.
        outcome: How its run ended, e.g. `failed`.
        reason: The run's last message.
        command: The command that redoes it.
    """

    partition: str
    outcome: str
    reason: str
    command: str


class Counts(Protocol):
    """Counts of partitions, as every summary has them."""

    @property
    def total(self) -> int:
        """All partitions."""

    @property
    def completed(self) -> int:
        """Computed by this run."""

    @property
    def skipped(self) -> int:
        """Up to date before it."""

    @property
    def failed(self) -> int:
        """Neither."""


class Warned(Protocol):
    """A check of the data that found something, as `findings.CheckResult` has it."""

    @property
    def check(self) -> str:
        """Its name."""

    @property
    def message(self) -> str:
        """What it found, in one sentence."""


def artifact_key(*words: str) -> str:
    """An artifact's key: lower-case letters, digits and dashes are all it may hold."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def failure_message(failures: Sequence[Failure], total: int, what: str = "partitions") -> str:
    """Why a run failed, and the command for each partition to redo, as its state's message."""
    lines = [f"{len(failures)} of {total} {what} are not done; redo each with its command."]
    lines += [
        f"{f.partition} {f.outcome}: {_short(f.reason)} Redo: {f.command}"
        for f in failures[:SHOWN_FAILURES]
    ]
    if len(failures) > SHOWN_FAILURES:
        lines.append(f"... and {len(failures) - SHOWN_FAILURES} more, listed in the artifact.")
    return "\n".join(lines)


def symbol_summary(contract: str, counts: Counts, failures: Sequence[Failure], places: str) -> str:
    """The Markdown of one contract's summary.

    Args:
        contract: The contract's name.
        counts: Of its partitions.
        failures: Partitions that are not done.
        places: See `places_text`.
    """
    parts = [f"# {contract}", places, _counts_table(counts), *failures_section(failures)]
    return "\n\n".join(parts)


def places_text(input_dir: str, output_dir: str) -> str:
    """Where a run reads and writes, as absolute locations."""
    return f"Input: {input_dir}\n\nResults: {output_dir}"


def orchestration_summary(
    counts: Counts,
    contracts: Mapping[str, Counts],
    labels: Sequence[str],
    cells: Mapping[str, Sequence[Cell]],
    failures: Sequence[Failure],
    portfolio: Mapping[str, Any] | None,
    places: str,
    *,
    warnings: Sequence[Warned] = (),
) -> str:
    """The Markdown of a whole run: totals, the tree of runs, the grid and what failed.

    Args:
        counts: Totals over all contracts.
        contracts: Counts by contract.
        labels: What each of a contract's partitions is called, without the contract.
        cells: Status of each partition, by contract, as long as `labels`.
        failures: Partitions that are not done.
        portfolio: The portfolio's metrics, when it was aggregated.
        places: See `places_text`.
        warnings: The checks of the data that found something.
    """
    parts = ["# Trading orchestrator", places, _counts_table(counts)]
    if warnings:
        found = [(warned.check, warned.message) for warned in warnings]
        parts += ["## Validation: WARN", table(("check", "what it says"), found)]
    if portfolio:
        parts += ["## Portfolio", *standing_notes(portfolio)]
        parts.append(table(("metric", "value"), headlines(portfolio)))
    parts += ["## Runs", _tree(contracts), "## Status by contract and time", grid(labels, cells)]
    return "\n\n".join(parts + failures_section(failures))


def dataset_summary(
    dataset: str,
    counts: Counts,
    cells: Mapping[str, Mapping[str, Cell]],
    failures: Sequence[Failure],
) -> str:
    """The Markdown of a dataset's run: totals, the grid of symbols by time, and what failed.

    Args:
        dataset: The dataset's name.
        counts: Totals over all symbols.
        cells: By symbol, the status of each partition by its name without the symbol; symbols may
            have different partitions.
        failures: Partitions that are not done.
    """
    labels = sorted({label for row in cells.values() for label in row})
    rows = {
        symbol: [row.get(label, Cell.LEFT_OUT) for label in labels] for symbol, row in cells.items()
    }
    parts = [f"# {dataset}", _counts_table(counts), "## Status by symbol and time"]
    return "\n\n".join([*parts, grid(labels, rows), *failures_section(failures)])


def headlines(portfolio: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The main metrics of a portfolio with their names, as people read them."""
    shown = [(name, key, form) for name, key, form in HEADLINES if key in portfolio]
    return [(name, _headline(portfolio, key, form)) for name, key, form in shown]


def _headline(portfolio: Mapping[str, Any], key: str, form: str) -> str:
    if portfolio[key] is not None:
        return form.format(portfolio[key])
    reason = portfolio.get("not_annualised") if key == "sharpe" else ""
    return f"n/a ({reason})" if reason else "n/a"


def standing_notes(portfolio: Mapping[str, Any]) -> list[str]:
    """What the reader of a portfolio must know of its results; nothing when all is as it should be.

    Args:
        portfolio: Metrics as `lake.market.aggregate.metrics` has them.
    """
    stale, missing, orphaned = (
        portfolio.get(f"{status}_results", 0) for status in ("stale", "missing", "orphaned")
    )
    notes = []
    if stale:
        notes.append(
            f"The portfolio mixes: {_results(stale)} in it {_are(stale)} stale, computed from "
            "other prices or parameters or by another version of the analysis; trading status "
            "prints the command that makes them again."
        )
    if missing:
        notes.append(
            f"The portfolio lacks {_results(missing)} that the input asks for; trading status "
            "prints the command that computes them."
        )
    if orphaned:
        notes.append(
            f"{_results(orphaned)} in the folder {_are(orphaned)} orphaned: the input does not ask "
            "for what is in there, and the portfolio leaves it out; trading prune lists and "
            "removes what is orphaned."
        )
    return notes


def _results(count: int) -> str:
    return f"{count:,} result{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _tree(contracts: Mapping[str, Counts]) -> str:
    lines = ["trading-orchestrator"]
    last = len(contracts) - 1
    for i, (contract, c) in enumerate(contracts.items()):
        branch = "└──" if i == last else "├──"
        lines.append(f"{branch} {contract}: {counts_text(c)}")
    return "```\n" + "\n".join(lines) + "\n```"


def grid(labels: Sequence[str], cells: Mapping[str, Sequence[Cell]]) -> str:
    """A contract-by-time grid of statuses; neighbouring times share a column when many."""
    width = min(len(labels), GRID_COLUMNS)
    if not width:
        return "There are no partitions."
    bounds = [len(labels) * i // width for i in range(width + 1)]
    rows = (
        (contract, "".join(_worst(row[low:high]) for low, high in pairwise(bounds)))
        for contract, row in cells.items()
    )
    name_width = max(map(len, cells), default=0)
    lines = [f"{contract:<{name_width}}  {row}" for contract, row in rows]
    legend = f"{labels[0]} to {labels[-1]}, one column for "
    per_column = "each" if width == len(labels) else f"about {len(labels) / width:.0f}"
    legend += f"{per_column}. ✓ computed, · up to date, ✗ not done."
    if any(Cell.LEFT_OUT in row for row in cells.values()):
        legend = legend.removesuffix(".") + ", - not asked for."
    return legend + "\n\n```\n" + "\n".join(lines) + "\n```"


def _worst(cells: Sequence[Cell]) -> Cell:
    worst_first = (Cell.FAILED, Cell.COMPLETED, Cell.SKIPPED)
    return next((cell for cell in worst_first if cell in cells), Cell.LEFT_OUT)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; values are made safe for its cells."""
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def value_text(value: object) -> str:
    """A value as people read it: n/a for what is not defined, six significant digits."""
    if value is None:
        return "n/a"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _row(values: Iterable[object]) -> str:
    cells = (value_text(v).replace("|", "\\|").replace("\n", " ") for v in values)
    return "| " + " | ".join(cells) + " |"


def counts_text(counts: Counts) -> str:
    """`6 computed, 18 up to date, 0 failed`."""
    return f"{counts.completed} computed, {counts.skipped} up to date, {counts.failed} failed"


def _counts_table(counts: Counts) -> str:
    return table(
        ("partitions", "computed", "up to date", "failed"),
        [(counts.total, counts.completed, counts.skipped, counts.failed)],
    )


def failures_section(failures: Sequence[Failure]) -> list[str]:
    """The Markdown of what is not done; nothing when there is nothing."""
    if not failures:
        return []
    shown = failures[:LISTED_FAILURES]
    rows = [(f.partition, f.outcome, _short(f.reason), f"`{f.command}`") for f in shown]
    more = len(failures) - len(shown)
    tail = [f"... and {more} more."] if more else []
    return ["## Not done", table(("partition", "outcome", "reason", "redo with"), rows), *tail]


def _short(reason: str) -> str:
    text = " ".join(reason.split()) or "No reason was given."
    return text if len(text) <= REASON_LENGTH else f"{text[: REASON_LENGTH - 3]}..."
