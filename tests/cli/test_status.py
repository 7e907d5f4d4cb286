from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cli.commands.status import INCOMPLETE
from servers.errors import FAILED, USAGE
from tests.cli.results import STRATEGY, SmallResults, small_results


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallResults:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return small_results(tmp_path)


def test_all_done_is_a_grid_without_commands(results: SmallResults) -> None:
    done = results.command("status")
    assert done.exit_code == 0
    assert "Grain    session: 2 partitions of each of 2 contracts\n" in done.stdout
    assert "Time     2024-01-02 to 2024-01-03, one to a column\n" in done.stdout
    assert re.search(r"^AAPL   (✓✓|##)  2 done$", done.stdout, re.MULTILINE)
    assert "redo" not in done.stdout
    assert "PREFECT_API_URL names no server" in done.stdout


def test_what_is_not_done_comes_with_commands_that_the_command_line_takes(
    results: SmallResults,
) -> None:
    (results.output / "AAPL" / "20240102.parquet").unlink()
    results.market.with_price(8, 1, 70.0).write(results.input)
    done = results.command("status")
    assert done.exit_code == INCOMPLETE
    assert re.search(r"^AAPL   (·✓|\.#)  1 done, 1 missing$", done.stdout, re.MULTILINE)
    assert re.search(r"^BRK-B  (✓~|#~)  1 done, 1 stale$", done.stdout, re.MULTILINE)
    commands = re.findall(r"^  trading (redo .*)$", done.stdout, re.MULTILINE)
    assert [re.findall(r"--only (\w+)", command) for command in commands] == [
        ["missing"], ["stale"], [],
    ]  # fmt: skip
    for command in commands:
        words = shlex.split(command)
        options = dict(zip(words[1::2], words[2::2], strict=True))
        assert options["--output-dir"] == str(results.output)
        assert options["--strategy"].startswith("{")


def test_the_object_names_each_file_that_is_not_done(results: SmallResults) -> None:
    (results.output / "AAPL" / "20240102.parquet").unlink()
    answer = results.answer("status", exit_code=INCOMPLETE)
    assert answer["partitions"] == {"done": 3, "stale": 0, "missing": 1, "failed": 0}
    assert answer["contracts"]["AAPL"] == {
        "done": 1, "stale": [], "missing": ["AAPL/20240102.parquet"], "failed": [],
    }  # fmt: skip
    assert answer["grain"] == "session"
    narrowed = results.answer("status", "--contracts", "AAPL", "--from", "2024-01-03")
    assert narrowed["partitions"]["done"] == 1


def test_another_grain_or_strategy_than_that_of_the_results_is_asked_for(
    results: SmallResults,
) -> None:
    by_bar = results.answer("status", "--grain", "bar", exit_code=INCOMPLETE)
    assert by_bar["partitions"]["missing"] == 32
    default = results.answer("status", "--strategy", "{}", exit_code=INCOMPLETE)
    assert default["partitions"]["stale"] == 4
    assert results.answer("status", "--strategy", STRATEGY)["partitions"]["done"] == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--contracts", "AAPL,,MSFT"), "contracts='AAPL,,MSFT'"),
        (("--contracts", "NONE"), "NONE"),
        (("--strategy", "{'beta_window': 3}"), "--strategy"),
        (("--strategy", '{"beta_window": -3}'), "beta_window"),
        (("--from", "yesterday"), "from='yesterday'"),
        (("--from", "2030-01-01"), "2024-01-02T09:30:00-05:00"),
        (("--grain", "week"), "week"),
    ],
)
def test_wrong_usage_names_the_value(
    results: SmallResults, arguments: tuple[str, ...], said: str
) -> None:
    done = results.command("status", *arguments)
    assert done.exit_code == USAGE
    assert said in done.stderr
    assert done.stdout == ""


def test_a_server_that_does_not_answer_is_said_and_no_input_is_an_error(
    results: SmallResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://me:secret@127.0.0.1:1/api")
    done = results.command("status")
    assert done.exit_code == 0
    assert "PREFECT_API_URL does not answer" in done.stdout
    assert "secret" not in done.output
    (results.input / "vix_hourly.parquet").unlink()
    failed = results.command("status", "--json")
    assert failed.exit_code == FAILED
    assert "vix_hourly.parquet" in failed.stderr
