from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

from cli.commands.demo import DemoOptions, chosen, orchestrator_parameters, selected
from flows.boundary.settings import JobPer, Settings
from lake.market.inputs import PRICES_FILE
from servers.errors import CommandError
from tests.cli.conftest import Start, assert_all_end
from tests.waiting import WAIT_SECONDS, wait_until

Run = Callable[..., subprocess.CompletedProcess[str]]


def options(**changes: Any) -> DemoOptions:
    defaults: Mapping[str, Any] = {
        "contracts": None, "job_per": None, "grain": "bar", "input_dir": None,
        "output_dir": None, "reprocess": False, "port": 0, "server_dir": Path("s"),
        "json": False, "make_sample": False, "serve": False, "s3": False,
    }  # fmt: skip
    return DemoOptions(**{**defaults, **changes})


def test_contracts_are_a_number_or_names() -> None:
    assert selected(None) == {}
    assert selected("7") == {"num_contracts": 7}
    assert selected("AAPL") == {"contracts": ["AAPL"]}
    assert selected("AAPL, BRK-B") == {"contracts": ["AAPL", "BRK-B"]}


def test_nobody_asked_takes_the_contracts_there_are() -> None:
    assert chosen(["AAPL", "MSFT"], None) == {"num_contracts": 2}
    assert chosen(["AAPL", "MSFT"], "1") == {"num_contracts": 1}


def test_more_contracts_than_there_are_is_answered_with_an_option_that_there_is() -> None:
    with pytest.raises(CommandError) as refused:
        chosen(["AAPL", "MSFT"], "10")
    assert str(refused.value) == (
        "contracts='10' is not between 1 and 2, the number of contracts in the data; pass "
        "--contracts 2 or leave it out to take all."
    )


def test_digits_that_are_a_contract_are_never_taken_for_a_number() -> None:
    available = ["600519", "0002", "2", "7", "AAPL"]
    assert chosen(available, "600519") == {"contracts": ["600519"]}
    assert chosen(available, "0002") == {"contracts": ["0002"]}
    assert chosen(available, "3") == {"num_contracts": 3}
    assert chosen(available, "7") == {"contracts": ["7"]}, "there are no seven"
    with pytest.raises(CommandError, match="both a contract of the data and a number") as refused:
        chosen(available, "2")
    named, counted = re.findall(r"--contracts (\S+)", str(refused.value))
    assert chosen(available, named) == {"contracts": ["2"]}
    assert chosen(available, counted) == {"num_contracts": 2}


@given(st.integers(max_value=0))
def test_fewer_than_one_contract_is_refused(number: int) -> None:
    with pytest.raises(CommandError, match="neither a number from 1 nor names"):
        selected(str(number))


@given(st.lists(st.text(st.characters(exclude_characters=","), min_size=1), min_size=1))
def test_names_are_kept_as_they_are_but_for_spaces(names: list[str]) -> None:
    text = ",".join(names)
    stripped = [name.strip() for name in names]
    if not all(stripped):
        with pytest.raises(CommandError, match="--contracts"):
            selected(text)
    elif not stripped[0].lstrip("+-").isdecimal():
        assert selected(text) == {"contracts": stripped}


def test_options_win_over_settings() -> None:
    settings = Settings(input_dir="/in", output_dir="/out", job_per=JobPer.SYMBOL)
    assert orchestrator_parameters(options(), settings) == {
        "job_per": "symbol", "grain": "bar", "reprocess": False,
        "input_dir": "/in", "output_dir": "/out",
    }  # fmt: skip
    asked = options(
        job_per="partition", grain="all", reprocess=True, input_dir="/a", output_dir="s3://bkt/c/"
    )
    assert orchestrator_parameters(asked, settings) == {
        "job_per": "partition", "grain": "all", "reprocess": True,
        "input_dir": "/a", "output_dir": "s3://bkt/c",
    }  # fmt: skip


def test_folders_are_absolute_because_jobs_run_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parameters = orchestrator_parameters(options(input_dir="data", output_dir="../out"), Settings())
    assert parameters["input_dir"] == str(tmp_path / "data")
    assert parameters["output_dir"] == str(tmp_path.parent / "out")


