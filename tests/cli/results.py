"""Results of a small market, computed without Prefect, for the commands that look at results."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from cli.app import app
from lake.grain import Grain
from lake.keys import partitions
from lake.market.compute import run_partition
from tests.markets import SMALL, Market, random_market, session_timestamps

STRATEGY = json.dumps(
    {"beta_window": SMALL.beta_window, "beta_min_periods": SMALL.beta_min_periods}
)


@dataclass(frozen=True)
class SmallResults:
    """AAPL and BRK-B, two sessions, every partition of grain session computed."""

    market: Market
    input: Path
    output: Path

    def command(self, *arguments: str) -> Result:
        """Run `trading` in this process on these folders."""
        folders = ["--output-dir", str(self.output), "--input-dir", str(self.input)]
        return CliRunner().invoke(app, [*arguments, *folders])

    def answer(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        """What `trading ... --json` prints."""
        done = self.command(*arguments, "--json")
        assert done.exit_code == exit_code, done.output
        fields: dict[str, Any] = json.loads(done.stdout)
        return fields

    def files(self) -> dict[str, tuple[int, int]]:
        """Inode and modification time of each result: equal means not written again."""
        found = {p: p.stat() for p in self.output.glob("[A-Z]*/*.parquet")}
        return {
            p.relative_to(self.output).as_posix(): (s.st_ino, s.st_mtime_ns)
            for p, s in found.items()
        }


def small_results(folder: Path) -> SmallResults:
    """Write the market and compute all its results."""
    market = random_market(session_timestamps(2), contracts=2)
    made = SmallResults(market, folder / "input", folder / "output")
    market.write(made.input)
    for contract in market.contracts:
        for part in partitions(market.timestamps, contract, Grain.SESSION):
            run_partition(
                contract, part.timestamp, part.grain, SMALL, str(made.input), str(made.output), "1"
            )
    return made
