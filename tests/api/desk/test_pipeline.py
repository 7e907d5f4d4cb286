"""The pipeline's grid and what is known of backtests, over a lake made by the datasets."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import yaml

from api.desk.backtests import heat_of, sweeps, walked_folds
from api.desk.layers import Layer, layers
from api.prefect_runs import Run
from database.connection import Database
from lake.compaction.compacting import compact
from storage.directory import open_directory
from tests.api.desk.application import Application
from tests.api.desk.conftest import SETTINGS
from tests.api.desk.seed import NOW
from tests.api.desk.small_lake import RUN, STRATEGY


@dataclass
class RecordedRuns:
    """Keeps what it is asked to start, and says that one run failed."""

    failed: str = ""
    started: list[tuple[str, Mapping[str, Any], str]] = field(default_factory=list)

    def recent(
        self, limit: int, offset: int, tags: Sequence[str] = (), flow: str | None = None
    ) -> list[Run]:
        return [_run(self.failed, "Failed")] if self.failed else []

    def one(self, run_id: UUID) -> Run | None:
        return None

    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str) -> Run:
        self.started.append((deployment, parameters, idempotency_key))
        return _run("started", "Scheduled")


def _run(name: str, state: str) -> Run:
    now = datetime.now(UTC)
    return Run(
        id=uuid4(), name=name, state=state, state_type=state.upper(), created=now,
        start_time=None, end_time=None, tags=(), parameters={},
    )  # fmt: skip


def statuses(page: str) -> dict[str, str]:
    return dict(re.findall(r'data-file="([^"]+)" aria-label="[^"]+: (\w+)"', page))


async def test_cells_show_what_is_there_what_failed_and_what_lacks_bars(
    desk_url: str, lake_dir: str, database: Database
) -> None:
    database.rows.execute("UPDATE gap SET symbol = 'MSFT', session = '2026-11-12'")
    runs = RecordedRuns("AAPL 2026-11-24 1m synthetic")
    async with Application.running(desk_url, lake_dir, SETTINGS, runs=runs) as application:
        page = await application.page("/pipeline")
        found = statuses(page)
        bronze = "bronze/synthetic/1m"
        assert found[f"{bronze}/AAPL/20261110.parquet"] == "done"
        assert found[f"{bronze}/AAPL/20261123.parquet"] == "unsettled"
        assert found[f"{bronze}/AAPL/20261124.parquet"] == "failed"
        assert found[f"{bronze}/MSFT/20261112.parquet"] == "gap"
        assert f"{bronze}/AAPL/20261109.parquet" not in found
        silver = statuses(await application.page("/pipeline?layer=silver"))
        assert set(silver.values()) == {"done"}
        assert len(silver) == 21
        answer = await application.client.get(
            "/desk/partition?layer=silver&file=silver/AAPL/20261120.parquet"
        )
        said = answer.json()
        assert said["run"] == RUN
        assert said["run_url"] == f"http://127.0.0.1:4200/runs/flow-run/{RUN}"


async def test_a_replay_of_earlier_days_hides_nothing_that_the_lake_has(
    desk_url: str, lake_dir: str
) -> None:
    file = "silver/AAPL/20261120.parquet"
    earlier = replace(SETTINGS, now=lambda: NOW - timedelta(days=9), wall=lambda: NOW)
    async with Application.running(desk_url, lake_dir, earlier) as application:
        now = await application.page("/pipeline?layer=silver&range=1m")
        assert statuses(now)[file] == "done"
        answer = await application.client.get(f"/desk/partition?layer=silver&file={file}")
        assert answer.json()["status"] == "done"
        # A month's file is there from its first day on, and its last days are still to come.
        gold = await application.page(f"/pipeline?layer=gold/{STRATEGY}/5m")
        assert set(statuses(gold).values()) == {"done"}


def test_sessions_that_are_compacted_into_months_count_as_stored(
    lake_dir: str, tmp_path: Path
) -> None:
    copy = shutil.copytree(lake_dir, tmp_path / "lake")
    lake = open_directory(str(copy), "lake_dir")
    for _ in range(2):  # the first writes the months, the second removes what they have
        compact(lake, NOW + timedelta(days=60), grace=timedelta(0))
    assert lake.list_files("silver/AAPL") == {}
    before = Layer("silver", lake_dir).last_stored()
    assert before is not None
    assert Layer("silver", str(copy)).last_stored() == before


async def test_a_cell_redoes_its_partition_as_it_was_made(
    desk_url: str, lake_dir: str, database: Database
) -> None:
    runs = RecordedRuns()
    async with Application.running(desk_url, lake_dir, SETTINGS, runs=runs) as application:
        layer = f"gold/{STRATEGY}/5m"
        file = f"{layer}/AAPL/2026-11.parquet"
        form = {"layer": layer, "file": file, "idempotency_key": "w1"}
        answer = await application.client.post("/desk/redo", data=form)
        assert answer.status_code == 200, answer.text
        ((deployment, parameters, key),) = runs.started
        assert deployment == "gold-partition/gold-partition"
        assert parameters["symbol"] == "AAPL"
        assert parameters["partition"] == "2026-11"
        assert parameters["parameters"]["periods"] == 14
        assert parameters["lake_dir"] == lake_dir
        assert key == "desk local w1"
        row = database.rows.execute("SELECT action, subject FROM audit ORDER BY id DESC").fetchone()
        assert row == ("redo", file)
        for other in ("silver/AAPL/19990101.parquet", "silver/../../etc/passwd", "x"):
            wrong = {"layer": "silver", "file": other}
            assert (await application.client.post("/desk/redo", data=wrong)).status_code == 404
        assert len(runs.started) == 1


async def test_without_a_prefect_server_nothing_is_redone(desk_url: str, lake_dir: str) -> None:
    async with Application.running(desk_url, lake_dir, SETTINGS) as application:
        form = {"layer": "silver", "file": "silver/AAPL/20261120.parquet"}
        answer = await application.client.post("/desk/redo", data=form)
        assert answer.status_code == 409
        assert "trading up" in answer.json()["error"]["message"]


def test_every_layer_has_a_deployment_that_exists(lake_dir: str) -> None:
    found = layers(lake_dir)
    names = ["bronze/synthetic/1m", "silver", f"gold/{STRATEGY}/5m"]
    assert [layer.name for layer in found] == names
    known = yaml.safe_load(Path("prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    for layer in (*found, Layer("silver_days", lake_dir)):
        assert layer.deployment.partition("/")[2] in {one["name"] for one in known}


def test_a_sweep_is_shown_in_sample_beside_out_of_sample(lake_dir: str) -> None:
    (sweep,) = sweeps(lake_dir, STRATEGY)
    assert sweep.ranking.tried == 20
    heat = heat_of(sweep)
    assert heat is not None
    assert (heat.across, heat.down) == ("periods", "oversold")
    assert heat.columns == ("10", "12", "14", "17", "20")
    for one in sweep.ranking.results:
        column = heat.columns.index(str(one.parameters["periods"]))
        row = next(r for r in heat.rows if r[0] == str(one.parameters["oversold"]))
        for cell, part in ((row[1], one.parts.in_sample), (row[2], one.parts.out_of_sample)):
            shown = cell[column].sharpe
            assert shown == part.sharpe or (shown is None and part.sharpe != part.sharpe)
            if shown is not None and shown != 0:
                assert cell[column].shade[0] == ("h" if shown > 0 else "c")


async def test_the_strategys_page_tells_how_many_sets_were_tried(
    desk_url: str, lake_dir: str
) -> None:
    assert [fold.number for _, fold in walked_folds(lake_dir, STRATEGY)] == [1, 2]
    async with Application.running(desk_url, lake_dir, SETTINGS) as application:
        page = await application.page(f"/strategies/{STRATEGY}")
        assert "20 sets tried" in page
        assert "deflated Sharpe" in page
        assert "Sharpe ratio out of sample" in page
        assert "Walk-forward" in page
