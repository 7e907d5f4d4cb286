"""`trading lake load` and `trading lake prune`, as users start them."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from cli.commands.lake.load import run_load
from cli.commands.lake.question import LakeQuestion
from database.connection import Database
from flows.boundary.settings import settings
from lake.reference.tables import write_instruments
from tests.cli.conftest import Run, Start
from tests.flows.loading.bronze import columns, days, minutes, put
from tests.lake.bronze.deliveries import Lake
from tests.waiting import WAIT_SECONDS, wait_until
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.calendar import sessions
from trading.instruments.instrument import Instrument

YEARS = range(2001, 2004)


def fill(lake: Lake) -> int:
    """Three years of days and some sessions of minutes; how many bars."""
    parts = [days(date(year, 1, 1), date(year, 12, 31), seed=year) for year in YEARS]
    for year, bars in zip(YEARS, parts, strict=True):
        put(lake, bars, str(year))
    for day in sessions(date(2003, 1, 2), date(2003, 1, 10)).dates.tolist():
        parts.append(minutes(day))
        put(lake, parts[-1], f"{day:%Y%m%d}", interval=Interval.MINUTE)
    write_instruments(lake.directory, [Instrument(symbol="AAPL")])
    return sum(map(len, parts))


def settings_of(lake: Lake, url: str, years: int = 100) -> dict[str, str]:
    return {
        "TRADING_LAKE_DIR": str(lake.folder),
        "TRADING_DATABASE_URL": url,
        "TRADING_DATABASE_YEARS": str(years),
    }


def told(done: Any, code: int = 0) -> dict[str, Any]:
    ended = done.exit_code if isinstance(done, Result) else done.returncode
    assert ended == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def invoke(tmp_path: Path) -> Iterator[Callable[..., Result]]:
    """Run the command in this process, which has loaded what takes a process seconds to load."""
    handlers = {number: signal.getsignal(number) for number in HANDLED}

    def invoke_command(*words: str, **environment: str) -> Result:
        settings.cache_clear()
        places = {"TRADING_SERVER_DIR": str(tmp_path / "server")}
        return CliRunner().invoke(app, words, env=places | environment, catch_exceptions=False)

    yield invoke_command
    settings.cache_clear()
    for number, handler in handlers.items():
        signal.signal(number, handler)


HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def test_load_brings_what_is_missing_and_prune_drops_what_is_old(
    invoke: Callable[..., Result], lake: Lake, database: Database
) -> None:
    count = fill(lake)
    place = settings_of(lake, database.url)
    first = told(invoke("lake", "load", "--json", **place))
    assert first["bars"] == {"loaded": count, "inserted": count, "corrected": 0}
    assert first["reference_rows_changed"] == 2
    again = invoke("lake", "load", **place)
    assert again.exit_code == 0, again.stderr
    assert "0 loaded, 10 up to date" in again.stdout

    today = datetime.now(UTC).date()
    border = date(2003, today.month, 1)
    old = settings_of(lake, database.url, today.year - border.year)
    due = told(invoke("lake", "prune", "--dry-run", "--json", **old))
    assert {month["state"] for month in due["months"]} == {"due"}
    before: list[Any] = columns(database)["timestamp"]
    (lake.folder / "bronze/polygon/1d/AAPL/2001.parquet").unlink()
    pruned = told(invoke("lake", "prune", "--json", **old), code=1)
    states = {(m["interval"], m["month"]): m["state"] for m in pruned["months"]}
    assert {states["1d", f"2001-{month:02}"] for month in range(1, 13)} == {"kept"}
    assert {states["1d", f"2002-{month:02}"] for month in range(1, 13)} == {"dropped"}
    kept = [stamp for stamp in before if stamp.year == 2001 or stamp.date() >= border]
    assert columns(database)["timestamp"] == kept
    assert "the lake does not have all bars of AAPL" in invoke("lake", "prune", **old).stdout


def test_what_cannot_be_loaded_is_told_in_a_sentence(
    invoke: Callable[..., Result], lake: Lake, database: Database
) -> None:
    put(lake, days(date(2003, 1, 2), date(2003, 1, 10)), "2003")
    put(lake, days(date(2003, 1, 2), date(2003, 1, 10), symbol="MSFT"), "2003")
    refused = invoke(
        "lake", "load", **settings_of(lake, "postgresql://me:secret@127.0.0.1:1/books")
    )
    assert refused.exit_code == 1
    assert "127.0.0.1:1 cannot be reached" in refused.stderr
    assert "secret" not in refused.stderr + refused.stdout

    (lake.folder / "bronze/polygon/1d/AAPL/2003.parquet").write_bytes(b"no Parquet")
    made = told(invoke("lake", "load", "--json", **settings_of(lake, database.url)), code=1)
    assert made["bars"]["inserted"] == 7
    [failure] = made["failures"]
    assert "AAPL/2003.parquet: the file is damaged" in failure


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (LakeQuestion(interval="1h"), "interval='1h' is not an interval that the database keeps"),
        (LakeQuestion(symbols="MSFT"), "symbols='MSFT' is not a symbol of the lake"),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_database_is_started(
    lake: Lake, tmp_path: Path, question: LakeQuestion, message: str
) -> None:
    put(lake, minutes(date(2003, 1, 2)), "20030102", interval=Interval.MINUTE)
    with pytest.raises(ParameterError, match=message):
        run_load(replace(question, lake_dir=str(lake.folder)), tmp_path / "s", as_object=True)
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_killed_at_any_moment_the_same_command_makes_the_database_of_one_that_was_not(
    start: Start, run: Run, lake: Lake, database: Database, database_url: str
) -> None:
    """SIGKILL after so many loads; then the database of a run that nobody disturbed."""
    count = fill(lake)
    place = settings_of(lake, database_url)

    def loaded() -> int:
        row = database.rows.execute("SELECT count(*) FROM load_run WHERE status = 'loaded'")
        return int(row.fetchone()[0])  # type: ignore[index]

    for many in (1, 4, 7):
        process = start("lake", "load", **place)
        wait_until(
            lambda many=many, process=process: loaded() >= many or process.poll() is not None,  # type: ignore[misc]
            f"{many} files are loaded",
        )
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=WAIT_SECONDS)
    told(run("lake", "load", "--json", **place))
    total = "SELECT (SELECT count(*) FROM bar_1d) + (SELECT count(*) FROM bar_1m)"
    assert database.rows.execute(total).fetchone() == (count,)
    assert database.rows.execute("SELECT count(*) FROM correction").fetchone() == (0,)
    assert told(run("lake", "load", "--json", **place))["files"]["loaded"] == 0


@pytest.mark.slow
def test_a_local_database_that_was_removed_is_filled_anew(
    run: Run, lake: Lake, tmp_path: Path
) -> None:
    """Without TRADING_DATABASE_URL: started, stopped, removed, and back again."""
    count = fill(lake)
    place = {"TRADING_LAKE_DIR": str(lake.folder), "TRADING_DATABASE_YEARS": "100"}
    data = tmp_path / "server" / "postgres" / "data"
    for number in range(2):
        made = told(run("lake", "load", "--json", **place))
        assert made["bars"]["inserted"] == count
        assert not (data / "postmaster.pid").exists()
        data.rename(data.with_name(f"removed-{number}"))
