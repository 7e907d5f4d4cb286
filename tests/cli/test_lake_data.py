"""`trading lake build`, `redo` and `sql`, and `trading strategy`."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.commands.lake.demo import refuse_bars_of_others
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.grain import Grain
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from servers.errors import CommandError
from storage.directory import open_directory
from tests.lake.bronze_files import with_value, write_bronze, write_minutes
from tests.lake.building import build
from trading.bars.intervals import Interval
from trading.bars.synthetic import contract_names
from trading.bars.synthetic_minutes import synthetic_minutes
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


def test_redo_names_what_it_would_make_again(lake: str) -> None:
    build(SilverDataset(), SilverRequest(lake_dir=lake))

    def named(*words: str) -> list[str]:
        done = CliRunner().invoke(app, ["lake", "redo", *words, "--dry-run", "--lake-dir", lake])
        assert done.exit_code == 0, done.output
        return done.stdout.splitlines()

    days = ["silver/AAPL/20240131.parquet", "silver/AAPL/20240201.parquet"]
    # Up to date or not.
    assert named("silver", "--symbols", "AAPL") == [*days, "silver_days/AAPL/2024.parquet"]
    last = ["--start", "2024-02-01"]
    assert named("silver", "--symbols", "AAPL", *last)[0] == days[1]
    assert named("gold", "--interval", "5m", "--strategy", "rsi_reversion", *last) == [
        f"gold/rsi_reversion/5m/{symbol}/2024-02.parquet" for symbol in ("AAPL", "BRK-B")
    ]
    minutes = "bronze/synthetic/1m/AAPL"
    assert named("bronze", "--symbols", "AAPL", "--end", "2024-01-31") == [
        f"{minutes}/20240131.parquet"
    ]
    assert named("--gaps") == ["There is no open gap."]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "It is not said what to make again; pass --gaps"),
        (["silver", "--gaps"], "--gaps is of bronze, and silver has none"),
        (["silver", "--strategy", "macd_cross"], "--strategy 'macd_cross' says nothing of silver"),
        (["bronze", "--parameters", "{}"], "--parameters '{}' says nothing of bronze"),
        (["gold", "--timezone", "UTC"], "pass one of --interval, --strategy, --parameters"),
        (["gold", "--start", "2024-02-01", "--end", "2024-01-31"], "end='2024-01-31' is not at"),
        (["silver", "--symbols", "MSFT"], "symbols='MSFT' is not a symbol that bronze has"),
    ],
)
def test_redo_refuses_what_says_nothing_of_the_layer(
    lake: str, words: list[str], said: str
) -> None:
    done = CliRunner().invoke(app, ["lake", "redo", *words, "--dry-run", "--lake-dir", lake])
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_status_shows_what_is_there_of_silver_and_gold_and_what_makes_the_rest(
    lake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    def shown(*words: str, code: int) -> str:
        done = CliRunner().invoke(app, ["lake", "status", *words, "--lake-dir", lake])
        assert done.exit_code == code, done.output
        return done.stdout

    def grid(*words: str, code: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(shown(*words, "--json", code=code))
        return found

    assert "There is no gold in it" in shown("gold", code=3)
    found = grid("silver", code=3)
    assert found["partitions"] == {"done": 0, "stale": 0, "missing": 6}
    for dataset in (SilverDataset(), SilverDaysDataset()):
        build(dataset, SilverRequest(lake_dir=lake))
    assert grid("silver", code=0)["commands"] == []
    gold = GoldRequest(lake_dir=lake, strategy="rsi_reversion", intervals=(Interval.MINUTES_5,))
    build(GoldDataset(), gold)
    assert "gold rsi_reversion 5m: 2024-01 to 2024-02, one" in shown("gold", code=0)

    # A minute of February, and gold that is not there at all.
    minutes = synthetic_minutes("AAPL", date(2024, 2, 1), date(2024, 2, 1))
    write_bronze(lake, with_value(minutes, 300, close=1.0, low=0.5), "1m", Grain.SESSION)
    text = shown("silver", code=3)
    assert "AAPL   ✓~  1 done, 1 stale" in text
    assert "BRK-B  ✓✓  2 done" in text
    assert f"lake build silver --symbols AAPL --lake-dir {lake}" in text
    absent = ("gold", "--strategy", "macd_cross", "--interval", "5m")
    (macd,) = grid(*absent, code=3)["grids"]
    assert [row["missing"] for row in macd["symbols"]] == [["2024-01", "2024-02"]] * 2
    # With another parameter all of it would be other gold.
    other = ("gold", "--strategy", "rsi_reversion", "--parameters", '{"periods": 7}')
    found = grid(*other, code=3)
    assert found["partitions"] == {"done": 0, "stale": 4, "missing": 0}
    command = (
        "lake build gold --strategy rsi_reversion --interval 5m --parameters '{\"periods\": 7}'"
    )
    assert command in found["commands"][0]
    Path(lake, "gold/mine/5m/AAPL").mkdir(parents=True)
    assert grid("gold", code=0)["not_looked_at"] == ["mine"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--symbols", "AAPL,,MSFT"], "is not a list of names"),
        (["--parameters", "x"], "is not a JSON object for one strategy"),
        (["--interval", "7m"], "interval='7m' is not one or more of 1m, 3m"),
        (["--start", "yesterday"], "start='yesterday' is not a day"),
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
    again = ("--symbols", "AAPL", "--start", "2024-02-01")
    made = built("redo", "gold", "--interval", "13m", *again)
    assert set(made) == {"gold vegas_channel"}
    assert (made["gold vegas_channel"]["computed"], made["gold vegas_channel"]["up_to_date"]) == (
        1,
        0,
    )
    made = built("build", "--interval", "13m")
    assert (made["silver"]["computed"], made["gold vegas_channel"]["computed"]) == (0, 0)
    assert (made["silver"]["up_to_date"], made["gold vegas_channel"]["up_to_date"]) == (6, 4)


@pytest.mark.slow
def test_the_demonstration_makes_every_layer_and_says_where_to_look(tmp_path: Path) -> None:
    place = tmp_path / "lake"

    def demonstrated(*words: str) -> dict[str, Any]:
        asked = [TRADING, "lake", "demo", "--lake-dir", str(place), "--port", "0", "--json"]
        done = subprocess.run(
            [*asked, "--server-dir", str(tmp_path / "server"), *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    made = demonstrated()
    counts = {layer: (of["computed"], of["up_to_date"]) for layer, of in made["layers"].items()}
    assert counts == {"bronze": (200, 0), "silver": (210, 0), "gold vegas_channel": (20, 0)}
    # Twenty full sessions of ten symbols, of 5 and of 21 minutes.
    assert made["rows"]["gold"] == sum(made["signals"].values()) == 10 * 20 * (78 + 19)
    assert {row["symbol"] for row in made["latest"]} == set(contract_names(10))
    assert {row["signal"] for row in made["latest"]} <= {"buy", "sell"}
    assert set(made["seconds"]) == {"bronze", "silver", "gold"}
    assert all("<html" in Path(page).read_text() for page in made["pages"])
    assert len(made["pages"]) == 10

    (command,) = made["commands"]
    asked = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - as a user pastes it
    assert asked.returncode == 0, asked.stderr
    assert "AAPL    21m" in asked.stdout

    again = demonstrated()
    counts = {layer: (of["computed"], of["up_to_date"]) for layer, of in again["layers"].items()}
    assert counts == {"bronze": (0, 200), "silver": (0, 210), "gold vegas_channel": (0, 20)}
    assert again["signals"] == made["signals"]


def test_the_demonstration_replaces_no_bars_of_another_source(tmp_path: Path) -> None:
    bars = synthetic_minutes("MSFT", date(2024, 1, 2), date(2024, 1, 2))
    write_bronze(tmp_path, bars, "1m", Grain.SESSION, source="polygon")
    with pytest.raises(CommandError, match="has bars of MSFT from polygon"):
        refuse_bars_of_others(open_directory(str(tmp_path), "lake_dir"))
    write_minutes(tmp_path / "other", "MSFT", date(2024, 1, 2), date(2024, 1, 2))
    refuse_bars_of_others(open_directory(str(tmp_path / "other"), "lake_dir"))
