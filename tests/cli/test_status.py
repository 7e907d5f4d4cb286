from __future__ import annotations

import re
import shlex
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st
from typer.main import get_command

from cli.app import app
from cli.commands.status import INCOMPLETE, commands
from cli.pipeline.query import PartitionQuery, request_of
from flows.boundary.settings import settings
from lake.grain import Grain
from servers.errors import FAILED, USAGE
from tests.cli.results import STRATEGY, SmallResults, small_results
from tests.requests import CONTRACTS, DAYS, STRATEGIES
from trading.strategies.market_model.parameters import StrategyParameters


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
    commands = re.findall(r"^  .*trading (redo .*)$", done.stdout, re.MULTILINE)
    assert [re.findall(r"--only (\w+)", command) for command in commands] == [
        ["missing"], ["stale"], [],
    ]  # fmt: skip
    for command in commands:
        words = shlex.split(command)
        options = dict(zip(words[1::2], words[2::2], strict=True))
        assert options["--output-dir"] == str(results.output)
        assert options["--strategy"].startswith("{")


OPTIONS = ("contracts", "first", "last", "input_dir", "output_dir", "grain", "strategy")


def query_of(command: str) -> tuple[str | None, PartitionQuery]:
    """What `trading redo` is asked by a printed command: which status, of which partitions."""
    words = shlex.split(command)
    redo = get_command(app).commands["redo"]  # type: ignore[attr-defined] # a group
    taken = redo.make_context("redo", words[words.index("redo") + 1 :]).params
    return taken["only"], PartitionQuery(**{name: taken[name] for name in OPTIONS})


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> SmallResults:
    """Results of a strategy that is not the default, in a folder that the shell would split."""
    return small_results(tmp_path_factory.mktemp("it's here"))


@bounds(deadline=None)
@given(
    strategy=st.none() | STRATEGIES,
    grain=st.none() | st.sampled_from(Grain),
    names=st.none() | st.lists(CONTRACTS, min_size=1),
    days=st.tuples(st.none() | DAYS, st.none() | DAYS),
)
def test_every_printed_command_redoes_what_it_was_printed_for(
    stored: SmallResults,
    strategy: StrategyParameters | None,
    grain: Grain | None,
    names: list[str] | None,
    days: tuple[datetime | None, datetime | None],
) -> None:
    """Also after something else was stored: no default of that time may come into it."""
    first, last = (None if day is None else day.date().isoformat() for day in days)
    asked = PartitionQuery(
        contracts=None if names is None else ",".join(names),
        first=first,
        last=last,
        input_dir=str(stored.input),
        output_dir=str(stored.output),
        grain=grain,
        strategy=None if strategy is None else strategy.model_dump_json(),
    )
    request = request_of(settings(), asked)
    printed = commands(request, asked, {"done": 0, "stale": 1, "missing": 2, "failed": 3})
    told = [query_of(command) for command in printed]
    assert [only for only, _ in told] == ["failed", "missing", "stale", None]
    for _, question in told:
        assert request_of(settings(), question) == request
        assert None not in {question.input_dir, question.output_dir}
        assert None not in {question.grain, question.strategy}
        assert (question.contracts, question.first, question.last) == (asked.contracts, first, last)


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
        (("--from", "11/03/2024"), "from='11/03/2024' is not a day or a timestamp with its UTC"),
        (("--to", "11/03/2024"), "; write the day as YYYY-MM-DD, e.g. 2024-01-02."),
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
