"""The desk in Chromium: each page, dark and light, wide and narrow; pushes, and their loss."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from servers.postgres.local import PostgresServer
from tests.api.desk.conftest import _execute
from tests.api.desk.seed import ACCOUNT
from tests.api.desk.server import desk_server
from tests.api.desk.small_lake import STRATEGY
from tests.browser.conftest import FLAGS
from tests.database.conftest import url_of

pytestmark = pytest.mark.slow

PATHS = (
    "/", "/symbols/AAPL", "/portfolio", "/strategies", f"/strategies/{STRATEGY}", "/pipeline",
    "/alerts", "/news", "/settings", "/login",
)  # fmt: skip
PATIENCE_MS = 30_000
CHECKS = (Path(__file__).parent / "page_checks.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on the PATH; Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def database_url(postgres: PostgresServer, filled: str) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {filled}")
    yield url_of(postgres, name)
    _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def address(database_url: str, lake_dir: str) -> Iterator[str]:
    with desk_server(database_url, lake_dir) as found:
        yield found


class Watched:
    """A page with what it complained of and whom it asked."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.address = address
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", lambda m: self._complain(m.type, m.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _complain(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    def open(self, path: str) -> Page:
        """Go to a page and wait until it shows a frame and its chart."""
        self.page.goto(self.address + path)
        if path != "/login":
            expect(self.page.locator("body")).to_have_attribute("data-seq", re.compile(r"\d+"))
        for chart in self.page.locator(".chart").all():
            expect(chart.locator("canvas").first).to_be_visible()
        return self.page

    @property
    def outside(self) -> list[str]:
        """Requests to other hosts."""
        return [url for url in self.asked if not url.startswith((self.address, "data:"))]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_page_is_sound(browser: Browser, address: str, scheme: str, width: int) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 860},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    found: dict[str, object] = {}
    for path in PATHS:
        watched = Watched(context, address)
        page = watched.open(path)
        problems = page.evaluate(CHECKS)
        if watched.complaints or watched.outside or any(problems.values()):
            found[path] = (watched.complaints, watched.outside, problems)
        page.close()
    context.close()
    assert found == {}


def test_what_rounds_to_nothing_has_no_sign_on_a_chart(browser: Browser, address: str) -> None:
    context = browser.new_context()
    page = Watched(context, address).open("/")
    texts = page.evaluate("""async () => {
      const own = document.querySelector('script[src*="equity"]').src;
      const { dollars, percent } = await import(new URL("charts.js", own));
      return [percent, dollars].flatMap((one) => [-0.0001, -0, -0.5].map(one.formatter));
    }""")
    assert texts == ["0.00 %", "0.00 %", "−0.50 %", "0.00", "0.00", "−0.50"]
    context.close()


def test_everything_on_the_overview_is_reached_by_the_keyboard(
    browser: Browser, address: str
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = Watched(context, address).open("/")
    wanted = page.evaluate(
        "[...document.querySelectorAll('a, button, input')].filter((e) => "
        "e.checkVisibility() && !e.disabled).map((e, i) => (e.dataset.n = i, i))"
    )
    reached = set()
    for _ in range(len(wanted) + 30):
        page.keyboard.press("Tab")
        n, outline = page.evaluate(
            "((at) => [at.dataset.n, getComputedStyle(at).outlineStyle])(document.activeElement)"
        )
        if n is not None:
            assert outline != "none"
            reached.add(int(n))
    assert reached >= set(wanted)
    context.close()


def test_arrow_keys_move_through_the_grid_and_a_cell_shows_its_partition(
    browser: Browser, address: str
) -> None:
    context = browser.new_context()
    page = Watched(context, address).open("/pipeline?layer=silver")
    page.locator("#grid button").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#partition-title")).to_have_text("MSFT 2026-11-11")
    expect(page.locator("#partition-facts a")).to_have_attribute(
        "href", re.compile("/runs/flow-run/")
    )
    context.close()


def test_a_pushed_change_appears_and_a_new_alert_is_told(
    browser: Browser, address: str, database_url: str
) -> None:
    context = browser.new_context()
    page = Watched(context, address).open("/")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO equity SELECT account_id, at + interval '1 second', 101234.56, cash, "
            "deposits, realized, unrealized, fees, gross, drawdown FROM equity "
            "ORDER BY at DESC LIMIT 1"
        )
        connection.execute(
            "INSERT INTO alert_event (rule, subject, kind, severity, message, at, identity) "
            "VALUES ('gap', 'AAPL', 'firing', 'critical', 'AAPL lacks <b>bars</b>.', now(), 'n')"
        )
    expect(page.locator(f'[data-f="{ACCOUNT}/equity"]')).to_have_text("$101,234.56")
    toast = page.locator(".toast")
    expect(toast).to_contain_text("AAPL lacks <b>bars</b>.")
    toast.get_by_role("button", name="Close").click()
    expect(toast).to_have_count(0)
    context.close()


def test_the_kill_switch_asks_for_the_accounts_name(
    browser: Browser, address: str, database_url: str
) -> None:
    context = browser.new_context()
    page = Watched(context, address).open("/")
    page.get_by_role("button", name="Kill switch").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Stop all trading in PAPER account {ACCOUNT}?")
    stop = dialog.get_by_role("button", name=f"Stop trading in {ACCOUNT}")
    dialog.get_by_label("Reason").fill("a test")
    dialog.get_by_label("Type").fill("paper")
    expect(stop).to_be_disabled()
    dialog.get_by_label("Type").fill(ACCOUNT)
    stop.click()
    expect(page.locator(f'[data-f="{ACCOUNT}/trading"]')).to_have_text("Halting: a test")
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("SELECT state, closes_positions FROM risk_state").fetchone()
        assert row == ("HALTED", False)
        connection.execute("UPDATE risk_state SET state = 'ACTIVE', is_closing = false")
    context.close()


def test_figures_grey_out_when_the_feed_is_gone_and_come_back_with_it(
    browser: Browser, database_url: str, lake_dir: str
) -> None:
    context = browser.new_context()
    with desk_server(database_url, lake_dir) as address:
        page = Watched(context, address).open("/")
        figure = page.locator(f'[data-f="{ACCOUNT}/equity"]')
        fresh = figure.evaluate("e => getComputedStyle(e).color")
        port = int(address.rpartition(":")[2])
    expect(page.locator("#feed")).to_have_attribute("data-state", re.compile("late|lost"))
    assert figure.evaluate("e => getComputedStyle(e).color") != fresh
    expect(page.locator("#feed-text")).to_have_text(re.compile(r"\d+ s"))
    with desk_server(database_url, lake_dir, port=port):
        expect(page.locator("#feed")).to_have_attribute("data-state", "live")
        expect(page.locator("body")).not_to_have_class(re.compile("lost"))
    context.close()
