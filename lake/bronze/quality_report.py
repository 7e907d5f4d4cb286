"""What is known of the quality of some days' bars: gaps, findings, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from lake.bronze.contents import Series, check_sessions, gap_records, keys_between, stored_series
from lake.bronze.records import read_checks
from storage.directory import Directory
from trading.bars.quality.findings import Status


@dataclass(frozen=True, slots=True)
class SymbolFinding:
    """What was found of one symbol.

    Attributes:
        symbol: The symbol.
        verdict: PASS, WARN or FAIL.
        message: What was found.
    """

    symbol: str
    verdict: Status
    message: str


@dataclass(frozen=True, slots=True)
class BarsReport:
    """What was found of all symbols.

    Attributes:
        first: First New York date looked at.
        last: Last one.
        findings: Of each symbol at least one, in the order of symbols.
    """

    first: date
    last: date
    findings: tuple[SymbolFinding, ...]

    @property
    def is_failure(self) -> bool:
        """Whether a symbol's bars cannot be relied on."""
        return any(one.verdict is Status.FAIL for one in self.findings)

    @property
    def sentence(self) -> str:
        """How many symbols came to what."""
        worst: dict[str, Status] = {}
        for one in self.findings:
            worst[one.symbol] = max(
                one.verdict, worst.get(one.symbol, Status.PASS), key=lambda s: s.severity
            )
        counted = (
            f"{sum(status is wanted for status in worst.values())} {wanted.value}"
            for wanted in (Status.PASS, Status.WARN, Status.FAIL)
        )
        return f"{len(worst)} symbols: {', '.join(counted)}"


def bars_report(
    directory: Directory, symbols: Sequence[str], first: date, last: date
) -> BarsReport:
    """Look at what is stored of the symbols on New York dates from `first` to `last`.

    A symbol without a bar fails, one with an open gap or a finding of a check warns, and a check
    that failed fails.

    Raises:
        ContentError: A file is damaged.
        StorageError: The lake cannot be read.
    """
    stored = stored_series(directory.location)
    findings: list[SymbolFinding] = []
    for symbol in symbols:
        series = [one for one in stored if one.symbol == symbol]
        found = list(_of_symbol(directory, symbol, series, first, last))
        findings += found or [SymbolFinding(symbol, Status.PASS, "nothing")]
    return BarsReport(first, last, tuple(findings))


def _of_symbol(
    directory: Directory, symbol: str, series: Sequence[Series], first: date, last: date
) -> Iterator[SymbolFinding]:
    keys = [key for one in series for key in keys_between(directory, one, first, last)]
    if not keys:
        yield SymbolFinding(symbol, Status.FAIL, "there are no bars")
    for record in gap_records(directory, series, first, last):
        missing = sum(gap.expected - gap.present for gap in record.gaps)
        yield SymbolFinding(symbol, Status.WARN, f"{record.key.label}: {missing} bars are missing")
    for key in keys:
        checks = read_checks(directory, key)
        for check in checks.checks if checks else ():
            if check.status.severity:
                message = f"{key.label}: {check.check}: {check.message}"
                yield SymbolFinding(symbol, check.status, message)
    for one in series:
        for check in check_sessions(directory, one, first, last):
            if check.status.severity:
                yield SymbolFinding(symbol, check.status, f"{check.check}: {check.message}")
