"""Bars: one answer from database, lake and live windows, never an old one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.bars.formats import ARROW, PARQUET
from api.services import Services
from database.api.pool import DatabasePool
from database.bars.batch import batch_of_bars
from database.bars.loading import load_bars
from database.bars.months import month_table
from database.connection import open_database
from lake.files import stored_metadata
from lake.grain import Grain
from storage.directory import open_directory
from tests.api.conftest import served
from tests.lake.bronze_files import write_bronze, write_days
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.instruments.clock import to_datetime

FIRST, LAST = date(2020, 1, 2), date(2023, 12, 29)


@pytest.fixture
def lake(tmp_path: Path) -> tuple[Path, Bars]:
    """A lake with four years of days, a file each."""
    return tmp_path, write_days(tmp_path, "AAPL", FIRST, LAST)


@pytest.fixture
def api(database_url: str, lake: tuple[Path, Bars]) -> Iterator[httpx.Client]:
    services = Services(
        database=DatabasePool(database_url), lake_dir=str(lake[0]), keys_needed=False
    )
    with served(services) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def load(url: str, lake: Path, bars: Bars, *years: int, source: str = "synthetic") -> None:
    """Bring years' files into the database, as the command does."""
    directory = open_directory(str(lake), "lake_dir")
    with open_database(url) as database:
        for year in years:
            name = f"bronze/{source}/1d/AAPL/{year}.parquet"
            written = datetime.fromisoformat(
                stored_metadata(directory, name, "bronze", "AAPL")["written_at"]
            )
            of_year = bars[bars.timestamps.astype("datetime64[Y]") == np.datetime64(str(year))]
            load_bars(database, batch_of_bars(of_year, Interval.DAY, source, written))


def closes(client: httpx.Client, query: str = "") -> list[float]:
    """All closes, page by page."""
    found: list[float] = []
    cursor = ""
    while True:
        body = client.get(f"/v1/bars/AAPL?limit=300{query}{cursor}").raise_for_status().json()
        found += [row["close"] for row in body["data"]]
        if body["meta"]["next"] is None:
            return found
        cursor = f"&cursor={body['meta']['next']}"


@pytest.mark.parametrize("loaded", [(), (2022, 2023), (2020, 2022), (2020, 2021, 2022, 2023)])
def test_database_and_lake_make_one_answer_wherever_the_border_is(
    api: httpx.Client, database_url: str, lake: tuple[Path, Bars], loaded: tuple[int, ...]
) -> None:
    folder, bars = lake
    load(database_url, folder, bars, *loaded)
    assert closes(api) == bars.close.tolist()


def test_the_database_answers_for_what_it_holds(
    api: httpx.Client, database_url: str, lake: tuple[Path, Bars]
) -> None:
    folder, bars = lake
    load(database_url, folder, bars, 2022)
    with open_database(database_url) as database:
        database.rows.execute("UPDATE bar_1d SET close = low WHERE ts < '2022-02-01'")
    assert closes(api) != bars.close.tolist()


def test_a_restated_bar_is_served_by_the_next_request_and_never_the_old_one_again(
    api: httpx.Client, database_url: str, lake: tuple[Path, Bars]
) -> None:
    folder, bars = lake
    load(database_url, folder, bars, 2022, 2023)
    assert closes(api) == bars.close.tolist()
    for step in range(3):
        row = len(bars) - 300 + step
        bars.close[row] = bars.low[row]
        write_bronze(folder, bars, "1d", Grain.YEAR)
        assert closes(api) == bars.close.tolist()
        if step == 1:  # the database follows, and says the same
            load(database_url, folder, bars, 2022, 2023)
            assert closes(api) == bars.close.tolist()


def test_months_that_the_database_dropped_come_from_the_lake(
    api: httpx.Client, database_url: str, lake: tuple[Path, Bars]
) -> None:
    folder, bars = lake
    load(database_url, folder, bars, 2022)
    with open_database(database_url) as database:
        table = month_table(Interval.DAY, date(2022, 3, 1))
        database.rows.execute(f"DROP TABLE {table}".encode())
        database.rows.execute(
            "INSERT INTO retention_log (interval, month, state, ended_at) "
            "VALUES ('1d', '2022-03-01', 'dropped', clock_timestamp())"
        )
    assert closes(api) == bars.close.tolist()


def test_live_bars_follow_the_stored_ones(
    api: httpx.Client, database_url: str, lake: tuple[Path, Bars]
) -> None:
    _, bars = lake
    last = to_datetime(bars.timestamps[-1], UTC)
    with open_database(database_url) as database:
        for days in (0, 1, 2):
            database.rows.execute(
                "INSERT INTO live_bar VALUES "
                "('AAPL', '1d', %s, 1, 2, 1, 1.5, 10, null, null, 0, %s)",
                [last + timedelta(days=days), last],
            )
    assert closes(api) == [*bars.close.tolist(), 1.5, 1.5]
    rows = api.get("/v1/bars/AAPL?start=2023-12-31").json()["data"]
    assert [row["source"] for row in rows] == ["live"]
    # What the source delivered stands, also for who asks for no more than a gap of it.
    with open_database(database_url) as database:
        database.rows.execute(
            "INSERT INTO live_bar VALUES ('AAPL', '1d', '2023-12-24', 1, 2, 1, 1.5, 10, null, "
            "null, 0, '2023-12-24')"
        )
    assert api.get("/v1/bars/AAPL?start=2023-12-23&end=2023-12-25").json()["data"] == []
    assert closes(api, "&source=synthetic") == bars.close.tolist()
    with open_database(database_url) as database:
        database.rows.execute("UPDATE live_bar SET close = 1.75, revision = 1")
    assert closes(api)[-1] == 1.75


