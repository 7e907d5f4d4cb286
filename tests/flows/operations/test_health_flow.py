"""Health of a real Prefect server and a real database, and of ones that are gone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.health.prefect_server import PrefectUnreachableError, prefect_state
from flows.boundary.settings import Settings
from flows.operations.health_checks import Place, check_all
from trading.operations.health import Condition

NOW = datetime.now(UTC)
GONE = "127.0.0.1:9"


def found(settings: Settings, place: Place) -> dict[str, Condition]:
    return {check.name: check.condition for check in check_all(settings, place, NOW).checks}


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(
        lake_dir=str(tmp_path / "lake"),
        output_dir=str(tmp_path / "output"),
        backup_dir=str(tmp_path / "backups"),
    )


def test_what_is_named_and_does_not_answer_is_down(here: Settings) -> None:
    place = Place(f"http://{GONE}/api", f"postgresql://me:hush@{GONE}/x", f"redis://:hush@{GONE}/0")
    health = check_all(here, place, NOW)
    conditions = {check.name: check.condition for check in health.checks}
    assert {conditions[name] for name in ("prefect", "database", "bus")} == {Condition.DOWN}
    assert conditions["lake_dir"] is Condition.OK
    assert health.exit_code == 1
    assert "hush" not in str(health.as_dict())


def test_what_is_not_named_is_off_and_all_is_well(here: Settings) -> None:
    health = check_all(here, Place(None, None, None), NOW)
    assert health.exit_code == 0
    off = {check.name for check in health.checks if check.condition is Condition.OFF}
    assert off == {"prefect", "database", "bus"}


def test_a_place_that_cannot_be_written_to_is_down(here: Settings, tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file in the way")
    assert found(here, Place(None, None, None))["lake_dir"] is Condition.DOWN


def test_a_server_tells_its_workers_queues_and_schedules(
    registered: None, prefect_server: str, here: Settings
) -> None:
    checks = found(here, Place(prefect_server, None, None))
    assert checks["prefect"] is Condition.OK
    assert checks["worker"] is Condition.WARN  # nobody works here
    assert checks["schedules"] is Condition.OFF
    state = prefect_state(prefect_server, here.work_pool, now=NOW)
    assert state.schedules == ()
    assert state.certificate_ends is None


def test_an_address_without_a_prefect_server_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PrefectUnreachableError, match="refused"):
        prefect_state(f"http://{GONE}/api", "trading", now=NOW)
