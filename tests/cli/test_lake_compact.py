"""`trading lake compact`, and what `maintenance` makes of it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

import lake as lakes
from cli.app import app
from flows.operations.maintenance import compacted_months
from tests.lake.bronze_files import write_minutes

FOLDER = "bronze/synthetic/1m/AAPL"


def compact(place: Path, *words: str, code: int = 0) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["lake", "compact", "--lake-dir", str(place), "--json", *words])
    assert done.exit_code == code, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def states(told: dict[str, Any]) -> list[tuple[str, str, str, int, int]]:
    return [
        (one["folder"], one["month"], one["state"], one["written"], one["removed"])
        for one in told["months"]
    ]


def test_months_are_compacted_and_session_files_go_later(tmp_path: Path) -> None:
    write_minutes(tmp_path, "AAPL", date(2024, 1, 30), date(2024, 1, 31))
    before = lakes.read("bronze", "AAPL", "1m", lake_dir=str(tmp_path))
    assert states(compact(tmp_path, "--dry-run")) == [(FOLDER, "2024-01", "due", 0, 0)]
    assert states(compact(tmp_path, "--symbols", "MSFT")) == []
    assert states(compact(tmp_path)) == [(FOLDER, "2024-01", "waiting", 2, 0)]
    assert states(compact(tmp_path)) == [(FOLDER, "2024-01", "waiting", 0, 0)]
    later = compact(tmp_path, "--grace-minutes", "0")
    assert states(later) == [(FOLDER, "2024-01", "done", 0, 2)]
    assert states(compact(tmp_path)) == []
    assert lakes.read("bronze", "AAPL", "1m", lake_dir=str(tmp_path)) == before


def test_a_month_that_fails_is_told_with_its_reason(tmp_path: Path) -> None:
    write_minutes(tmp_path, "AAPL", date(2024, 1, 30), date(2024, 1, 31))
    file = tmp_path / FOLDER / "20240131.parquet"
    file.write_bytes(file.read_bytes()[:-9])
    (told,) = compact(tmp_path, code=1)["months"]
    assert told["state"] == "failed"
    assert str(file) in told["reason"]
    ((what, state, why),) = compacted_months(str(tmp_path))
    assert (what, state) == (f"{FOLDER} 2024-01", "failed")
    assert str(file) in why
    done = CliRunner().invoke(app, ["lake", "compact", "--symbols", "a b"])
    assert done.exit_code == 2
    assert "symbol='a b' is not a symbol name" in done.stderr
