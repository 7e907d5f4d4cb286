from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.pipeline.summary import PartitionCounts, Report, as_json, as_text, failure

REPORT = Report(
    status="completed",
    wall_seconds=43.21987,
    output_dir="/data/output",
    prefect_api_url="http://127.0.0.1:4200/api",
    orchestrator_flow_run_id="0000",
    partitions=PartitionCounts(total=1_240, completed=1_000, skipped=240, failed=0),
    flow_runs={"orchestrator": {"Completed": 1}, "analyze-symbol": {"Completed": 10}},
    portfolio={"total_pnl_pct": -1.5, "win_rate": None, "sharpe": 0.456, "trades": 1_234},
)


def changed(**fields: Any) -> Report:
    return dataclasses.replace(REPORT, **fields)


def test_the_json_object_has_exactly_the_documented_fields() -> None:
    line = as_json(REPORT)
    assert "\n" not in line
    fields = json.loads(line)
    assert fields == {
        "status": "completed",
        "wall_seconds": 43.22,
        "output_dir": "/data/output",
        "prefect_api_url": "http://127.0.0.1:4200/api",
        "orchestrator_flow_run_id": "0000",
        "partitions": {"total": 1_240, "completed": 1_000, "skipped": 240, "failed": 0},
        "flow_runs": {"orchestrator": {"Completed": 1}, "analyze-symbol": {"Completed": 10}},
        "portfolio": {
            "total_pnl_pct": -1.5, "win_rate": None, "sharpe": 0.456, "trades": 1_234,
        },
        "validation": {},
        "message": "",
    }  # fmt: skip


def test_dates_are_iso_8601_and_what_json_cannot_say_is_refused() -> None:
    stamp = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    fields = json.loads(as_json(changed(portfolio={"first_timestamp": stamp})))
    assert datetime.fromisoformat(fields["portfolio"]["first_timestamp"]) == stamp
    with pytest.raises(ValueError, match="JSON compliant"):
        as_json(changed(portfolio={"sharpe": float("nan")}))


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (REPORT, 0),
        (changed(status="failed"), 1),
        (changed(status="crashed"), 1),
        (changed(partitions=PartitionCounts(10, 9, 0, 1)), 1),
        (changed(partitions=PartitionCounts(10, 0, 10, 0)), 0),
    ],
)
def test_only_a_complete_run_exits_0(report: Report, code: int) -> None:
    assert report.exit_code == code


def test_the_text_has_the_counts_the_numbers_and_the_folder() -> None:
    lines = dict(line.rsplit("  ", 1) for line in as_text(REPORT).splitlines())
    table = {name.strip(): value.strip() for name, value in lines.items()}
    assert table["Total P&L"] == "-1.500 %"
    assert table["Win rate"] == "n/a"
    assert table["Sharpe ratio"] == "0.46"
    assert table["Trades"] == "1,234"
    assert table["Partitions"] == "1,240"
    assert table["skipped"] == "240 (up to date)"
    assert table["Flow runs"] == "11 in 43.2 s"
    assert table["Results"] == "/data/output"
    assert table["Report"] == "/data/output/_portfolio/report.html"
    assert "Report" not in as_text(changed(portfolio={}))
    assert "Average beta" not in table


def test_a_failed_run_has_a_reason_and_a_complete_one_has_none() -> None:
    failed = changed(status="failed", message="contract='X' is not known.")
    assert failure(failed) == "The run ended failed: contract='X' is not known."
    assert failure(changed(status="aborted")) == "The run ended aborted"
    assert failure(REPORT) == ""


def test_what_validation_found_stands_below_the_numbers_and_in_the_object() -> None:
    split = {
        "check": "unadjusted_splits", "status": "WARN", "count": 1,
        "message": "1 found, the first: NVDA: it jumps.",
    }  # fmt: skip
    warned = changed(validation={"status": "WARN", "checks": [split]})
    assert as_text(warned).endswith(
        "\n\nValidation: WARN. The data are odd; the figures above may be wrong.\n"
        "  unadjusted_splits: 1 found, the first: NVDA: it jumps."
    )
    assert json.loads(as_json(warned))["validation"] == {"status": "WARN", "checks": [split]}
    assert warned.exit_code == 0
    clean = changed(validation={"status": "PASS", "checks": []})
    assert as_text(clean) == as_text(REPORT)
