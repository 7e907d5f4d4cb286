"""`trading live` as people run it: real servers, real processes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest

from cli.commands.live.options import LiveOptions, SignalOptions, StreamOptions
from cli.commands.live.processes import LiveProcess, live_processes
from cli.commands.live.supervisor import Supervised, supervised
from servers.errors import USAGE, CommandError
from tests.cli.conftest import Run
from tests.waiting import wait_until


def options(source: str, tmp_path: Path) -> LiveOptions:
    return LiveOptions(
        stream=StreamOptions(source=source, symbols="A,B", lake_dir=str(tmp_path / "lake")),
        signals=SignalOptions(), minutes=None, server_dir=tmp_path, json=False,
    )  # fmt: skip


@pytest.mark.parametrize(("source", "archives"), [("synthetic", False), ("alpaca", True)])
def test_only_what_a_vendor_says_goes_into_the_lake(
    source: str,
    archives: bool,  # noqa: FBT001 - a case
    tmp_path: Path,
) -> None:
    by_name = {one.name: one for one in live_processes(options(source, tmp_path))}
    assert list(by_name) == ["windows", "signals", "stream"]
    assert ("--archive" in by_name["windows"].arguments) is archives
    assert by_name["stream"].arguments[:4] == ["live", "stream", "--source", source]


def test_a_process_that_refuses_what_it_was_asked_for_is_not_begun_again(tmp_path: Path) -> None:
    refusing = LiveProcess("windows", ["live", "windows", "--no-such-option"])
    with (
        supervised([refusing], tmp_path, os.environ) as (one,),
        pytest.raises(CommandError, match="windows cannot run") as refused,
    ):
        wait_until(one.look, "it refuses", 60)
    assert refused.value.exit_code == USAGE


def test_a_process_that_dies_is_begun_again_as_often_as_it_does(tmp_path: Path) -> None:
    waiting = LiveProcess("windows", ["live", "windows", "--server-dir", str(tmp_path / "s")])
    environment = dict(os.environ) | {"TRADING_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}
    one = Supervised(waiting, tmp_path, environment)
    try:
        wait_until(lambda: restarts(one) >= 2, "it was begun again twice", 120)
    finally:
        one.stop()
    assert "cannot be reached" in one.log.read_text()


def restarts(one: Supervised) -> int:
    one.look()
    return one.restarts


@pytest.mark.slow
def test_made_up_ticks_become_bars_and_signals_and_nothing_stays_behind(
    run: Run, tmp_path: Path
) -> None:
    place = tmp_path / "servers"
    done = run(
        "live", "--minutes", "0.8", "--json", "--speed", "120", "--server-dir", str(place),
        "--lake-dir", str(tmp_path / "lake"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert min(told["ticks"], told["bars"], told["signals"]) > 0
    assert told["errors"] == []
    assert told["lag_ms"]["p50"] > 0
    assert set(told) == {
        "ticks", "bars", "signals", "orders", "fills", "equity", "alerts", "lag_ms", "errors",
    }  # fmt: skip
    wait_until(lambda: not processes_of(place), "all processes have ended", 60)


def processes_of(folder: Path) -> list[int]:
    running = psutil.process_iter(["pid", "cmdline"])
    return [
        process.info["pid"]
        for process in running
        if any(str(folder) in word for word in process.info["cmdline"] or [])
    ]


def test_wrong_usage_is_one_sentence_and_starts_nothing(run: Run, tmp_path: Path) -> None:
    done = run("live", "differences", "--date", "yesterday", "--server-dir", str(tmp_path / "s"))
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert "date='yesterday' is not a date" in done.stderr
    done = run("live", "--source", "nowhere")
    assert done.returncode == USAGE
    assert not (tmp_path / "s").exists()
