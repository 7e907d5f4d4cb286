"""Sample data for a first run: made when the input folder has none."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from lake.market.inputs import FILES, write_market_data
from servers.errors import USAGE, CommandError
from storage.directory import open_directory
from storage.errors import StorageError
from trading.bars.synthetic import contract_names, synthetic_market
from trading.instruments.calendar import hourly_bars, sessions

if TYPE_CHECKING:
    from flows.boundary.settings import Settings

SAMPLE_CONTRACTS = 10
FIRST_SESSION, LAST_SESSION = date(2024, 1, 2), date(2024, 1, 4)
SEED = 0


def takes_default_input(settings: Settings) -> bool:
    """Whether nobody has named an input folder: then the default one gets sample data."""
    return "input_dir" not in settings.model_fields_set


def ensure_market_data(input_dir: str, contracts: int) -> bool:
    """Make the sample in `input_dir` when it holds no market data at all.

    Args:
        input_dir: A local path or fsspec URL.
        contracts: The fewest contracts the sample must have.

    Returns:
        Whether the sample was made.

    Raises:
        CommandError: Only some of the files are there, or the sample could not be made.
        TradingError: The folder cannot be looked at, or there are no samples so wide.
    """
    if not needs_sample(input_dir):
        return False
    try:
        write_sample(input_dir, contracts, FIRST_SESSION, LAST_SESSION, SEED)
    except StorageError as error:
        raise CommandError(f"The sample data could not be made in {input_dir}: {error}") from error
    return True


def needs_sample(input_dir: str) -> bool:
    """Whether a folder holds no market data at all, so that a sample can be made in it.

    Args:
        input_dir: A local path or fsspec URL.

    Raises:
        CommandError: Only some of the files are there: overwriting the user's own data would be
            worse than stopping.
        TradingError: The folder cannot be looked at.
    """
    missing = _missing(input_dir)
    if missing and len(missing) < len(FILES):
        raise CommandError(
            f"input_dir={input_dir!r} holds no {' and no '.join(missing)}; add it, or pass "
            "--input-dir with an empty folder and --make-sample to have a sample made there.",
            USAGE,
        )
    return bool(missing)


def check_market_data(input_dir: str) -> None:
    """Make sure that there are market data where somebody said that they are.

    Args:
        input_dir: A local path or fsspec URL.

    Raises:
        CommandError: There are none.
        TradingError: The folder cannot be looked at.
    """
    if len(_missing(input_dir)) == len(FILES):
        raise CommandError(
            f"input_dir={input_dir!r} holds no market data; correct it, or pass --make-sample to "
            "have sample data made there.",
            USAGE,
        )


def write_sample(output_dir: str, contracts: int, first: date, last: date, seed: int) -> None:
    """Write synthetic market data: hourly bars of every session from one day to another.

    Args:
        output_dir: A local path or fsspec URL.
        contracts: How many contracts.
        first: The first day.
        last: The last day, included.
        seed: Another one, other data.

    Raises:
        TradingError: A value cannot be used, or the files cannot be written.
    """
    stamps = hourly_bars(sessions(first, last))
    made = synthetic_market(contract_names(contracts), stamps, seed)
    write_market_data(
        output_dir, stamps, made.prices, made.contracts, stamps, made.vix, stamps, made.spx
    )


def _missing(input_dir: str) -> list[str]:
    directory = open_directory(input_dir, "input_dir")
    return [name for name in FILES if directory.identity(name) is None]
