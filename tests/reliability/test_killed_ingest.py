"""`trading lake ingest`, killed again and again: the same command makes an undisturbed lake."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from datetime import date
from pathlib import Path

import pytest

from adapters.market_data.synthetic_bars import SyntheticBarSource
from tests.cli.conftest import WHOLE_COMMAND_SECONDS, Start, start  # noqa: F401 - a fixture
from tests.lake.bronze.deliveries import NOW, Lake
from tests.waiting import wait_until
from trading.bars.synthetic import contract_names
from trading.instruments.calendar import sessions

FIRST = date(2024, 1, 2)


def ingest(count: int, last: date) -> tuple[str, ...]:
    symbols = ",".join(contract_names(count))
    days = ("--start", FIRST.isoformat(), "--end", last.isoformat())
    chosen = ("--interval", "1m", "--source", "synthetic", "--json")
    return ("lake", "ingest", "--symbols", symbols, *days, *chosen)


def undisturbed(folder: Path, count: int, last: date) -> Lake:
    """The lake that the same partitions make when nobody disturbs them."""
    lake = Lake(folder)
    names = tuple(contract_names(count))
    request = lake.request("synthetic", first=FIRST, last=last, symbols=names)
    lake.ingest(SyntheticBarSource(), request, NOW)
    return lake


def of_bronze(lake: Lake) -> dict[str, object]:
    return {name: data for name, data in lake.contents().items() if name.startswith("bronze/")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("symbols", "last", "kills"),
    [(2, date(2024, 1, 18), 2), (20, date(2024, 3, 27), 5)],
    ids=["2x12", "20x60"],
)
def test_a_lake_survives_kills_to_the_bit(
    start: Start,  # noqa: F811
    prefect_server: str,
    tmp_path: Path,
    *,
    symbols: int,
    last: date,
    kills: int,
) -> None:
    """Killed with SIGKILL when a random share of the partitions is there, the last one whole."""
    lake = Lake(tmp_path / "lake")
    total = symbols * len(sessions(FIRST, last))
    chosen = random.Random(11)  # noqa: S311 - moments of a test
    shares = sorted(chosen.sample(range(1, total * 9 // 10), kills))
    environment = {"PREFECT_API_URL": prefect_server, "TRADING_LAKE_DIR": str(lake.folder)}

    def stored() -> int:
        return len(list(lake.folder.glob("bronze/synthetic/1m/*/*.parquet")))

    for share in shares:
        killed = start(*ingest(symbols, last), **environment)

        def enough(share: int = share, killed: subprocess.Popen[str] = killed) -> bool:
            return stored() >= share or killed.poll() is not None

        wait_until(enough, f"{share} of {total} are stored", seconds=2 * WHOLE_COMMAND_SECONDS)
        assert killed.poll() is None, killed.communicate()
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert stored() < total

    final = start(*ingest(symbols, last), **environment)
    stdout, stderr = final.communicate(timeout=4 * WHOLE_COMMAND_SECONDS)
    assert final.returncode == 0, stderr
    (run,) = json.loads(stdout)["runs"]
    assert run["total"] == run["completed"] + run["skipped"] == total
    assert run["skipped"] >= shares[-1], "what was written before a kill is not fetched again"
    assert run["open_gaps"] == 0
    expected = of_bronze(undisturbed(tmp_path / "undisturbed", symbols, last))
    assert of_bronze(lake) == expected
    assert len(expected) == total
