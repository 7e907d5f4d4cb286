"""`trading lake`: from nothing to a lake, what is in it, what is missing, and what it refuses."""

from __future__ import annotations

import json
import shlex
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.market_data.sources import SourceKeys, bar_source
from cli.commands.lake.question import LakeQuestion, ingest_requests, sources
from cli.display.progress import EstimatedProgress
from cli.settings import installation
from flows.boundary.settings import Settings, settings
from servers.errors import CommandError
from tests.cli.conftest import Run, Start
from tests.lake.bronze.deliveries import Lake, deliver, minutes, regular
from tests.waiting import WAIT_SECONDS
from trading.errors import ParameterError

DAYS = ("--start", "2024-01-02", "--end", "2024-01-05")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "output" / "lake")


def answer(done: Any, code: int = 0) -> dict[str, Any]:
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_a_delivery_with_a_hole_is_ingested_shown_and_completed(
    run: Run,
    prefect_server: str,
    lake: Lake,
    tmp_path: Path,
) -> None:
    """Ingest, status, gaps and redo, as a person would use them one after the other."""
    place = {"TRADING_LAKE_DIR": str(lake.folder), "PREFECT_API_URL": prefect_server}
    rows = minutes(first=date(2024, 1, 2), last=date(2024, 1, 5))
    inside = regular(rows)
    deliver(tmp_path / "in", [r for i, r in enumerate(rows) if i not in inside[390 + 300 : 780]])
    delivery = ("--from", str(tmp_path / "in"))

    made = answer(
        run(
            "lake",
            "ingest",
            "--symbols",
            "AAPL",
            "--interval",
            "1m",
            *DAYS,
            *delivery,
            "--json",
            **place,
        )
    )
    (ingested,) = made["runs"]
    assert (ingested["total"], ingested["completed"], ingested["failed"]) == (4, 4, 0)
    assert (ingested["open_gaps"], ingested["missing"]) == (1, 90)

    status = answer(run("lake", "status", "--json", **place), 3)
    assert status["sessions"] == {"missing": 0, "gap": 1, "stale": 0, "unsettled": 0, "done": 3}
    assert status["series"][0]["gap"] == ["2024-01-03"]
    shown = run("lake", "status", "bronze", "--symbols", "AAPL", "--interval", "1m", **place)
    assert shown.returncode == 3
    assert "files 1m: 2024-01-02 to 2024-01-05, one to a column" in shown.stdout
    assert "3 done, 1 gap" in shown.stdout

    gaps = run("lake", "gaps", **place)
    assert gaps.returncode == 3
    assert (
        "AAPL 2024-01-03 1m files: 300 of 390 bars, not served "
        "(2024-01-03T19:30Z to 2024-01-03T20:59Z)" in gaps.stdout
    )
    assert "trading lake redo --gaps with --source files, and --from" in gaps.stdout
    assert status["commands"] == []
    assert "To complete what is from files: trading lake ingest with --from" in shown.stdout
    dry = run("lake", "redo", "--gaps", "--dry-run", **place)
    assert dry.stdout.split() == ["bronze/files/1m/AAPL/20240103.parquet"]

    deliver(tmp_path / "in", rows)
    # From where the command is run, wherever that is.
    redone = answer(run("lake", "redo", "--gaps", "--from", "in", "--json", **place))
    assert redone["runs"][0]["total"] == 1
    assert answer(run("lake", "gaps", "--json", **place))["open"] == []
    assert run("lake", "status", **place).returncode == 0
    nothing = run("lake", "redo", "--gaps", "--json", **place)
    assert json.loads(nothing.stdout) == {"status": "completed", "runs": []}
    assert run("lake", "redo", "--gaps", "--dry-run", **place).stdout == "There is no open gap.\n"


