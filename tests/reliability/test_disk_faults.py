"""Disks that are full or read-only, clocks that step back, and writers that meet or are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lake.grain import Grain
from lake.market import results
from lake.market.compute import run_partition
from lake.market.dataset import RESULTS
from lake.market.results import read_rows
from lake.planning import make_ready, plan
from tests.markets import SMALL, random_market, request_of, session_timestamps
from tests.reliability.faults import Faults
from tests.waiting import wait_until

STAMP = "2024-01-03T09:30:00-05:00"
FILE = "AAPL/20240103.parquet"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users can reach, with a market and a result computed from it."""
    with tempfile.TemporaryDirectory(prefix="trading-reliability-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        random_market(session_timestamps(3)).write(folder / "input")
        compute(folder, "first")
        yield folder


def compute(folder: Path, name: str) -> None:
    """What a partition's flow run does."""
    source, target = str(folder / "input"), str(folder / "output")
    run_partition(request_of(source, target, "AAPL", Grain.SESSION), STAMP, name)


FULL = "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))"
"""From now on no file of the process can grow beyond a kilobyte."""

NOBODY = "if os.geteuid() == 0:\n    os.setgroups([]), os.setgid(65534), os.setuid(65534)"
"""Root may write anywhere: continue as somebody who may not."""


def code_of(place: Path, output: str, name: str) -> str:
    """Python that does what a partition's flow run does."""
    return (
        "from trading.strategies.market_model.parameters import StrategyParameters\n"
        "from lake.grain import Grain\n"
        "from lake.market.compute import run_partition\n"
        "from lake.market.request import MarketRequest\n"
        "from storage.directory import open_directory\n"
        f"small = StrategyParameters.model_validate_json({SMALL.model_dump_json()!r})\n"
        "request = MarketRequest(\n"
        f"    input_dir=open_directory({str(place / 'input')!r}, 'input_dir'),\n"
        f"    output_dir=open_directory({str(place / output)!r}, 'output_dir'),\n"
        "    contracts=('AAPL',), grain=Grain.SESSION, strategy=small)\n"
        f"run_partition(request, {STAMP!r}, {name!r})\n"
    )


def refusal(place: Path, limit: str) -> str:
    """What storage says to a process that has loaded all it needs and then is limited."""
    program = "import os, resource\n" + code_of(place, "elsewhere", "first") + limit + "\n"
    program += code_of(place, "output", "second")
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 1, ended
    return ended.stderr.splitlines()[-1]


def test_a_full_disk_is_said_and_leaves_the_result_before(place: Path) -> None:
    """Fails on the sentence when EFBIG is no `_FULL`, on the files when `LocalStore.write` keeps
    its temporary file, and on the bytes when it opens the target itself."""
    before = (place / "output" / FILE).read_bytes()
    said = refusal(place, FULL)
    assert f"{FILE}: no space is left there; free some" in said
    assert (place / "output" / FILE).read_bytes() == before
    assert [file.name for file in (place / "output/AAPL").iterdir()] == [Path(FILE).name]
    compute(place, "third")
    assert lineage(place) == "third"


def test_a_read_only_folder_is_said_and_keeps_its_result(place: Path) -> None:
    """Fails when EACCES is no `_FORBIDDEN`: the sentence does not say what to do."""
    before = (place / "output" / FILE).read_bytes()
    (place / "output/AAPL").chmod(0o555)
    said = refusal(place, NOBODY)
    assert f"{FILE}: it cannot be written: Permission denied; allow it there" in said
    assert (place / "output" / FILE).read_bytes() == before


def lineage(folder: Path) -> str:
    """The run that wrote the result that is there."""
    metadata: dict[bytes, bytes] = pq.read_schema(folder / "output" / FILE).metadata
    return metadata[b"flow_run_id"].decode()


class YesterdaysClock(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> YesterdaysClock:
        return super().now(tz) - timedelta(days=1)


def test_no_result_is_lost_to_a_clock_that_steps_back(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results are compared by fingerprint and replaced by name: fails when `plan` takes a result
    for current that is newer than its input."""
    source, target = str(place / "input"), str(place / "output")
    random_market(session_timestamps(3)).with_price(9, 0, 123.0).write(place / "input")
    monkeypatch.setattr(results, "datetime", YesterdaysClock)

    def due() -> list[str]:
        (planned,) = plan(RESULTS, request_of(source, target, "AAPL", Grain.SESSION))
        return [partition.relative_path for partition in planned.due(reprocess=False)]

    assert FILE in due()
    compute(place, "after the step")
    assert FILE not in due()
    assert 123.0 in read_rows(target).column("price").to_pylist()


def writer(place: Path, faults: Faults, name: str) -> subprocess.Popen[str]:
    """A process that writes the result, as a leaf's does."""
    environment = os.environ | faults.environment()
    return subprocess.Popen(
        [sys.executable, "-c", code_of(place, "output", name)], env=environment, text=True
    )


def test_two_writers_that_meet_leave_one_whole_result_and_a_killed_one_none(
    place: Path, tmp_path: Path
) -> None:
    """With one temporary name for all, the second writer fails or renames the first one's file;
    without `remove_leftovers` the killed writer's file stays for ever."""
    folder = place / "output/AAPL"
    faults = Faults(tmp_path)
    held = [faults.hold("during", FILE), faults.hold("during", FILE)]
    both = [writer(place, faults, name) for name in ("one", "other")]
    wait_until(lambda: all(map(faults.holds, held)), "both are about to rename")
    assert lineage(place) == "first"
    assert len(list(folder.iterdir())) == 3
    for plan_ in held:
        faults.let_go(plan_)
    assert [process.wait() for process in both] == [0, 0]
    assert lineage(place) in {"one", "other"}
    assert [file.name for file in folder.iterdir()] == [Path(FILE).name]

    faults.kill("during", FILE)
    assert writer(place, faults, "killed").wait() == -signal.SIGKILL
    assert lineage(place) in {"one", "other"}
    (leftover,) = folder.glob(".*.tmp")
    request = request_of(str(place / "input"), str(place / "output"), "AAPL", Grain.SESSION)

    def make_ready_again() -> None:
        make_ready(request.output_dir, plan(RESULTS, request))

    make_ready_again()
    assert leftover.exists(), "it could be a writer at work"
    long_ago = time.time() - 2 * 3600
    os.utime(leftover, (long_ago, long_ago))
    make_ready_again()
    assert [file.name for file in folder.iterdir()] == [Path(FILE).name]
