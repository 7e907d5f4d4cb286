"""The page of a sweep as a browser shows it: offline, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from lake.backtests.summary import sweep_result, write_page
from tests.browser.conftest import watched_page
from tests.lake.backtests.conftest import BACKTESTS, FOLDS, asked, lake, two_symbols  # noqa: F401
from tests.lake.building import build


@pytest.fixture
def sweep(lake: Path) -> str:  # noqa: F811
    """The page of four sets and two folds, as a URL."""
    request = asked(lake, symbols=("AAPL",), folds=2)
    build(BACKTESTS, request)
    build(FOLDS, request)
    return Path(write_page(request, sweep_result(request), "trading backtest")).as_uri()


async def test_the_page_works_offline_and_fits_a_phone(browser: Browser, sweep: str) -> None:
    context = await browser.new_context(
        offline=True, color_scheme="dark", viewport={"width": 1280, "height": 900}
    )
    watched = await watched_page(context)
    page = watched.page
    await page.goto(sweep)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 1280
    table = page.locator("table.sortable")
    outside = table.locator("td:nth-child(3)")
    for direction in (-1, 1):
        await table.get_by_role("button", name="Sharpe, out").click()
        texts = [text for text in await outside.all_inner_texts() if text != "n/a"]
        values = [float(text) for text in texts]
        assert len(values) > 1
        assert values == sorted(values, key=lambda value: direction * value)
    await page.locator(".picture.wide svg").first.hover(position={"x": 300, "y": 80})
    assert "buy and hold" in await page.locator("#tip").inner_text()
    await page.set_viewport_size({"width": 390, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    assert await page.locator(".picture.narrow svg").first.is_visible()
    assert watched.complaints == []
    assert watched.outside == []
