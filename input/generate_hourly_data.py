"""Make sample market data: hourly closes of contracts, the VIX and the S&P 500.

    python input/generate_hourly_data.py
    python input/generate_hourly_data.py --contracts 419 --start 2000-01-03 --end 2013-12-31

The same arguments make the same data (see `trading.bars.synthetic`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NoReturn

from lake.errors import EXPECTED
from lake.market.inputs import PRICES_FILE, SPX_FILE, VIX_FILE, write_market_data
from trading.bars.synthetic import contract_names, synthetic_market
from trading.errors import ParameterError
from trading.instruments.calendar import hourly_bars, sessions

FIRST_YEAR, LAST_YEAR = 1990, 2100
USAGE_ERROR = 2


class OneSentenceParser(argparse.ArgumentParser):
    """Reports a wrong argument in one sentence, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """Print the message and end with exit code 2."""
        self.exit(USAGE_ERROR, f"{message}; see --help.\n")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, as text; values are checked where they are used."""
    parser = OneSentenceParser(description="Make sample market data.", allow_abbrev=False)
    parser.add_argument("--contracts", default="10", help="how many (default: %(default)s)")
    parser.add_argument("--start", default="2024-01-02", help="first date (default: %(default)s)")
    parser.add_argument("--end", default="2024-01-04", help="last date (default: %(default)s)")
    parser.add_argument("--seed", default="0", help="another seed, other data (default: 0)")
    parser.add_argument(
        "--output-dir",
        default=str(Path(__file__).resolve().parent),
        help="folder or fsspec URL (default: the folder of this script)",
    )
    return parser.parse_args(argv)


def whole_number(parameter: str, text: str) -> int:
    """`text` as an int.

    Raises:
        ParameterError: It is not a whole number.
    """
    try:
        return int(text)
    except ValueError as error:
        raise ParameterError(parameter, text, "a whole number", "pass digits only") from error


def day(parameter: str, text: str) -> date:
    """`text` as a date.

    Raises:
        ParameterError: It is not an ISO date, or not one of the years with data to model.
    """
    try:
        value = date.fromisoformat(text)
    except ValueError as error:
        raise ParameterError(
            parameter, text, "a date of the form YYYY-MM-DD", "write for instance 2024-01-02"
        ) from error
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ParameterError(
            parameter, text, f"in the years {FIRST_YEAR} to {LAST_YEAR}", "choose a date in them"
        )
    return value


def generate(contracts: int, start: date, end: date, seed: int, output_dir: str) -> str:
    """Write the three files.

    Returns:
        What was written, in one sentence.

    Raises:
        TradingError: A value cannot be used or a file cannot be written.
    """
    stamps = hourly_bars(sessions(start, end))
    if not len(stamps):
        raise ParameterError(
            "end",
            end.isoformat(),
            f"on or after a trading session from {start} on",
            "choose dates with a session of the New York Stock Exchange between them",
        )
    market = synthetic_market(contract_names(contracts), stamps, seed)
    write_market_data(
        output_dir, stamps, market.prices, market.contracts, stamps, market.vix, stamps, market.spx
    )
    return (
        f"Wrote {PRICES_FILE}, {VIX_FILE} and {SPX_FILE} to {output_dir}: "
        f"{len(stamps):,} bars of {contracts:,} contracts from {start} to {end}, seed {seed}."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0, or 2 when a value cannot be used or nothing could be written.
    """
    given = arguments(argv)
    try:
        written = generate(
            whole_number("contracts", given.contracts),
            day("start", given.start),
            day("end", given.end),
            whole_number("seed", given.seed),
            given.output_dir,
        )
    except EXPECTED as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
