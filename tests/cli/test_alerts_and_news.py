"""`trading alerts`, `trading news` and `trading company`, with a real database."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from adapters.companies.yahoo import YahooCompanies
from cli.commands import company as company_commands
from flows.boundary.settings import settings
from tests.adapters.companies.test_yahoo_companies import APPLE, STATEMENTS
from tests.adapters.companies.yahoo_company_server import YahooCompanyServer
from tests.adapters.notifications.receivers import webhook
from tests.adapters.yahoo_server import LocalSession
from tests.cli.in_process import answer, run
from trading.risk.limits import RiskLimits

pytestmark = pytest.mark.usefixtures("named_database")


@pytest.fixture(autouse=True)
def _lake_of_the_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRADING_LAKE_DIR", str(tmp_path / "lake"))
    settings.cache_clear()


def test_rules_are_added_changed_listed_and_removed() -> None:
    assert "no alert rules yet" in run("alerts", "list").stdout
    rule = ("alerts", "add", "high", "price_above", "symbols=AAPL,MSFT", "interval=5m")
    added = answer(*rule, "level=250")
    assert added["status"] == "added"
    assert added["rule"]["symbols"] == ["AAPL", "MSFT"]
    assert answer(*rule, "level=250")["status"] == "unchanged"
    changed = answer(*rule, "level=260.5", "remind_seconds=null", "notify_resolved=false")
    assert changed["status"] == "changed"
    (listed,) = answer("alerts", "list")["rules"]
    assert (listed["level"], listed["remind_seconds"], listed["notify_resolved"]) == (
        260.5, None, False,
    )  # fmt: skip
    assert listed["origin"] == "command"
    shown = run("alerts", "list").stdout
    assert shown.startswith("high  price_above  ")
    fields = shown.split()[2:-1]
    assert sorted(fields) == [
        "interval=5m", "level=260.5", "notify_resolved=false", "remind_seconds=null",
        "symbols=AAPL,MSFT",
    ]  # fmt: skip
    # What is printed is what the command takes.
    assert answer("alerts", "add", "high", "price_above", *fields)["status"] == "unchanged"
    assert run("alerts", "remove", "high").stdout == "The rule high is removed.\n"
    assert answer("alerts", "list") == {"rules": [], "firing": [], "file_error": None}


def test_a_file_of_rules_that_cannot_be_used_is_said_beside_the_rules_in_force(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer("alerts", "add", "high", "price_above", "level=250")
    file = tmp_path / "alerts.yaml"
    monkeypatch.setenv("TRADING_ALERTS_FILE", str(file))
    settings.cache_clear()
    assert run("alerts", "list").exit_code == 0  # it need not be there
    file.write_text("rules:\n  - {name: low, kind: price_below, level: 3}\n")
    assert run("alerts", "list").exit_code == 0
    file.write_text("rules: [")
    done = run("alerts", "list")
    assert done.exit_code == 1
    assert done.stdout.startswith("high  price_above  ")
    assert done.stderr.startswith(f"The alert rules stay as they were: {file}: is no YAML that can")
    told = answer("alerts", "list", exit_code=1)
    assert [rule["name"] for rule in told["rules"]] == ["high"]
    assert told["file_error"] in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "x", "price_over"), "kind='price_over' is not a kind of alert rule"),
        (("add", "x", "price_above"), "level='missing' is not usable"),
        (("add", "x", "price_above", "level"), "FIELD=VALUE='level' is not of the form"),
        (("add", "x", "price_above", "level=1", "level=2"), "each field once"),
        (("add", "x", "price_above", "level=1", "name=y"), "each field once"),
        (("add", "X Y", "gap"), "name='X Y' is not usable"),
        (("remove", "nothing"), "name='nothing' is not the name of an alert rule"),
        (("test",), "set in TRADING_NOTIFY"),
    ],
)
def test_wrong_usage_is_said_in_a_sentence(words: tuple[str, ...], said: str) -> None:
    done = run("alerts", *words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_trial_says_what_became_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as hook:
        monkeypatch.setenv("TRADING_NOTIFY", f"desk={hook.url} down=json://127.0.0.1:1/x")
        settings.cache_clear()
        assert run("alerts", "test", "desk").stdout == "desk  sent\n"
        both = answer("alerts", "test", exit_code=1)
    assert both["desk"] == {"outcome": "sent", "reason": None}
    assert both["down"]["outcome"] == "refused"
    assert [body["title"] for body in hook.bodies] == ["Trial notification"] * 2
    log = answer("alerts", "log")
    assert [(n["channel"], n["state"]) for n in log["notifications"]] == [
        ("down", "failed"), ("desk", "sent"), ("desk", "sent"),
    ]  # fmt: skip
    assert "down  failed (there was no connection" in run("alerts", "log").stdout
    assert run("alerts", "test", "nobody").exit_code == 2


def test_secrets_of_channels_are_masked_wherever_they_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for value, exit_code in (
        ("mail=mailto://me:hunter2@example.com", 0),
        ('{"mail": "mailto://me:hunter2@example.com"}', 0),
        ("mailto://me:hunter2@example.com", 2),
        ('{"mail": hunter2', 2),
        ("mail=nonsense://me:hunter2@example.com", 0),
    ):
        monkeypatch.setenv("TRADING_NOTIFY", value)
        settings.cache_clear()
        shown = run("settings")
        assert shown.exit_code == exit_code, shown.output
        assert "mail=**********" in shown.stdout or exit_code
        tried = run("alerts", "test", "nobody")
        assert tried.exit_code == 2
        assert "hunter2" not in f"{shown.output}{tried.output}"


def test_risk_limits_are_shown_as_the_setting_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    written = {"max_drawdown": "0.2", "buying_power": None}
    monkeypatch.setenv("TRADING_RISK_LIMITS", json.dumps(written))
    settings.cache_clear()
    limits = settings().risk_limits
    shown = answer("settings")["settings"]["risk_limits"]["value"]
    assert json.loads(shown).items() >= written.items()
    assert RiskLimits.model_validate_json(shown) == limits


def test_a_rule_of_a_strategy_that_there_is_not_says_that_it_waits() -> None:
    done = run("alerts", "add", "v", "signal", "strategy=vegas_chanel")
    assert done.exit_code == 0
    assert "strategy='vegas_chanel' is none of bollinger_reversion," in done.stderr
    done = run("alerts", "add", "v", "signal", "strategy=vegas_channel")
    assert (done.exit_code, done.stderr) == (0, "")


def test_quiet_hours_that_cannot_be_read_are_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRADING_NOTIFY_QUIET", "at night")
    settings.cache_clear()
    done = run("settings")
    assert done.exit_code == 2
    assert "22:00-07:00 America/New_York" in done.stderr


def test_news_are_read_once_and_scored(tmp_path: Path) -> None:
    first = answer("news", "fetch", "AAPL", "MSFT", "--hours", "240")
    assert first["new"] == first["found"] > 0
    assert sum(first["labels"].values()) == first["new"]
    again = answer("news", "fetch", "AAPL", "MSFT", "--hours", "239")
    assert (again["new"], again["files"]) == (0, 0)
    listed = answer("news", "list", "AAPL")
    files = list((tmp_path / "lake/news/AAPL").iterdir())
    assert sum(pq.read_metadata(file).num_rows for file in files) == len(listed["articles"])
    other = answer("news", "fetch", "AAPL", "--hours", "1", "--lake-dir", str(tmp_path / "other"))
    assert other["files"] == len(files)
    assert all(article["symbols"] == ["AAPL"] for article in listed["articles"])
    assert -1 <= listed["score"] <= 1
    text = run("news", "list", "AAPL", "--count", "2").stdout.splitlines()
    assert len(text) == 3
    assert text[-1].startswith("Score of AAPL now: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fetch", "../x"), "is not a symbol name"),
        (("fetch",), "TRADING_UNIVERSE names no universe"),
        (("fetch", "AAPL", "--source", "newsapi"), "set TRADING_NEWSAPI_KEY"),
        (("fetch", "AAPL", "--source", "alpaca"), "set TRADING_ALPACA_KEY_ID"),
        (("list", "a b"), "is not a symbol name"),
    ],
)
def test_news_that_cannot_be_read_are_said_in_a_sentence(words: tuple[str, ...], said: str) -> None:
    done = run("news", *words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_companies_are_read_and_shown_as_they_were_known(monkeypatch: pytest.MonkeyPatch) -> None:
    server = YahooCompanyServer()
    server.modules["AAPL"] = APPLE
    server.statements["AAPL"] = STATEMENTS
    with server.running():
        source = YahooCompanies(LocalSession(server.port))
        monkeypatch.setattr(company_commands, "_source", lambda: source)
        first = answer("company", "fetch", "AAPL", "ZZZZ", exit_code=1)
        assert first["changed"] == {"AAPL": 8}
        assert "Yahoo does not know it" in first["failed"]["ZZZZ"]
        assert answer("company", "fetch", "AAPL")["changed"] == {"AAPL": 0}
    shown = answer("company", "show", "AAPL")
    assert {fact["kind"] for fact in shown["facts"]} == {
        "profile", "officers", "statistics", "holders", "income", "balance", "cashflow",
    }  # fmt: skip
    assert "longName: Apple Inc." in run("company", "show", "AAPL").stdout
    before = run("company", "show", "AAPL", "--as-of", "2024-01-02T09:30:00-05:00")
    assert before.exit_code == 2
    assert "trading company fetch AAPL" in before.stderr
    naive = run("company", "show", "AAPL", "--as-of", "2024-01-02T09:30:00")
    assert "as_of" in naive.stderr
