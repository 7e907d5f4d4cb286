"""What is wrong is refused in one sentence, before a server is started or anything is written."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.app import main
from cli.commands.accounts.risk import run_halt, run_resume
from cli.commands.lake.build import run_build
from cli.commands.lake.compact import run_compact
from cli.commands.lake.gaps import run_gaps
from cli.commands.lake.ingest import IngestOptions, run_refetch
from cli.commands.lake.layer_status import run_layer_status
from cli.commands.lake.medallion_run import RunOptions
from cli.commands.lake.question import LakeQuestion, ingest_requests, stored_requests
from cli.commands.lake.selection import Selection, check_symbols
from cli.commands.lake.sql import run_sql
from cli.commands.live.differing import run_differences
from cli.commands.live.services.executor import ExecutorOptions, on_prices, policy_of
from cli.commands.live.services.service import ServiceOptions
from cli.settings import settings_in_force
from flows.boundary.settings import Settings, settings
from servers.errors import USAGE, CommandError
from tests.lake.bronze.deliveries import Lake, deliver, minutes
from trading.errors import DataError, ParameterError


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with one session of minutes of AAPL."""
    made = Lake(tmp_path / "lake")
    made.ingest(deliver(tmp_path / "in", minutes()), made.request())
    return made


@pytest.fixture
def fresh_settings() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "report --cost-bps -1",
            (
                "--cost-bps='-1' cannot be used (input should be greater than or equal to 0); see "
                "trading report --help."
            ),
        ),
        (
            "demo --job-per x",
            (
                "--job-per='x' cannot be used (not one of 'run', 'symbol', 'partition'); see "
                "trading demo --help."
            ),
        ),
        (
            "lake status iron",
            (
                "layer='iron' cannot be used (not one of 'bronze', 'silver', 'gold'); see "
                "trading lake status --help."
            ),
        ),
        ("risk halt", "Missing option '--why'; see trading risk halt --help."),
        ("down", "No such command 'down'; see trading --help."),
        ("backtest a b", "Got unexpected extra argument(s) (b); see trading backtest --help."),
    ],
)
def test_a_command_line_that_is_not_understood_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    monkeypatch.setattr("sys.argv", ["trading", *shlex.split(line)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == USAGE
    assert capsys.readouterr() == ("", f"{said}\n")


def test_a_group_without_a_command_prints_its_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["trading", "lake"])
    with pytest.raises(SystemExit):
        main()
    captured = capsys.readouterr()
    assert "  ingest " in captured.out + captured.err


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RISK_LIMITS", '{"max_drawdown": "-2"}', "max_drawdown: Input should be greater than 0"),
        ("NOTIFY", "mail", "TRADING_NOTIFY cannot be used (it is not of the form NAME=URL"),
    ],
)
@pytest.mark.usefixtures("fresh_settings")
def test_a_variable_that_cannot_be_used_says_what_of_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"TRADING_{variable}", value)
    with pytest.raises(CommandError) as refused:
        settings_in_force()
    assert said in str(refused.value)


@pytest.mark.usefixtures("fresh_settings")
def test_an_unknown_setting_names_the_one_that_is_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("jobper: run\n")
    monkeypatch.setenv("TRADING_SETTINGS_FILE", str(tmp_path / "mine.yaml"))
    with pytest.raises(CommandError, match=r"there is no such setting; job_per is one"):
        settings_in_force()


def test_a_universe_beside_symbols_is_refused(lake: Lake) -> None:
    question = LakeQuestion(symbols="AAPL", universe="sample", lake_dir=str(lake.folder))
    with pytest.raises(ParameterError, match="universe='sample' is not of use beside symbols"):
        ingest_requests(question, Settings())


def test_a_start_after_all_that_is_stored_is_called_that(lake: Lake) -> None:
    question = LakeQuestion(start="2040-01-05", lake_dir=str(lake.folder))
    with pytest.raises(ParameterError, match="start='2040-01-05' is not at or before 2024-01-03"):
        stored_requests(question, Settings())