@pytest.mark.slow
def test_a_run_prints_one_object_skips_what_is_done_and_tells_what_failed(
    run: Run, prefect_server: str, tmp_path: Path
) -> None:
    coarse = ("demo", "--contracts", "2", "--grain", "month", "--json")
    first = run(*coarse, PREFECT_API_URL=prefect_server)
    assert first.returncode == 0, first
    report = json.loads(first.stdout)
    assert report["status"] == "completed"
    assert report["partitions"] == {"total": 2, "completed": 2, "skipped": 0, "failed": 0}
    assert report["flow_runs"]["analyze-time-partition"] == {"Completed": 2}
    assert report["flow_runs"]["orchestrator"] == {"Completed": 1}
    assert report["prefect_api_url"] == prefect_server
    assert {"total_pnl_pct", "win_rate", "sharpe", "average_beta", "trades"} <= set(
        report["portfolio"]
    )
    assert (tmp_path / "output" / "AAPL" / "2024-01.parquet").is_file()

    again = run(*coarse, PREFECT_API_URL=prefect_server)
    assert again.returncode == 0, again
    report = json.loads(again.stdout)
    assert report["partitions"] == {"total": 2, "completed": 0, "skipped": 2, "failed": 0}
    assert "analyze-time-partition" not in report["flow_runs"]

    prices = tmp_path / "input" / PRICES_FILE
    table = pq.read_table(prices)
    at = table.column_names.index("AAPL")
    pq.write_table(table.set_column(at, "AAPL", pc.negate(table["AAPL"])), prices)
    invalid = run(*coarse, PREFECT_API_URL=prefect_server)
    assert invalid.returncode == 1, invalid
    report = json.loads(invalid.stdout)
    assert report["status"] == "failed"
    assert report["message"]
    assert report["message"] in invalid.stderr
    assert "Traceback" not in invalid.stderr


@pytest.mark.slow
async def test_what_the_folders_tell_is_refused_before_anything_is_submitted(
    run: Run, prefect_server: str, prefect_client: PrefectClient, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for wrong, said in (
        (("--contracts", "AAPK"), "AAPL"),
        (("--contracts", "11"), "between 1 and 10"),
        (("--output-dir", str(tmp_path / "file")), "a directory that can be written to"),
    ):
        refused = run("demo", *wrong, "--json", PREFECT_API_URL=prefect_server)
        assert refused.returncode == 2, refused
        report = json.loads(refused.stdout)
        assert report["status"] == "error"
        assert wrong[1] in report["message"]
        assert said in report["message"]
        assert refused.stderr.splitlines()[-1] == report["message"]
        assert not (tmp_path / "output").exists()
    assert not await of_this_test(prefect_client, tmp_path)


@pytest.mark.slow
def test_a_folder_that_somebody_named_gets_no_sample_unasked(
    prefect_server: str, tmp_path: Path
) -> None:
    typo = tmp_path / "inputt"
    command = (sys.executable, "-c", "from cli.app import main; main()", "demo", "--json")
    folders = {
        "PREFECT_API_URL": prefect_server, "TRADING_OUTPUT_DIR": str(tmp_path / "output"),
    }  # fmt: skip
    for arguments, named in (
        (("--input-dir", str(typo)), {}),
        ((), {"TRADING_INPUT_DIR": str(typo)}),
    ):
        refused = subprocess.run(
            [*command, *arguments], env=os.environ | folders | named, cwd=tmp_path,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert refused.returncode == 2, refused
        assert json.loads(refused.stdout)["message"] == (
            f"input_dir={str(typo)!r} holds no market data; correct it, or pass --make-sample to "
            "have sample data made there."
        )
        assert list(tmp_path.iterdir()) == []


async def of_this_test(client: PrefectClient, folder: Path) -> list[FlowRun]:
    """The flow runs whose results go to a test's folder: others use the server too."""
    last = FlowRunSort.EXPECTED_START_TIME_DESC
    return [
        run
        for offset in (0, 200, 400)
        for run in await client.read_flow_runs(limit=200, offset=offset, sort=last)
        if str(run.parameters.get("output_dir")).startswith(str(folder))
    ]


@pytest.mark.slow
async def test_ctrl_c_in_the_middle_stops_the_jobs_and_ends_their_runs(
    start: Start, prefect_server: str, prefect_client: PrefectClient, tmp_path: Path
) -> None:
    # One job, which executes 24 partitions one after the other: the first is far from the last.
    command = start(
        "demo", "--contracts", "1", "--job-per", "symbol", "--json",
        PREFECT_API_URL=prefect_server, TRADING_INLINE_IN_FLIGHT="1",
    )  # fmt: skip
    process = psutil.Process(command.pid)
    results = (tmp_path / "output").glob
    wait_until(lambda: list(results("*/*.parquet")) or command.poll(), "a partition is done")
    family = process.children(recursive=True)
    command.send_signal(signal.SIGINT)
    stdout, stderr = command.communicate(timeout=WAIT_SECONDS)
    assert command.returncode == 130, stderr
    assert json.loads(stdout)["status"] == "interrupted"
    assert "Traceback" not in stderr
    assert_all_end(family)
    mine = {run.id: run for run in await of_this_test(prefect_client, tmp_path)}.values()
    assert len(mine) == 1 + 1 + 24, "the orchestrator, the contract, its partitions"
    unfinished = {StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING}
    assert not [run.name for run in mine if run.state_type in unfinished]
