"""What viewers of the desk wait for: pages, symbols and pushed changes, with a hundred of them.

    uv run python -m benchmarks.desk
    uv run python -m benchmarks.desk --small

The desk runs in a process of its own, over a database and a lake that are filled as the desk's
tests fill them. Ninety-nine viewers are plain sockets that do what a browser does: they hold the
live socket open, and every few seconds go to another page or symbol, which is the page and the data
of its chart. The last one is Chromium: there the time is from the click to the drawn page, and from
the commit of a changed price to its text on the screen. All share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import multiprocessing
import os
import random
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
import psycopg
from playwright.sync_api import Page, sync_playwright
from websockets.asyncio.client import connect

from benchmarks.api import read_answer
from benchmarks.measuring import cpu_seconds
from database.schema import upgrade_schema
from servers.postgres.local import local_postgres
from tests.api.desk import seed, small_lake

PAGES = ("/", "/portfolio", "/strategies", "/alerts", "/news")
SYMBOLS = ("AAPL", "MSFT", "AMZN", "META", "NVDA", "JPM")
THINKS = 6.0
"""Seconds between two interactions of a viewer, on average."""

_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
_DRAWN = """document.body.dataset.seq
&& [...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('canvas'))"""


def serve(url: str, lake: str, listening: socket.socket) -> None:
    """The desk as the command serves it, at the moment of the seeded data."""
    import uvicorn  # noqa: PLC0415 - the child's alone

    from api.app import create_app  # noqa: PLC0415 - as above
    from api.desk.desk import DeskSettings  # noqa: PLC0415 - as above
    from api.desk.routes import desk_routes  # noqa: PLC0415 - as above
    from api.services import Services  # noqa: PLC0415 - as above
    from database.api.pool import DatabasePool  # noqa: PLC0415 - as above

    services = Services(
        database=DatabasePool(url), lake_dir=lake, keys_needed=False, requests_per_minute=10**9
    )
    settings = DeskSettings(limits=seed.LIMITS, now=lambda: seed.NOW)
    routes = desk_routes(services, settings)
    config = uvicorn.Config(
        create_app(services, pages=[routes.router], open_paths=routes.open_paths),
        log_level="error", access_log=False, ws_per_message_deflate=False, timeout_keep_alive=75,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, str, int]]:
    """The desk in a process of its own: its address, its database and its process id."""
    small_lake.fill_lake(str(folder / "lake"))
    with (
        local_postgres(folder / "postgres") as server,
        closing(socket.create_server(("127.0.0.1", 0), backlog=1024)) as listening,
    ):
        upgrade_schema(server.url)
        seed.fill(server.url)
        context = multiprocessing.get_context("spawn")
        child = context.Process(target=serve, args=[server.url, str(folder / "lake"), listening])
        child.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            httpx.get(f"{address}/v1/health", timeout=120).raise_for_status()
            yield address, server.url, child.pid or 0
        finally:
            child.terminate()
            child.join()


class Viewers:
    """Viewers in a thread of their own.

    Args:
        address: Of the desk.
        count: How many.

    Attributes:
        pages: Seconds of each change of page.
        symbols: Seconds of each change of symbol, with the data of its chart.
        frames: How many frames all of them have got.
    """

    def __init__(self, address: str, count: int) -> None:
        self.pages: list[float] = []
        self.symbols: list[float] = []
        self.frames = 0
        self._address, self._count = address, count
        self._stop = threading.Event()
        self._there = threading.Barrier(2)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """All of them connected, for the time of the block."""
        thread = threading.Thread(target=lambda: asyncio.run(self._all()))
        thread.start()
        self._there.wait(120)
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    async def _all(self) -> None:
        async with contextlib.AsyncExitStack() as opened:
            url = self._address.replace("http", "ws") + "/desk/live?after=0"
            for _ in range(self._count):
                live = await opened.enter_async_context(connect(url, compression=None))
                listening = asyncio.create_task(self._listen(live))
                opened.callback(listening.cancel)
            self._there.wait()
            chances = [random.Random(i) for i in range(self._count)]  # noqa: S311 - no secret
            await asyncio.gather(*(self._click(chance) for chance in chances))

    async def _listen(self, live: object) -> None:
        async for _ in live:  # type: ignore[attr-defined]
            self.frames += 1

    async def _click(self, chance: random.Random) -> None:
        """Go from page to page with pauses; browsers keep their connection."""
        host, _, port = self._address.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))

        async def got(path: str) -> None:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            await read_answer(reader)

        while not self._stop.is_set():
            await asyncio.sleep(chance.uniform(0, 2 * THINKS))
            symbol = chance.choice(SYMBOLS)
            began = time.perf_counter()
            if chance.random() < 0.5:
                await got(chance.choice(PAGES))
                self.pages.append(time.perf_counter() - began)
            else:
                await got(f"/symbols/{symbol}")
                await got(f"/desk/bars?symbol={symbol}&interval=5m&account={seed.ACCOUNT}")
                self.symbols.append(time.perf_counter() - began)
        writer.close()


def clicked(page: Page, links: list[str]) -> list[float]:
    """Seconds from each click on a link to the drawn page behind it."""
    taken = []
    for link in links:
        began = time.perf_counter()
        page.locator(f"a[href='{link}']").first.click()
        page.wait_for_url(f"**{link}")
        page.wait_for_function(_DRAWN)
        taken.append(time.perf_counter() - began)
    return taken


def pushed(page: Page, database: str, count: int) -> list[float]:
    """Seconds from the commit of a changed price to its text on the screen."""
    page.wait_for_function(_DRAWN)
    place = "[data-list=watch] tr[data-key=AAPL] td:nth-child(2) span"
    taken = []
    with psycopg.connect(database, autocommit=True) as connection:
        for number in range(count):
            price = 300 + number + 0.25
            start = seed.NOW - timedelta(minutes=3) + timedelta(seconds=number)
            connection.execute(
                "INSERT INTO live_bar (symbol, interval, ts, open, high, low, close, volume, "
                "available_at, revision) VALUES ('AAPL', '1m', %s, %s, %s, %s, %s, 1, %s, 0)",
                [start, price, price, price, price, start + timedelta(minutes=1)],
            )
            began = time.perf_counter()
            page.wait_for_function(
                "([place, text]) => document.querySelector(place)?.textContent === text",
                arg=[place, f"{price:.2f}"], polling=10,
            )  # fmt: skip
            taken.append(time.perf_counter() - began)
            # Not in step with the frames, as changes are not.
            page.wait_for_timeout(random.uniform(0, 1000))  # noqa: S311 - no secret
    return taken


def row(name: str, seconds: list[float]) -> str:
    """One line of the table."""
    middle, late = np.quantile(seconds, [0.5, 0.95]) * 1e3
    return f"| {name} | {len(seconds):,} | {middle:.0f} | {late:.0f} | {1e3 * max(seconds):.0f} |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="ten viewers for a short while")
    few = parser.parse_args().small
    count, rounds, changes = (10, 3, 5) if few else (100, 12, 30)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as (address, database, desk),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(_FLAGS)
        )
        # Its policy would keep the waiting below out of the page.
        page = browser.new_page(viewport={"width": 1280, "height": 860}, bypass_csp=True)
        page.set_default_timeout(60_000)
        page.goto(address)
        page.wait_for_function(_DRAWN)
        viewers = Viewers(address, count - 1)
        before, began = cpu_seconds(desk), time.monotonic()
        with viewers.looking():
            pages = clicked(page, ["/portfolio", "/alerts", "/news", "/"] * rounds)
            page.goto(f"{address}/symbols/AAPL")
            page.wait_for_function(_DRAWN)
            names = itertools.islice(itertools.cycle(["MSFT", "NVDA", "JPM"]), 3 * rounds)
            symbols = clicked(page, [f"/symbols/{name}" for name in names])
            page.goto(address)
            changed = pushed(page, database, changes)
        lasted = time.monotonic() - began
        share = (cpu_seconds(desk) - before) / lasted
        browser.close()
    print(f"load of the machine: {os.getloadavg()[1]:.1f}")
    print(f"viewers: {count}; frames sent in {lasted:.0f} s: {viewers.frames:,}")
    print(f"CPU of the desk: {100 * share:.0f} % of a core")
    print("| what | count | p50, ms | p95, ms | longest, ms |\n|---|---:|---:|---:|---:|")
    print(row("change of page, sockets", viewers.pages))
    print(row("change of symbol with its chart's data, sockets", viewers.symbols))
    print(row("change of page, click to drawn in Chromium", pages))
    print(row("change of symbol, click to drawn in Chromium", symbols))
    print(row("changed price, commit to screen in Chromium", changed))


if __name__ == "__main__":
    main()