@pytest.mark.slow
def test_the_command_that_status_prints_completes_the_lake(
    run: Run,
    prefect_server: str,
    lake: Lake,
) -> None:
    place = {"TRADING_LAKE_DIR": str(lake.folder), "PREFECT_API_URL": prefect_server}
    day = ("--start", "2024-01-02", "--end", "2024-01-02")
    answer(
        run("lake", "ingest", "--universe", "sample", "--interval", "1d", *day, "--json", **place)
    )
    removed = lake.folder / "bronze/synthetic/1d/MSFT/2024.parquet"
    removed.unlink()
    status = answer(run("lake", "status", "--symbols", "AAPL,MSFT", "--json", **place), 3)
    (command,) = status["commands"]
    words = shlex.split(command)
    again = run(*words[words.index("lake") :], **place)
    assert again.returncode == 0, again.stderr
    assert removed.exists()
    assert run("lake", "status", **place).returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--symbols", "AAPL,,MSFT"), "symbols='AAPL,,MSFT' is not a list without gaps"),
        (("--symbols", "../x"), "is not a symbol name"),
        ((), "symbols=None is not a list of symbols, and no universe is set"),
        (
            ("--universe", "nobody"),
            "universe='nobody' is not one of the universes sample, ",
        ),
        (("--symbols", "AAPL", "--interval", "2m"), "interval='2m' is not one of 1m, 3m"),
        (("--symbols", "AAPL", "--start", "soon"), "start='soon' is not a day like 2024-01-02"),
        (("--symbols", "AAPL", "--start", "2024-01-03", "--end", "2024-01-02"), "end='2024-01-02'"),
        (("--symbols", "AAPL", "--source", "reuters"), "source='reuters' is not one of synthetic"),
        (("--symbols", "AAPL", "--source", "files"), "source_dir=None is not a folder"),
        (("--symbols", "AAPL", "--timezone", "UTC"), "timezone='UTC' is not of use to the source"),
    ],
)
def test_wrong_usage_is_one_sentence(lake: Lake, words: tuple[str, ...], said: str) -> None:
    options = {
        word.removeprefix("--"): value for word, value in zip(words[::2], words[1::2], strict=True)
    }
    question = LakeQuestion(lake_dir=str(lake.folder), **options)

    def check() -> None:
        for request in ingest_requests(question, Settings()):
            for name in sources(question, Settings()):
                bar_source(
                    name, SourceKeys(), source_dir=request.source_dir, timezone=request.timezone
                )

    with pytest.raises(ParameterError) as refused:
        check()
    assert said in str(refused.value)


def test_a_missing_key_is_one_sentence_before_anything_is_submitted(
    run: Run,
    prefect_server: str,
    lake: Lake,
) -> None:
    done = run("lake", "ingest", "--symbols", "AAPL", "--source", "polygon", *DAYS,
               PREFECT_API_URL=prefect_server, TRADING_LAKE_DIR=str(lake.folder))  # fmt: skip
    assert done.returncode == 2
    assert "polygon_api_key=None is not an API key of Polygon (Massive); set " in done.stderr
    assert "TRADING_POLYGON_API_KEY" in done.stderr
    assert not lake.folder.exists()


def test_settings_say_where_each_value_is_from_and_mask_secrets(
    start: Start,
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "universe: mine\nintervals: [1m, 1d]\nsources: polygon -> yahoo\njob_per: symbol\n"
        "polygon_api_key: topsecret1\n"
    )
    told = start("settings", "--json", TRADING_SETTINGS_FILE=str(file), TRADING_JOB_PER="partition",
                 TRADING_DATABASE_URL="postgresql://me:topsecret2@host/db")  # fmt: skip
    stdout, stderr = told.communicate(timeout=WAIT_SECONDS)
    assert told.returncode == 0, stderr
    assert "topsecret" not in stdout + stderr
    found = json.loads(stdout)["settings"]
    assert found["universe"] == {"value": "mine", "from": str(file)}
    assert found["intervals"] == {"value": "1m,1d", "from": str(file)}
    assert found["sources"] == {"value": "polygon,yahoo", "from": str(file)}
    assert found["job_per"] == {"value": "partition", "from": "TRADING_JOB_PER"}
    assert found["polygon_api_key"]["value"] == "**********"
    assert found["database_url"] == {"value": "**********", "from": "TRADING_DATABASE_URL"}
    assert found["database_years"] == {"value": "5", "from": "default"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("job_per: galaxy\n", "job_per='galaxy' in "),
        ("universes: mine\n", "universes='mine' in "),
        ("job_per: [\n", "is not a YAML file with a line NAME: VALUE"),
        ("just text\n", "is not a YAML file with a line NAME: VALUE"),
        ("polygon_api_key: [topsecret]\n", "polygon_api_key in "),
    ],
)
def test_a_settings_file_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, said: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    monkeypatch.setenv("TRADING_SETTINGS_FILE", str(file))
    settings.cache_clear()
    try:
        with pytest.raises((CommandError, ParameterError)) as refused:
            installation()
    finally:
        settings.cache_clear()
    assert said in str(refused.value)
    assert "topsecret" not in str(refused.value)


def test_a_settings_file_that_is_named_and_missing_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("settings", TRADING_SETTINGS_FILE=str(tmp_path / "none.yaml"))
    assert done.returncode == 2
    assert "is not an existing file" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("done", "rate", "text"),
    [
        (10, None, "partitions: 10 of 110 completed"),
        (10, 2.0, "partitions: 10 of 110 completed, 2.0/s, 50 s left"),
        (10, 0.5, "partitions: 10 of 110 completed, 0.5/s, 3 min left"),
        (10, 0.01, "partitions: 10 of 110 completed, 0.0/s, 2.8 h left"),
    ],
)
def test_progress_tells_the_rate_and_the_time_left(
    done: int, rate: float | None, text: str
) -> None:
    assert str(EstimatedProgress(110, done, 0, rate)) == text
