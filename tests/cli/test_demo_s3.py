from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.s3_server import s3_server
from cli.sample_data import SAMPLE_CONTRACTS, ensure_market_data
from trading.aggregation import aggregate
from trading.parameters import Grain, StrategyParameters
from trading.partition_run import run_partition
from trading.results import read_rows

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_the_demo_on_s3_stores_what_is_computed_on_local_files(
    run: Run, prefect_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("demo", "--s3", "--contracts", "2", "--grain", "month", "--json")
    ended = run(*command, PREFECT_API_URL=prefect_server)
    assert ended.returncode == 0, ended
    report = json.loads(ended.stdout)
    assert report["output_dir"] == "s3://trading-demo/output"
    assert report["partitions"] == {"total": 2, "completed": 2, "skipped": 0, "failed": 0}
    assert not (tmp_path / "input").exists()

    source, target = str(tmp_path / "input"), str(tmp_path / "output")
    ensure_market_data(source, SAMPLE_CONTRACTS)
    with s3_server(tmp_path / "server" / "s3") as server:
        for variable, value in server.client_settings().items():
            monkeypatch.setenv(variable, value)
        stored = read_rows(report["output_dir"])
        for contract in stored.column("contract").unique().to_pylist():
            first = "2024-01-02T09:30:00-05:00"
            strategy = StrategyParameters()
            run_partition(contract, first, Grain.MONTH, strategy, source, target, "local")
        assert stored.num_rows == 2 * 24
        assert stored.equals(read_rows(target))
        again = aggregate(report["output_dir"], None, StrategyParameters().cost_bps)
    assert again.portfolio.summary.total_pnl_pct == report["portfolio"]["total_pnl_pct"]
