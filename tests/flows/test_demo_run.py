"""The newcomer's first command, whole: 240 partitions on a server of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from trading.bars.synthetic import contract_names

SESSIONS = ("20240102", "20240103", "20240104")
TIMES = ("0930", "1030", "1130", "1230", "1330", "1430", "1530", "1600")


def test_the_demo_makes_240_runs_and_240_files_and_says_so(
    migrated: Callable[[Path], Path], tmp_path: Path
) -> None:
    migrated(tmp_path / "server")
    output = tmp_path / "results"
    inherited = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    demo = subprocess.run(
        [
            Path(sys.executable).with_name("trading"), "demo", "--json", "--port", "0",
            "--server-dir", tmp_path / "server", "--input-dir", tmp_path / "data", "--make-sample",
            "--output-dir", output,
        ],
        env=inherited,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )  # fmt: skip
    assert demo.returncode == 0, demo.stderr
    assert demo.stdout.count("\n") == 1
    report = json.loads(demo.stdout)
    assert report["status"] == "completed"
    assert report["wall_seconds"] > 0
    assert report["output_dir"] == str(output)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api", report["prefect_api_url"])
    assert re.fullmatch(r"[0-9a-f-]{36}", report["orchestrator_flow_run_id"])
    assert report["partitions"] == {"total": 240, "completed": 240, "skipped": 0, "failed": 0}
    assert report["flow_runs"] == {
        "orchestrator": {"Completed": 1},
        "validate-data": {"Completed": 1},
        "analyze-symbol": {"Completed": 10},
        "analyze-time-partition": {"Completed": 240},
        "aggregate-portfolio": {"Completed": 1},
    }
    portfolio = report["portfolio"]
    assert (portfolio["contracts"], portfolio["bars"]) == (10, 24)
    assert 0 < portfolio["good_trades"] <= portfolio["trades"] <= 240
    traded = portfolio["good_trades"] + portfolio["bad_trades"] + portfolio["neutral_trades"]
    assert portfolio["trades"] == traded == portfolio["buys"] + portfolio["sells"]
    assert portfolio["win_rate"] == portfolio["good_trades"] / portfolio["trades"]
    assert isinstance(portfolio["total_pnl_pct"], float)
    assert isinstance(portfolio["sharpe"], float)
    assert 0.5 < portfolio["average_beta"] < 2
    assert sorted(file.relative_to(output).as_posix() for file in output.glob("*/2*")) == sorted(
        f"{contract}/{session}_{time}00.parquet"
        for contract in contract_names(10)
        for session in SESSIONS
        for time in TIMES
    )
