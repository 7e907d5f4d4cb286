"""`trading lake gaps`: what is missing, by symbol and session, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import typer

from adapters.market_data.sources import SourceName
from cli.commands.lake.question import LakeQuestion, check_known, lake_dir, stored_requests
from cli.pipeline.query import as_json
from cli.settings import installation
from flows.runs.commands import shell_command
from lake.bronze.contents import Series, gap_records, keys_between
from lake.bronze.records import GapRecord, read_checks
from lake.bronze.request import BronzeRequest
from storage.directory import open_directory

INCOMPLETE = 3
"""Exit code when a gap is open."""


def run_gaps(question: LakeQuestion, *, explained: bool, as_object: bool) -> int:
    """Print the open gaps; returns the exit code.

    Args:
        question: Of which bars.
        explained: Whether to print those that are not open, too.
        as_object: Whether to print one JSON object instead of text.

    Raises:
        CommandError, TradingError: It cannot be found out.
    """
    settings = installation()
    place = lake_dir(question, settings)
    requests = stored_requests(question, settings)
    open_gaps = [record for request in requests for record in _open(request)]
    others = [r for request in requests for r in _explained(request)] if explained else []
    if not open_gaps and not others:
        check_known(question, settings)
    if as_object:
        gaps = [_fields(record) for record in open_gaps]
        typer.echo(
            as_json({"lake_dir": place, "open": gaps, "explained": [_fields(r) for r in others]})
        )
    else:
        typer.echo(_text(place, open_gaps, others))
    return INCOMPLETE if open_gaps else 0


def _open(request: BronzeRequest) -> list[GapRecord]:
    lake = open_directory(request.lake_dir, "lake_dir")
    every = [Series(request.source, request.interval, symbol) for symbol in request.symbols]
    return list(gap_records(lake, every, request.first, request.last))


def _explained(request: BronzeRequest) -> list[GapRecord]:
    lake = open_directory(request.lake_dir, "lake_dir")
    found = []
    for symbol in request.symbols:
        series = Series(request.source, request.interval, symbol)
        for key in keys_between(lake, series, request.first, request.last):
            record = read_checks(lake, key)
            if record is not None and record.explained:
                found.append(GapRecord(key, record.explained))
    return found


def _fields(record: GapRecord) -> dict[str, object]:
    return {
        "partition": record.key.relative_path,
        "source": record.key.source,
        "interval": record.key.interval.value,
        "symbol": record.key.symbol,
        "detail": record.detail,
        "sessions": [
            dataclasses.asdict(gap) | {"session": gap.session.isoformat()} for gap in record.gaps
        ],
    }


def _text(place: str, records: Sequence[GapRecord], others: Sequence[GapRecord]) -> str:
    lines = [f"Lake  {place}", ""]
    lines += _lines(records) if records else ["There is no open gap."]
    if others:
        lines += ["", "Explained, and not asked for again:", *_lines(others)]
    if records:
        lines += ["", *_next_steps(place, {record.key.source for record in records})]
    return "\n".join(lines)


def _next_steps(place: str, sources: Collection[str]) -> list[str]:
    """How to fetch what is missing: a command as it stands, and what `files` needs beside it."""
    words = ["trading", "lake", "redo", "--gaps", "--lake-dir", place]
    others = sorted(set(sources) - {SourceName.FILES})
    chosen = [] if len(others) == len(sources) else ["--source", ",".join(others)]
    lines = []
    if others:
        lines.append(f"To fetch just these again: {shell_command(*words, *chosen)}")
    if chosen:
        lines.append(
            "Those of the source files: the same with --source files, and --from with the folder "
            "of the delivery."
            if others
            else "To read just these again: trading lake redo --gaps with --source files, and "
            "--from with the folder of the delivery."
        )
    return lines


def _lines(records: Sequence[GapRecord]) -> list[str]:
    lines = []
    for record in records:
        key = record.key
        for gap in record.gaps:
            stretches = ", ".join(
                first if first == last else f"{first} to {last}" for first, last in gap.missing[:3]
            )
            more = f" and {len(gap.missing) - 3} more" if len(gap.missing) > 3 else ""  # noqa: PLR2004 - as above
            lines.append(
                f"{key.symbol} {gap.session} {key.interval.value} {key.source}: "
                f"{gap.present} of {gap.expected} bars, {gap.reason.value} ({stretches}{more})"
            )
        if record.detail:
            lines.append(f"  {record.detail}")
    return lines
