"""Pages: nothing foreign in them, nothing of others' texts run, failures said in a sentence."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from api.desk.desk import DeskSettings
from database.connection import Database
from servers.postgres.local import PostgresServer
from tests.api.desk.application import Application
from tests.api.desk.conftest import SETTINGS, _execute
from tests.api.desk.seed import ACCOUNT

PATHS = (
    "/", "/symbols/AAPL", "/symbols/XOM", "/portfolio", "/strategies",
    "/strategies/vegas_channel", "/pipeline", "/alerts", "/news", "/settings", "/login",
)  # fmt: skip


class Outside(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"script", "img", "link", "iframe"}:
            self.loads.append(given.get("src") or given.get("href") or "inline")
        self._script = tag in {"script", "style"}
        self.inline += [name for name in given if name == "style" or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.inline.append(data)


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_loads_own_files_alone_and_has_no_script_or_style_inside(
    application: Application, path: str
) -> None:
    answer = await application.client.get(path)
    assert answer.status_code == 200, answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    found = Outside()
    found.feed(answer.text)
    assert found.inline == []
    assert found.loads
    assert all(re.match(r"(/desk/files/|data:)", url) for url in found.loads)


async def test_texts_of_others_are_shown_and_not_run(
    application: Application, database: Database
) -> None:
    database.rows.execute(
        "UPDATE article SET title = '<script>alert(1)</script>', url = 'javascript:alert(1)' "
        "WHERE id = '0'"
    )
    page = await application.page("/news")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "javascript:" not in page


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/symbols/aapl", 422, "a contract name"),
        ("/symbols/%3Cscript%3E", 422, "a contract name"),
        ("/strategies/none_such", 404, "There is no strategy of that name."),
        ("/?account=nobody", 404, "There is no account of that name"),
    ],
)
async def test_a_wrong_address_is_a_page_with_one_sentence(
    application: Application, path: str, status: int, words: str
) -> None:
    page = await application.page(path, status)
    assert words in page
    assert "Traceback" not in page
    assert "<script>" not in page


async def test_a_symbol_without_anything_has_a_page(application: Application) -> None:
    page = await application.page("/symbols/ZZZZ")
    assert "There are no bars of ZZZZ." in page
    assert "No company data yet." in page


async def test_attribution_adds_up_to_the_change_of_equity(
    application: Application, database: Database
) -> None:
    row = database.rows.execute(
        "SELECT equity - deposits FROM equity ORDER BY at DESC LIMIT 1"
    ).fetchone()
    assert row is not None
    page = await application.page("/portfolio")
    footer = re.search(r"<tfoot>.*</tfoot>", page, re.DOTALL)
    assert footer is not None
    total = re.findall(r'class="v \w*">([^<]+)<', footer[0])[-1]
    assert float(re.sub(r"[$,+]", "", total).replace("−", "-")) == pytest.approx(
        float(row[0]), abs=0.01
    )


async def test_charts_have_what_the_tables_have(
    application: Application, database: Database
) -> None:
    equity = (await application.client.get(f"/desk/equity?account={ACCOUNT}&range=all")).json()
    times = equity["times"]
    assert times == sorted(set(times))
    assert equity["benchmark"][0] == pytest.approx(equity["equity"][0])
    assert max(equity["drawdown"]) <= 0
    bars = (
        await application.client.get(f"/desk/bars?symbol=AAPL&interval=5m&account={ACCOUNT}")
    ).json()
    for name, table, rule in (
        ("signals", "signal", "signal <> 'hold'"),
        ("fills", "execution", "true"),
    ):
        row = database.rows.execute(
            f"SELECT count(*) FROM {table} WHERE symbol = 'AAPL' AND {rule}".encode()  # noqa: S608
        ).fetchone()
        assert row is not None
        assert len(bars[name]) == row[0] > 0
        assert {mark["time"] for mark in bars[name]} <= set(bars["times"])
    assert set(bars["indicators"]) == {"ema_8", "ema_34"}
    # 9:30 in New York, written as if it were UTC.
    assert bars["times"][0] % 86_400 == (9 * 60 + 30) * 60


async def test_looks_are_kept_in_a_cookie_that_scripts_cannot_read(
    application: Application,
) -> None:
    answer = await application.client.post(
        "/settings", data={"theme": "dark", "palette": "blue-orange"}
    )
    assert answer.status_code == 303
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert 'data-theme="dark" data-palette="blue-orange"' in await application.page("/")
    wrong = await application.client.post("/settings", data={"theme": "x", "palette": "y"})
    assert wrong.status_code == 422


async def test_without_the_database_pages_say_so_and_the_overview_shows_the_last_figures(
    postgres: PostgresServer, desk_url: str, tmp_path: Path
) -> None:
    async with Application.running(desk_url, str(tmp_path), SETTINGS) as application:
        before = await application.page("/")
        name = re.search(r"/(test_\w+)\?", desk_url)
        assert name is not None
        _execute(postgres, f"ALTER DATABASE {name[1]} ALLOW_CONNECTIONS false")
        _execute(
            postgres,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608 - our own name
            f"WHERE datname = '{name[1]}'",
        )
        frame = await application.desk.pusher.look()
        assert frame.problem.startswith(
            "The database does not answer: the figures are from 2026-11-25"
        )
        after = await application.page("/")
        equity = re.search(rf'data-f="{ACCOUNT}/equity"[^>]*>([^<]+)<', before)
        assert equity is not None
        assert equity[1] in after
        assert frame.problem in after
        assert "The database cannot answer now" in await application.page("/news", 503)
        _execute(postgres, f"ALTER DATABASE {name[1]} ALLOW_CONNECTIONS true")
        await _until_read(application)
        await application.page("/news")


async def _until_read(application: Application) -> None:
    while (await application.desk.pusher.look()).problem:
        pass


async def test_a_desk_that_starts_without_the_database_does_not_say_that_there_is_no_account(
    postgres: PostgresServer, desk_url: str, tmp_path: Path
) -> None:
    name = re.search(r"/(test_\w+)\?", desk_url)
    assert name is not None
    _execute(postgres, f"ALTER DATABASE {name[1]} ALLOW_CONNECTIONS false")
    async with Application.running(desk_url, str(tmp_path), SETTINGS) as application:
        page = await application.page("/")
        assert "No account yet" not in page
        assert "figures are from no time" not in page
        assert "Nothing has been read from the database yet" in page
        _execute(postgres, f"ALTER DATABASE {name[1]} ALLOW_CONNECTIONS true")
        await _until_read(application)
        assert f"{ACCOUNT}/equity" in await application.page("/")


async def test_a_desk_without_an_account_says_how_to_get_one(
    desk_url: str, database: Database, tmp_path: Path
) -> None:
    database.rows.execute("TRUNCATE account, live_bar, bar_1d CASCADE")
    async with Application.running(desk_url, str(tmp_path), DeskSettings()) as application:
        assert "trading live" in await application.page("/")
        for path in ("/portfolio", "/strategies", "/alerts", "/settings"):
            await application.page(path)
        assert "There are no symbols yet" in await application.page("/symbols", 404)
