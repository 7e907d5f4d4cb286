"""The report as a browser shows it: offline, on a desk and on a phone, in light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator

from lake.market.aggregate import AggregationRequest, aggregate
from lake.market.report import read_content, write_report
from tests.browser.conftest import watched_page
from tests.cli.results import small_results


@pytest.fixture
def report(tmp_path: Path) -> str:
    """The report of two contracts and sixteen bars, as a URL."""
    results = small_results(tmp_path)
    request = AggregationRequest(input_dir=str(results.input), output_dir=str(results.output))
    content = read_content(aggregate(request))
    return Path(write_report(content, "trading report", "trading prune")).as_uri()


async def names(table: Locator) -> list[str]:
    return await table.locator("tbody th").all_inner_texts()


async def test_the_report_works_offline_and_without_a_complaint(
    browser: Browser, report: str
) -> None:
    context = await browser.new_context(offline=True, color_scheme="light")
    watched = await watched_page(context)
    page = watched.page
    await page.goto(report)
    light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await page.emulate_media(color_scheme="dark")
    dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light == "rgb(246, 247, 249)"
    assert dark == "rgb(16, 21, 28)"

    table = page.locator("table.sortable")
    assert await names(table) == ["AAPL", "BRK-B"]
    await table.get_by_role("button", name="Contract").click()
    assert await names(table) == ["BRK-B", "AAPL"]
    beta = table.locator("td:nth-child(5)")
    for direction in (-1, 1):
        await table.get_by_role("button", name="Beta").click()
        values = [float(text) for text in await beta.all_inner_texts()]
        assert values == sorted(values, key=lambda value: direction * value)

    # Each cell of a heat map, and each step of a chart, tells what it shows.
    await page.locator("[data-map=signals] img").hover(position={"x": 5, "y": 5})
    assert (await page.locator("#tip").inner_text()).startswith("AAPL, 2024-01-02 09:30: ")
    definition = page.locator(".headlines details", has_text="Sharpe ratio")
    await definition.locator("summary").click()
    assert "bars a year" in await definition.inner_text()

    await page.set_viewport_size({"width": 360, "height": 740})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    assert await page.locator(".picture.narrow svg").first.is_visible()
    assert not await page.locator(".picture.wide svg").first.is_visible()
    assert watched.complaints == []
    assert watched.outside == []
