"""The notebook of the API, cell by cell, on an API that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.services import Services
from database.api.pool import DatabasePool
from tests.api.conftest import served
from tests.api.started_runs import Started
from tests.notebooks.test_notebooks import NOTEBOOKS, run


def test_its_cells_run_in_order(
    database_url: str, stored_lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = Services(
        database=DatabasePool(database_url), lake_dir=str(stored_lake), keys_needed=False,
        runs=Started(),
    )  # fmt: skip
    notebook = next(one for one in NOTEBOOKS if one.stem == "api")
    with served(services) as url:
        monkeypatch.setenv("TRADING_API_URL", url)
        names = run(notebook)
    assert names["bars"].num_rows > 0
    assert names["again"].status_code == 304
    assert names["answer"].headers.get("Idempotency-Replayed")