def test_symbols_that_the_lake_lacks_have_no_gaps_to_tell_of(lake: Lake) -> None:
    question = LakeQuestion(symbols="NOSUCH", lake_dir=str(lake.folder))
    with pytest.raises(ParameterError, match="symbols='NOSUCH' is not a symbol of the lake"):
        run_gaps(question, explained=False, as_object=False)
    options = IngestOptions(job_per=None, reprocess=True, port=0, server_dir=Path(), json=False)
    with pytest.raises(ParameterError, match="symbols='NOSUCH' is not a symbol of the lake"):
        run_refetch(question, options, only_gaps=False, dry_run=True)


Read = Callable[[str], object]


@pytest.mark.parametrize(
    "read",
    [
        lambda place: run_gaps(LakeQuestion(lake_dir=place), explained=False, as_object=False),
        lambda place: stored_requests(LakeQuestion(lake_dir=place), Settings()),
        lambda place: run_layer_status(Selection(layer="gold", lake_dir=place), as_object=False),
        lambda place: run_sql("SELECT 1", "table", place),
        lambda place: run_compact(place, None, grace_minutes=0, dry_run=False, as_object=False),
    ],
)
def test_a_lake_that_is_named_and_missing_is_refused(read: Read, tmp_path: Path) -> None:
    place = tmp_path / "nowhere"
    with pytest.raises(ParameterError, match=r"lake_dir='.*nowhere' is not a lake that is there"):
        read(str(place))
    assert not place.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"strategies": "nosuch"}, "strategy='nosuch' is not one of"),
        ({"parameters": '{"nope": 1}'}, "nope=1 is not valid"),
        ({"symbols": "a b"}, "symbol='a b' is not a symbol name"),
    ],
)
def test_gold_of_what_there_is_not_is_refused_before_a_server_is_started(
    lake: Lake, tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    selection = Selection(lake_dir=str(lake.folder), **wrong)
    server = tmp_path / "server"
    options = RunOptions(job_per=None, port=0, server_dir=server, json=False)
    with pytest.raises(ParameterError) as refused:
        run_build(selection, options, reprocess=False)
    assert said in str(refused.value)
    assert not server.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"symbols": "NOSUCH"}, "symbols='NOSUCH' is not a symbol that bronze has"),
        ({"sources": "yahoo"}, "source='yahoo' is not a source of the bronze in .*; pass one of f"),
        ({"layer": "gold"}, "lake_dir='/.*' is not a lake with any silver"),
    ],
)
def test_what_the_layer_below_lacks_is_refused(
    lake: Lake, wrong: dict[str, str], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        check_symbols(Selection(**wrong), str(lake.folder))


@pytest.mark.usefixtures("fresh_settings")
def test_a_damaged_file_ends_a_query_in_one_sentence(lake: Lake) -> None:
    (file,) = lake.folder.glob("bronze/**/*.parquet")
    file.write_bytes(b"junk")
    with pytest.raises(DataError, match=r"/bronze: a file of it cannot be read .*20240103.parquet"):
        run_sql("SELECT count(close) FROM bronze", "table", str(lake.folder))


EXECUTOR: dict[str, Any] = {
    "account": "paper", "broker": "paper", "confirm_account": None, "symbols": "AAPL",
    "strategy": "rsi_reversion", "fingerprint": None, "interval": "1m", "capital": "100000",
    "fees_bps": "1", "slippage_bps": "1", "participation": "0.025", "allocation": None,
    "allow_short": False, "clock": "wall", "minutes": None, "json": False,
    "service": ServiceOptions(server_dir=Path()),
}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"capital": "nan"}, "capital='nan' is not a number from 0 to"),
        ({"allocation": "-1"}, "allocation='-1' is not a number from 0 to"),
        ({"symbols": "a b"}, "symbol='a b' is not a symbol name"),
        ({"account": "a b/c"}, "account='a b/c' is not 1 to 64 of"),
        ({"interval": "9z"}, "interval='9z' is not one of 1m, 3m"),
        # Nobody makes live bars of a day, nor signals of a strategy that does not exist.
        ({"interval": "1d"}, "interval='1d' is not one of 1m, 3m"),
        ({"strategy": "nosuch"}, "strategy='nosuch' is not one of bollinger_reversion, macd_cross"),
        ({"strategy": "a:B"}, "strategy='a:B' is not a class that can be imported"),
    ],
)
def test_an_executor_refuses_what_it_cannot_trade_with(wrong: dict[str, str], said: str) -> None:
    assert policy_of(ExecutorOptions(**EXECUTOR), Settings()).symbols == ("AAPL",)
    with pytest.raises(ParameterError) as refused:
        policy_of(ExecutorOptions(**EXECUTOR | wrong), Settings())
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("kind", "given", "account", "clock"),
    [
        ("synthetic", {}, "paper-synthetic", "events"),
        ("replay", {}, "paper-replay", "events"),
        ("a vendor", {}, "paper", "wall"),
        (None, {}, "paper", "wall"),
        ("synthetic", {"account": "mine"}, "mine", "events"),
        ("synthetic", {"clock": "events"}, "paper", "events"),
        (None, {"clock": "events"}, "paper", "events"),
        ("a vendor", {"broker": "alpaca"}, "alpaca", "wall"),
    ],
)
def test_an_executor_has_account_and_clock_of_its_prices(
    kind: str | None, given: dict[str, str], account: str, clock: str
) -> None:
    options = ExecutorOptions(**EXECUTOR | {"account": None, "clock": None} | given)
    found, time_of = on_prices(options, kind)
    assert (policy_of(found, Settings()).account, time_of) == (account, clock)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"clock": "wall"}, "clock='wall' is not events, the time of the replay prices here"),
        ({"broker": "alpaca"}, "broker='alpaca' is not paper, which can trade on the replay price"),
    ],
)
def test_an_executor_refuses_another_time_than_its_prices_have(
    given: dict[str, str], said: str
) -> None:
    options = ExecutorOptions(**EXECUTOR | {"account": None, "clock": None} | given)
    with pytest.raises(ParameterError) as refused:
        on_prices(options, "replay")
    assert str(refused.value).startswith(said)


