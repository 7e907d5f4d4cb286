"""Debian's Chromium, driven through the report and the Prefect UI."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, async_playwright

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

PATIENCE_MS = 90_000


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on the PATH; Debian: apt-get install chromium")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=path, args=FLAGS, timeout=PATIENCE_MS
        )
        yield started
        await started.close()


class Watched:
    """A page, what it complained of and what it asked other machines for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.outside: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


async def watched_page(context: BrowserContext) -> Watched:
    """A page that reaches this machine alone."""
    watched = Watched(await context.new_page())

    async def stay_here(route: Route) -> None:
        url = urlsplit(route.request.url)
        if url.scheme in {"file", "data"} or url.hostname == "127.0.0.1":
            await route.continue_()
            return
        watched.outside.append(route.request.url)
        await route.abort()

    await context.route("**/*", stay_here)
    return watched
