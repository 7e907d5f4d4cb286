"""Jobs that are killed at each point of a write, and their command with them: nothing is lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from prefect.client.orchestration import PrefectClient

from benchmarks.outages import MortalServer
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

FIRST, SECOND, LAST = (f"AAPL/2024010{day}.parquet" for day in (2, 3, 4))


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    (tmp_path / "faults").mkdir()
    return Faults(tmp_path / "faults")


def command(job_per: str, grain: str) -> tuple[str, ...]:
    """The demo of one contract."""
    return "demo", "--json", "--contracts", "AAPL", "--grain", grain, "--job-per", job_per


def environment(server: MortalServer, faults: Faults) -> dict[str, str]:
    """One partition after the other, on this server, with these faults."""
    return faults.environment() | {
        "PREFECT_API_URL": server.api_url,
        "TRADING_INLINE_IN_FLIGHT": "1",
    }


@pytest.mark.soak
async def test_a_partitions_job_killed_before_during_and_after_its_write_is_done_at_the_third(
    start: Start,  # noqa: F811
    own_server: MortalServer,
    faults: Faults,
    tmp_path: Path,
) -> None:
    """Fails when a crash is not followed by another run; when the last crash, whose result is
    there, does not count as done; when the write opens the result itself."""
    plans = [faults.kill(point, "AAPL/2024-01.parquet") for point in POINTS]
    output = tmp_path / "output"
    demo = start(*command("partition", "month"), **environment(own_server, faults))
    stdout, stderr = demo.communicate(timeout=WAIT_SECONDS)
    assert demo.returncode == 0, stderr
    assert json.loads(stdout)["partitions"] == {
        "total": 1, "completed": 1, "skipped": 0, "failed": 0,
    }  # fmt: skip
    assert all(map(faults.happened, plans))
    assert_every_file_is_whole(output)
    async with PrefectClient(own_server.api_url) as client:
        runs = await runs_of(client, output)
    assert_all_ended(runs)
    assert states(runs["partition"]) == {"Crashed": 3}
    assert states(runs["symbol"]) == {"Completed": 1}
    assert states(runs["orchestrator"]) == {"Completed": 1}


@pytest.mark.soak
async def test_a_contracts_job_is_killed_twice_and_then_its_command_and_the_next_finishes(
    start: Start,  # noqa: F811
    own_server: MortalServer,
    faults: Faults,
    tmp_path: Path,
) -> None:
    """Fails when a contract's crash is not followed by another run of it; when the runs inside its
    process stay Running; when the next command does not look for those of the killed one."""
    output = tmp_path / "output"
    faults.kill("before", FIRST)
    faults.kill("during", SECOND)
    held = faults.hold("after", SECOND)
    killed = start(*command("symbol", "session"), **environment(own_server, faults))
    wait_until(lambda: faults.holds(held) or killed.poll() is not None, "the third attempt")
    assert killed.poll() is None
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=WAIT_SECONDS)
    assert_every_file_is_whole(output)
    assert (output / SECOND).exists()
    assert not (output / LAST).exists()

    following = start(*command("run", "session"), **environment(own_server, faults))
    stdout, stderr = following.communicate(timeout=WAIT_SECONDS)
    assert following.returncode == 0, stderr
    assert json.loads(stdout)["partitions"] == {
        "total": 3, "completed": 1, "skipped": 2, "failed": 0,
    }  # fmt: skip
    async with PrefectClient(own_server.api_url) as client:
        runs = await runs_of(client, output)
    assert_all_ended(runs)
    assert states(runs["orchestrator"]) == {"Crashed": 1, "Completed": 1}
    assert states(runs["symbol"]) == {"Crashed": 3, "Completed": 1}
    assert_as_undisturbed(
        tmp_path / "input", output, tmp_path / "reference", ["AAPL"], Grain.SESSION
    )