def test_an_executor_follows_a_strategy_of_a_user_s_own_by_the_name_in_its_signals() -> None:
    given = EXECUTOR | {"strategy": "tests.live.executor.process.given_strategy:GivenStrategy"}
    assert policy_of(ExecutorOptions(**given), Settings()).strategy == "given"


@pytest.mark.parametrize("option", ["--rate inf", "--speed inf", "--rate nan", "--minutes nan"])
def test_a_number_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    monkeypatch.setattr("sys.argv", ["trading", "live", *option.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == USAGE
    assert capsys.readouterr().err.startswith(
        f"{option.split(maxsplit=1)[0]}='{option.split()[1]}' cannot"
    )


@pytest.mark.parametrize(
    "do",
    [
        lambda server: run_halt(server, None, " ", closes=False, as_object=False),
        lambda server: run_resume(server, None, "", as_object=False),
    ],
)
def test_a_halt_and_its_end_need_a_reason(do: Callable[[Path], None], tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"why=.* is not a reason for the audit"):
        do(tmp_path / "server")
    assert not (tmp_path / "server").exists()


@pytest.mark.parametrize(
    ("day", "source", "said"),
    [
        ("2024-01-06", None, "date='2024-01-06' is not a session of the exchange"),
        ("2024-01-03", "nosuch", "source='nosuch' is not one that bronze has: files"),
    ],
)
def test_differences_of_nothing_are_refused(
    lake: Lake, tmp_path: Path, day: str, source: str | None, said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        run_differences(day, source, None, lake_dir=str(lake.folder),
                        server_dir=tmp_path / "server", as_object=False)  # fmt: skip
    assert not (tmp_path / "server").exists()
