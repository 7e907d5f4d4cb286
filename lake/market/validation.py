"""The gate before analysis: are the market data fit to be used, and what is odd about them?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lake.market.inputs import PRICES_FILE, SPX_FILE, VIX_FILE
from lake.market.manifest import MANIFEST, check_complete
from storage.checks import check_readable
from storage.directory import Directory, open_directory
from storage.errors import ContentError
from storage.parquet.column_file import ColumnFile
from trading.bars.context import SPX, VIX
from trading.bars.quality.files import CHECKS
from trading.bars.quality.findings import (
    Dataset,
    Finding,
    Status,
    Thresholds,
    ValidationReport,
)
from trading.errors import ParameterError
from trading.instruments.symbols import ONE_CONTRACT_A_COLUMN, checked_contract, one_symbols_bars
from trading.strategies.market_model.parameters import StrategyParameters

MAX_Z_THRESHOLD = 1_000
"""Beyond it no return of any stock is an outlier: a limit says so plainly."""

MAX_SPLIT_TOLERANCE_PCT = 6.0
"""Beyond it a jump between the ratios of 7 and 8 for 1 would be both."""


def validate(
    input_dir: str,
    contracts: Sequence[str] | None = None,
    z_threshold: float = 3.0,
    vix_tolerance_hours: float | None = None,
    *,
    robust_z_threshold: float = 8.0,
    stale_bars: int = 8,
    split_tolerance_pct: float = 3.0,
) -> ValidationReport:
    """Check the market data; what is wrong with them is in the report, not raised.

    Args:
        input_dir: Where the market data are.
        contracts: The contracts to check, or None for all in the data.
        z_threshold: Standard deviations beyond which a return is an outlier.
        vix_tolerance_hours: The oldest VIX that counts as current; None for the strategy's.
        robust_z_threshold: The same by median and MAD. Iglewicz and Hoaglin's 3.5 is for normal
            data; hourly returns hold the overnight ones, which are several times the others.
        stale_bars: Equal closes in a row from which on a price counts as stale.
        split_tolerance_pct: Percent that a price may have moved besides what looks like a split.

    Raises:
        ParameterError: An argument is not usable, e.g. `input_dir` does not exist.
        StorageError: A file cannot be accessed, or an ingestion has replaced only some of them.
    """
    _check_threshold("z_threshold", z_threshold, "3.0")
    _check_threshold("robust_z_threshold", robust_z_threshold, "8.0")
    if stale_bars < 2:  # noqa: PLR2004 - one close repeats nothing
        raise ParameterError("stale_bars", stale_bars, "2 or more", "pass e.g. 8")
    if not 0 < split_tolerance_pct <= MAX_SPLIT_TOLERANCE_PCT:
        allowed = f"above 0 and at most {MAX_SPLIT_TOLERANCE_PCT:g}"
        raise ParameterError("split_tolerance_pct", split_tolerance_pct, allowed, "pass e.g. 3")
    named = None if contracts is None else [checked_contract(name) for name in contracts]
    directory = open_directory(input_dir, "input_dir")
    check_readable(directory, "input_dir")
    check_complete(directory, directory.identity(MANIFEST))
    tolerance = vix_tolerance_hours
    if tolerance is None:
        tolerance = StrategyParameters().vix_tolerance_hours
    thresholds = Thresholds(
        z=z_threshold,
        robust_z=robust_z_threshold,
        stale_bars=stale_bars,
        split_tolerance=split_tolerance_pct / 100,
        vix_tolerance=np.timedelta64(round(tolerance * 3600), "s"),
    )
    data = _loaded(directory, named, thresholds)
    results = tuple(check(data) for check in CHECKS)
    worst = max((result.status for result in results), key=lambda status: status.severity)
    status = worst if worst.severity else Status.PASS
    bars = data.prices.rows if data.prices else 0
    return ValidationReport(directory.url, status, results, data.contracts, bars)


def _check_threshold(parameter: str, value: float, example: str) -> None:
    if not 0 < value <= MAX_Z_THRESHOLD:
        allowed = f"a positive number, at most {MAX_Z_THRESHOLD:,}"
        raise ParameterError(parameter, value, allowed, f"pass e.g. {example}")


def _loaded(directory: Directory, named: Sequence[str] | None, thresholds: Thresholds) -> Dataset:
    """The files and contracts that can be checked, with the problems of those that cannot."""
    problems: list[Finding] = []
    vix = _opened(directory, VIX_FILE, problems, VIX)
    spx = _opened(directory, SPX_FILE, problems, SPX)
    prices = _opened(directory, PRICES_FILE, problems)
    contracts = () if prices is None else _usable(prices, named, problems)
    if prices is not None and not prices.columns:
        problems.append(Finding(prices.url, "it has no contract"))
    if prices is not None and (mistaken := one_symbols_bars(prices.columns)):
        problems.insert(0, Finding(prices.url, f"{mistaken}: {ONE_CONTRACT_A_COLUMN}"))
    return Dataset(
        prices=prices,
        vix=vix,
        spx=spx,
        problems=tuple(problems),
        contracts=contracts,
        thresholds=thresholds,
    )


def _opened(
    directory: Directory, name: str, problems: list[Finding], *required: str
) -> ColumnFile | None:
    """The file, None when it or one of the columns cannot be read."""
    try:
        file = ColumnFile(directory, name)
        file.unchecked_timestamps()
    except ContentError as error:
        problems.append(Finding(name, error.problem))
        return None
    return file if not required or _usable(file, required, problems) else None


def _usable(
    file: ColumnFile, required: Sequence[str] | None, problems: list[Finding]
) -> tuple[str, ...]:
    """The columns, of those required or of all, that are there and can be read as numbers."""
    from trading.bars.quality.schemas import column_faults  # noqa: PLC0415 - brings pandas

    faults = column_faults(file.value_schema(), required)
    wanted = file.columns if required is None else tuple(dict.fromkeys(required))
    for column in (name for name in wanted if name not in faults):
        try:
            file.values(column, 0, file.rows)
        except ContentError as error:
            faults[column] = error.problem
    problems.extend(Finding(column, fault) for column, fault in faults.items())
    return tuple(name for name in wanted if name not in faults)
