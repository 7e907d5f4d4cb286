"""`trading lake build`, `rebuild` and `sql`, and `trading strategy`."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.app import app
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from tests.lake.bronze_files import write_minutes
from tests.lake.building import build
from trading.strategies.registry import BUILT_IN

TRADING = str(Path(sys.executable).with_name("trading"))


@pytest.fixture
def lake(tmp_path: Path) -> str:
    """Two sessions of minutes of two symbols in bronze."""
    for symbol in ("AAPL", "BRK-B"):
        write_minutes(tmp_path / "lake", symbol, date(2024, 1, 31), date(2024, 2, 1))
    return str(tmp_path / "lake")


def test_sql_prints_the_same_answer_in_every_form(lake: str) -> None:
    build(SilverDataset(), SilverRequest(lake_dir=lake))
    query = "SELECT symbol, timestamp, close, vwap FROM silver WHERE interval = '55m' ORDER BY ALL"

    def answer(form: str) -> bytes:
        done = CliRunner().invoke(app, ["lake", "sql", query, "--format", form, "--lake-dir", lake])
        assert done.exit_code == 0, done.output
        return done.stdout_bytes

    table = pq.read_table(io.BytesIO(answer("parquet")))
    assert table.num_rows == 2 * 2 * 8
    rows = json.loads(answer("json"))
    assert [row["close"] for row in rows] == table["close"].to_pylist()
    assert rows[0]["timestamp"] == "2024-01-31T09:30:00-05:00"
    lines = answer("csv").decode().splitlines()
    assert lines[0] == "symbol,timestamp,close,vwap"
    assert [float(line.split(",")[3]) for line in lines[1:]] == table["vwap"].to_pylist()
    shown = answer("table").decode()
    assert "2024-01-31 09:30-0500" in shown
    assert len(shown.splitlines()) == 1 + 32


def test_sql_that_writes_is_a_wrong_usage(lake: str) -> None:
    done = CliRunner().invoke(app, ["lake", "sql", "DROP VIEW gold", "--lake-dir", lake])
    assert done.exit_code == 2
    assert "is not one SELECT statement" in done.stderr


def test_rebuild_names_what_is_due(lake: str) -> None:
    asked = ["lake", "rebuild", "silver", "--dry-run", "--lake-dir", lake]
    done = CliRunner().invoke(app, [*asked, "--only", "missing", "--symbols", "AAPL"])
    assert done.stdout.splitlines() == [
        "silver/AAPL/20240131.parquet", "silver/AAPL/20240201.parquet",
        "silver_days/AAPL/2024.parquet",
    ]  # fmt: skip
    done = CliRunner().invoke(app, [*asked, "--only", "stale", "--json"])
    assert json.loads(done.stdout) == {"partitions": []}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--symbols", "AAPL,,MSFT"], "is not a list of names"),
        (["--parameters", "x"], "is not a JSON object for one strategy"),
        (["--interval", "7m"], "interval='7m' is not one or more of 1m, 3m"),
        (["--from", "yesterday"], "from='yesterday' is not a date"),
    ],
)
def test_what_is_no_value_is_refused_before_a_server_starts(
    lake: str, tmp_path: Path, words: list[str], said: str
) -> None:
    server = tmp_path / "server"
    asked = ["lake", "build", *words, "--lake-dir", lake, "--server-dir", str(server)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not server.exists()


def test_strategies_are_listed_and_shown() -> None:
    listed = CliRunner().invoke(app, ["strategy", "list"]).stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(BUILT_IN)
    for name in BUILT_IN:
        shown = CliRunner().invoke(app, ["strategy", "show", name, "--json"])
        described = json.loads(shown.stdout)
        assert described["name"] == name
        assert all(parameter["description"] for parameter in described["parameters"])
    assert "lost_window = null" in CliRunner().invoke(
        app, ["strategy", "show", "vegas_channel"]
    ).stdout  # fmt: skip
    wrong = CliRunner().invoke(app, ["strategy", "show", "vegas"])
    assert wrong.exit_code == 2
    assert "is not one of bollinger_reversion" in wrong.stderr


@pytest.mark.slow
def test_build_makes_all_once_and_then_what_changed(lake: str, tmp_path: Path) -> None:
    def built(*words: str) -> dict[str, dict[str, int]]:
        asked = [TRADING, "lake", *words, "--lake-dir", lake, "--json", "--port", "0"]
        done = subprocess.run(
            [*asked, "--server-dir", str(tmp_path / "server")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        layers: dict[str, dict[str, int]] = json.loads(done.stdout)["layers"]
        return layers

    made = built("build", "--interval", "13m")
    assert (made["silver"]["computed"], made["gold vegas_channel"]["computed"]) == (6, 4)
    Path(lake, "gold/vegas_channel/13m/AAPL/2024-02.parquet").unlink()
    made = built("rebuild", "--interval", "13m", "--only", "missing")
    assert set(made) == {"gold vegas_channel"}
    assert made["gold vegas_channel"]["computed"] == 1
    assert Path(lake, "gold/vegas_channel/13m/AAPL/2024-02.parquet").is_file()
