"""Stored backtests as the lake has them, page by page, and one in full."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from api.routes import backtests as routes
from api.services import Services
from database.api.pool import DatabasePool
from lake.backtests.stored import StoredBacktest, key_of
from lake.files import FileLineage, read_file, write_file
from lake.silver.table import SILVER
from storage.directory import open_directory
from storage.errors import StorageError
from tests.api.conftest import served
from tests.api.desk.small_lake import RUN, STRATEGY, fill_lake
from trading.backtest.result import Course
from trading.portfolio.ledger import LedgerEvent


@pytest.fixture(scope="module")
def tested_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of 20 sets and two folds of one symbol."""
    folder = tmp_path_factory.mktemp("backtests") / "lake"
    fill_lake(str(folder))
    return folder


@pytest.fixture(scope="module")
def api(seeded_url: str, tested_lake: Path) -> Iterator[httpx.Client]:
    with serving(seeded_url, tested_lake) as client:
        yield client


@pytest.fixture
def lake(tested_lake: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(tested_lake, tmp_path / "lake"))


@pytest.fixture
def own_api(seeded_url: str, lake: Path) -> Iterator[httpx.Client]:
    """An API on that copy."""
    with serving(seeded_url, lake) as client:
        yield client


@contextlib.contextmanager
def serving(url: str, lake: Path) -> Iterator[httpx.Client]:
    services = Services(database=DatabasePool(url), lake_dir=str(lake), keys_needed=False)
    with served(services) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def listed(api: httpx.Client, query: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """All rows of all pages."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = api.get(f"/v1/backtests?limit={limit}{query}{cursor}")
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert len(body["data"]) <= limit
        rows += body["data"]
        if body["meta"]["next"] is None:
            return rows
        cursor = f"&cursor={body['meta']['next']}"


def test_every_set_and_fold_is_listed_once_whatever_the_pages(api: httpx.Client) -> None:
    rows = listed(api)
    assert [row["dataset"] for row in rows] == ["backtest"] * 20 + ["walk-forward"] * 2
    assert listed(api, limit=7) == rows
    one = rows[0]
    assert (one["strategy"], one["interval"], one["account"]) == (STRATEGY, "5m", "AAPL")
    assert one["flow_run_id"] == RUN
    assert one["parameters"]["periods"] > 0
    assert set(one["metrics"]) == {"whole", "in_sample", "out_of_sample"}
    assert one["first"] < one["split"] < one["last"]
    fold = rows[-1]
    assert set(fold["metrics"]) == {"trained", "traded"}
    assert fold["fold"] in {1, 2}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("&dataset=walk-forward", 2),
        (f"&strategy={STRATEGY}", 22),
        ("&strategy=vegas_channel", 0),
        ("&interval=5m&account=AAPL&dataset=backtest", 20),
        ("&interval=1h", 0),
        ("&account=MSFT", 0),
        ("&account=portfolio", 0),
    ],
)
def test_filters_choose(api: httpx.Client, query: str, count: int) -> None:
    assert len(listed(api, query, limit=9)) == count


def test_one_has_its_equity_and_trades_and_they_agree_with_its_metrics(api: httpx.Client) -> None:
    row = max(listed(api, "&dataset=backtest"), key=lambda one: one["fills"])
    body = api.get(f"/v1/backtests/{row['id']}?points=10000").json()
    data = body["data"]
    assert body["meta"]["stale"] is None
    assert data["result"] == row
    equity = data["equity"]
    assert equity[-1]["at"] == row["last"]
    assert equity[-1]["equity"] == pytest.approx(float(row["final_equity"]))
    whole = row["metrics"]["whole"]
    assert min(point["drawdown"] for point in equity) == pytest.approx(whole["max_drawdown"])
    start = Decimal(str(row["assumptions"]["capital"]))
    assert Decimal(row["final_equity"]) / start - 1 == pytest.approx(
        Decimal(whole["total_return"]), abs=Decimal("1e-9")
    )
    assert data["trade_count"] == whole["trades"] > 1
    earned = [float(trade["pnl"]) for trade in data["trades"]]
    assert np.mean(earned) == pytest.approx(whole["expectancy"])
    closed = [trade["closed"] for trade in data["trades"]]
    assert closed == sorted(closed, reverse=True)


def test_few_points_hide_no_fall(api: httpx.Client) -> None:
    row = max(listed(api, "&dataset=backtest"), key=lambda one: one["fills"])
    data = api.get(f"/v1/backtests/{row['id']}?points=5&trades=1").json()["data"]
    assert len(data["equity"]) == 5
    worst = min(point["drawdown"] for point in data["equity"])
    assert worst == pytest.approx(row["metrics"]["whole"]["max_drawdown"])
    assert len(data["trades"]) == 1


def test_a_fold_has_the_equity_of_the_part_that_was_traded(api: httpx.Client) -> None:
    for row in listed(api, "&dataset=walk-forward"):
        body = api.get(f"/v1/backtests/{row['id']}?points=10000").json()
        assert body["meta"]["stale"] is None
        equity = body["data"]["equity"]
        assert (equity[0]["at"], equity[-1]["at"]) == (row["split"], row["last"])
        assert equity[-1]["equity"] == pytest.approx(float(row["final_equity"]))


def test_bars_that_changed_since_give_no_equity_instead_of_another(
    own_api: httpx.Client, lake: Path
) -> None:
    row = max(listed(own_api, "&dataset=backtest"), key=lambda one: one["fills"])
    raise_prices(lake)
    body = own_api.get(f"/v1/backtests/{row['id']}").json()
    assert body["data"]["equity"] is None
    assert "run the backtest again" in body["meta"]["stale"]
    assert body["data"]["result"] == row
    assert body["data"]["trades"]


def test_bars_that_are_gone_give_no_equity(own_api: httpx.Client, lake: Path) -> None:
    rows = listed(own_api, "&dataset=walk-forward")
    for file in sorted((lake / SILVER / "AAPL").glob("*.parquet"))[1:]:
        file.unlink()
    for row in rows:
        body = own_api.get(f"/v1/backtests/{row['id']}").json()
        assert body["data"]["equity"] is None
        assert "run the backtest again" in body["meta"]["stale"]


def test_unreadable_bars_are_not_reported_as_changed(
    own_api: httpx.Client, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = listed(own_api, "&dataset=backtest")[0]

    def away(lake_dir: str, stored: StoredBacktest, ledger: Sequence[LedgerEvent]) -> Course:
        raise StorageError(lake_dir, "it cannot be read", "try again")

    monkeypatch.setattr(routes, "stored_course", away)
    answer = own_api.get(f"/v1/backtests/{row['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "lake_unavailable")


def raise_prices(lake: Path) -> None:
    """Restate one session of silver: each price a cent higher."""
    directory = open_directory(str(lake), "lake_dir")
    name = sorted(directory.list_files(f"{SILVER}/AAPL"))[3]
    file = read_file(directory, f"{SILVER}/AAPL/{name}", SILVER, "AAPL")
    table = file.table
    for price in ("open", "high", "low", "close", "vwap"):
        place = table.schema.get_field_index(price)
        raised = [table[price].to_numpy() + 0.01]
        table = table.set_column(place, table.schema.field(price), raised)
    lineage = FileLineage(SILVER, "AAPL", file.metadata["fingerprint"], "", file.metadata)
    groups = pq.read_metadata(lake / SILVER / "AAPL" / name)
    rows = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
    write_file(directory, f"{SILVER}/AAPL/{name}", table, lineage, row_groups=rows)


def test_a_result_that_was_removed_or_damaged_is_not_there(
    own_api: httpx.Client, lake: Path
) -> None:
    first, second = listed(own_api)[:2]
    for row, content in ((first, None), (second, b"x")):
        key = key_of(row["id"])
        assert key is not None
        file = lake / key.relative_path
        file.unlink() if content is None else file.write_bytes(content)
        gone = own_api.get(f"/v1/backtests/{row['id']}")
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "unknown_backtest")
    assert len(listed(own_api)) == 20


@pytest.mark.parametrize(
    "path",
    [
        "/v1/backtests/x", "/v1/backtests/backtest:..:5m:AAPL:" + "0" * 32,
        f"/v1/backtests/backtest:{STRATEGY}:5m:..:" + "0" * 32,
        f"/v1/backtests/backtest:{STRATEGY}:5m:AAPL:" + "0" * 32,
        "/v1/backtests?account=../x", "/v1/backtests?cursor=W10", "/v1/backtests?cursor=IngI",
        "/v1/backtests?strategy=..%2f..", "/v1/backtests?dataset=gold",
    ],
)  # fmt: skip
def test_what_names_no_result_is_refused(api: httpx.Client, path: str) -> None:
    refused = api.get(path)
    assert refused.status_code in {404, 422}, refused.text
    assert refused.json()["error"]["message"]
