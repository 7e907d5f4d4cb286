"""A command that is killed or stopped, at any moment: the same command finishes its work."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from prefect.client.orchestration import PrefectClient

from lake.grain import Grain
from tests.cli.conftest import Start, start  # noqa: F401 - a fixture
from tests.reliability.faults import POINTS, Faults
from tests.reliability.runs import (
    assert_all_ended,
    assert_as_undisturbed,
    assert_every_file_is_whole,
    runs_of,
    states,
)
from tests.waiting import WAIT_SECONDS, wait_until

COMMAND = ("demo", "--contracts", "1", "--grain", "session", "--json")
FILE = "AAPL/20240103.parquet"


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    (tmp_path / "faults").mkdir()
    return Faults(tmp_path / "faults")


@pytest.mark.soak
async def test_a_command_killed_before_during_and_after_a_write_is_finished_by_the_next(
    start: Start,  # noqa: F811
    prefect_server: str,
    prefect_client: PrefectClient,
    faults: Faults,
    tmp_path: Path,
) -> None:
    """Without the leases the orchestrators' runs stay Running; without `end_lapsed`'s way down, or
    `end_orphans`, those of the partitions. With a write that opens the file itself, the second
    kill leaves half of it."""
    output = tmp_path / "output"
    environment = faults.environment() | {"PREFECT_API_URL": prefect_server}
    for point in POINTS:
        faults.kill(point, FILE)
        killed = start(*COMMAND, **environment)
        _, stderr = killed.communicate(timeout=WAIT_SECONDS)
        assert killed.returncode == -signal.SIGKILL, stderr
        assert (output / FILE).exists() == (point == "after")
        assert_every_file_is_whole(output)
    last = start(*COMMAND, **environment)
    stdout, stderr = last.communicate(timeout=WAIT_SECONDS)
    assert last.returncode == 0, stderr
    counts = json.loads(stdout)["partitions"]
    assert counts["total"] == counts["completed"] + counts["skipped"] == 3
    assert counts["skipped"] >= 1, "what was written before the last kill is not done again"

    runs = await runs_of(prefect_client, output)
    assert_all_ended(runs)
    assert states(runs["orchestrator"]) == {"Crashed": 3, "Completed": 1}
    assert_as_undisturbed(
        tmp_path / "input", output, tmp_path / "reference", ["AAPL"], Grain.SESSION
    )


@pytest.mark.soak
async def test_a_terminated_command_keeps_what_is_done_and_ends_its_runs(
    start: Start,  # noqa: F811
    prefect_server: str,
    prefect_client: PrefectClient,
    faults: Faults,
    tmp_path: Path,
) -> None:
    """Without `_settling`'s last lines nobody says how far it came; without the fan-out's clean-up
    the waiting partition stays Pending."""
    held = faults.hold("before", FILE)
    environment = faults.environment() | {
        "PREFECT_API_URL": prefect_server,
        "TRADING_INLINE_IN_FLIGHT": "1",
    }
    stopped = start(*COMMAND, **environment)
    wait_until(lambda: faults.holds(held) or stopped.poll(), "the second partition is written")
    stopped.send_signal(signal.SIGTERM)
    faults.let_go(held)
    stdout, stderr = stopped.communicate(timeout=WAIT_SECONDS)
    assert stopped.returncode == 143, stderr
    assert json.loads(stdout)["status"] == "interrupted"
    assert " of 3 partitions were completed." in stderr
    assert "Traceback" not in stderr

    runs = await runs_of(prefect_client, tmp_path / "output")
    assert_all_ended(runs)
    kept = states(runs["partition"])
    assert kept["Completed"] >= 1
    assert kept["Cancelled"] >= 1
