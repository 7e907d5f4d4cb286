"""Sample data for a first run: made when the input folder has none."""

from __future__ import annotations

import subprocess
import sys

from lake.market.inputs import PRICES_FILE, SPX_FILE, VIX_FILE
from servers.errors import USAGE, CommandError
from servers.prefect import project_root
from storage.directory import open_directory
from storage.s3 import environment

SAMPLE_CONTRACTS = 10
FILES = (PRICES_FILE, VIX_FILE, SPX_FILE)


def ensure_market_data(input_dir: str, contracts: int) -> bool:
    """Make the sample in `input_dir` when it holds no market data at all.

    Args:
        input_dir: A local path or fsspec URL.
        contracts: The fewest contracts the sample must have.

    Returns:
        Whether the sample was made.

    Raises:
        CommandError: Only some of the files are there (overwriting the user's own data would
            be worse than stopping), or the sample could not be made.
        TradingError: The folder cannot be looked at.
    """
    directory = open_directory(input_dir, "input_dir")
    missing = [name for name in FILES if directory.identity(name) is None]
    if not missing:
        return False
    if len(missing) < len(FILES):
        raise CommandError(
            f"input_dir={input_dir!r} holds no {' and no '.join(missing)}; add it, or pass "
            "--input-dir with an empty folder to have a sample made there.",
            USAGE,
        )
    _generate(input_dir, contracts)
    return True


def _generate(input_dir: str, contracts: int) -> None:
    script = project_root() / "input" / "generate_hourly_data.py"
    command = [sys.executable, str(script), "--contracts", str(contracts)]
    made = subprocess.run(  # noqa: S603 - our own script, no shell
        [*command, "--output-dir", input_dir],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        reason = (made.stderr.strip() or "no message").splitlines()[-1]
        raise CommandError(f"The sample data could not be made in {input_dir}: {reason}")