def test_a_symbol_that_only_live_windows_know_is_known(
    api: httpx.Client, database_url: str
) -> None:
    assert api.get("/v1/symbols/NVDA").status_code == 404
    with open_database(database_url) as database:
        database.rows.execute(
            "INSERT INTO live_bar VALUES ('NVDA', '5m', '2024-01-02 14:30Z', 1, 2, 1, 1.5, 10, "
            "null, null, 0, '2024-01-02 14:35Z')"
        )
    assert api.get("/v1/symbols/NVDA").json()["data"]["sources"] == {"5m": ["live"]}
    # It has no days, which is no reason to deny it.
    response = api.get("/v1/bars/NVDA?interval=1d")
    assert (response.status_code, response.json()["data"]) == (200, [])


@pytest.mark.parametrize("accept", ["application/json", ARROW])
def test_a_symbol_of_which_there_is_nothing_is_no_empty_answer(
    client: httpx.Client, accept: str
) -> None:
    for route in ("bars/APPL", "bars/APPL?interval=5m", "indicators/APPL?interval=5m"):
        response = client.get(f"/v1/{route}", headers={"Accept": accept})
        assert response.status_code == 404, response.text
        assert response.json()["error"]["code"] == "unknown_symbol"
    # A window without a bar of a symbol that is known is one.
    response = client.get("/v1/bars/AAPL?start=2019-01-02&end=2019-01-03")
    assert (response.status_code, response.json()["data"]) == (200, [])


def test_another_sources_bars_are_not_mixed_in(
    api: httpx.Client, database_url: str, lake: tuple[Path, Bars]
) -> None:
    folder, bars = lake
    write_bronze(folder, bars[len(bars) - 5 :], "1d", Grain.YEAR, source="yahoo")
    load(database_url, folder, bars, 2022)
    assert closes(api, "&source=yahoo") == bars.close[-5:].tolist()
    assert closes(api, "&source=synthetic") == bars.close.tolist()


def test_arrow_and_parquet_hold_what_json_says(client: httpx.Client) -> None:
    route = "/v1/bars/AAPL?interval=1m&limit=500"
    rows = client.get(route).json()
    arrow = client.get(route, headers={"Accept": ARROW})
    parquet = client.get(route, headers={"Accept": f"text/html;q=0.9, {PARQUET}"})
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert table.equals(pq.read_table(pa.BufferReader(parquet.content)))
    assert table.schema.names == list(rows["data"][0])
    assert str(table.schema.field("timestamp").type) == "timestamp[us, tz=UTC]"
    said = [datetime.fromisoformat(row["timestamp"]) for row in rows["data"]]
    assert table["timestamp"].to_pylist() == said
    assert table["close"].to_pylist() == [row["close"] for row in rows["data"]]
    assert arrow.headers["X-Fingerprint"] == rows["meta"]["fingerprint"]
    assert arrow.headers["X-Next"] == rows["meta"]["next"]


@pytest.mark.parametrize("accept", ["text/html", f"{ARROW};q=0", "nonsense"])
def test_a_type_that_there_is_not_is_refused(client: httpx.Client, accept: str) -> None:
    response = client.get("/v1/bars/AAPL", headers={"Accept": accept})
    assert response.status_code == 406
    assert response.json()["error"]["code"] == "not_acceptable"


def test_what_has_not_changed_is_not_sent_again(client: httpx.Client) -> None:
    for accept in ("application/json", ARROW):
        first = client.get("/v1/bars/AAPL", headers={"Accept": accept})
        tag = first.headers["ETag"]
        again = client.get("/v1/bars/AAPL", headers={"Accept": accept, "If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        other = client.get(
            "/v1/bars/AAPL?limit=3", headers={"Accept": accept, "If-None-Match": tag}
        )
        assert other.status_code == 200


def test_indicators_are_those_of_gold(client: httpx.Client, stored_lake: Path) -> None:
    body = client.get("/v1/indicators/AAPL?interval=5m&limit=50000").json()
    folder = stored_lake / "gold" / "vegas_channel" / "5m" / "AAPL"
    stored = pa.concat_tables([pq.read_table(file) for file in sorted(folder.glob("*.parquet"))])
    assert [row["signal"] for row in body["data"]] == stored["signal"].to_pylist()
    assert [row["values"]["ema_12"] for row in body["data"]] == stored["ema_12"].to_pylist()
