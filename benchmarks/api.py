"""What the API's answers and pushes cost: point queries, a year of bars, a hundred sockets.

    uv run python -m benchmarks.api
    uv run python -m benchmarks.api --small

The API runs in this process's child, on a database and a lake of its own; requests come from this
process, so that both share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
from websockets.asyncio.client import connect

from api.feed import FeedItem
from database.schema import upgrade_schema
from lake.files import FileLineage, write_file
from servers.postgres.local import local_postgres
from storage.directory import open_directory
from storage.parquet.arrays import float_column, timestamp_column
from trading.events import Stream, Tick
from trading.instruments.calendar import sessions

HOURS = 7
UPDATES = 500
"""Ticks a second, over as many symbols."""


class Ticks:
    """So many ticks each second, each with the moment at which it was made."""

    async def events(self, after: Mapping[Stream, str]) -> AsyncIterator[FeedItem | None]:
        """Ticks without end, in portions of a hundredth of a second."""
        del after
        number = 0
        began = time.monotonic()
        while True:
            while number < (time.monotonic() - began) * UPDATES:
                number += 1
                tick = Tick(f"S{number % UPDATES}", time.time_ns(), 10.0, 100.0, number)
                yield FeedItem(Stream.TICKS, str(number), tick)
            yield None
            await asyncio.sleep(0.01)


def serve(url: str, lake: str, listening: socket.socket) -> None:
    """The API as the command serves it."""
    import uvicorn  # noqa: PLC0415 - the child's alone

    from api.app import create_app  # noqa: PLC0415 - as above
    from api.services import Services  # noqa: PLC0415 - as above
    from database.api.pool import DatabasePool  # noqa: PLC0415 - as above

    services = Services(database=DatabasePool(url), lake_dir=lake, keys_needed=False, feed=Ticks())
    config = uvicorn.Config(
        create_app(services), log_level="error", access_log=False, ws_per_message_deflate=False,
        timeout_keep_alive=75,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The API in a process of its own; its URL."""
    write_hours(folder / "lake")
    with (
        local_postgres(folder / "postgres") as server,
        closing(socket.create_server(("127.0.0.1", 0))) as listening,
    ):
        upgrade_schema(server.url)
        context = multiprocessing.get_context("spawn")
        child = context.Process(target=serve, args=[server.url, str(folder / "lake"), listening])
        child.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            httpx.get(f"{url}/v1/health", timeout=120).raise_for_status()
            yield url
        finally:
            child.terminate()
            child.join()


def write_hours(lake: Path) -> None:
    """Two years of hourly bars, a file each."""
    directory = open_directory(str(lake), "lake_dir")
    for year in (2022, 2023):
        opens = sessions(date(year, 1, 1), date(year, 12, 31)).opens
        stamps = (opens[:, None] + np.arange(HOURS) * np.timedelta64(3600, "s")).ravel()
        closes = 100 + np.cumsum(np.random.default_rng(year).normal(0, 0.01, len(stamps)))
        columns = {"timestamp": timestamp_column(stamps.astype("datetime64[ns]"), "UTC")}
        for name in ("open", "high", "low", "close", "volume", "vwap", "trades"):
            columns[name] = float_column(closes)
        lineage = FileLineage("bronze", "AAPL", str(year), "")
        name = f"bronze/synthetic/1h/AAPL/{year}.parquet"
        write_file(directory, name, pa.table(columns), lineage)


async def asked(url: str, path: str, clients: int, each: int) -> list[float]:
    """Seconds of each request, of so many clients at once."""
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
        await asyncio.gather(*(client.get(path) for _ in range(clients)))

        async def one() -> list[float]:
            taken = []
            for _ in range(each):
                began = time.perf_counter()
                (await client.get(path)).raise_for_status()
                taken.append(time.perf_counter() - began)
            return taken

        found = await asyncio.gather(*(one() for _ in range(clients)))
    return [seconds for taken in found for seconds in taken]


async def pushed(url: str, viewers: int, seconds: float) -> list[float]:
    """Seconds from a tick to its arrival, of the newest in each message."""
    lags: list[float] = []

    async def view() -> None:
        async with connect(url.replace("http", "ws") + "/v1/stream", compression=None) as stream:
            await stream.send('{"subscribe": ["ticks"]}')
            await stream.recv()
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                body = json.loads(await stream.recv())
                made = np.datetime64(body["events"][-1]["event"]["ts"][:-1], "ns").astype(int)
                lags.append(time.time() - float(made) / 1e9)

    await asyncio.gather(*(view() for _ in range(viewers)))
    return lags


def row(name: str, seconds: list[float]) -> str:
    """One line of the table."""
    middle, late = np.quantile(seconds, [0.5, 0.95]) * 1e3
    return f"| {name} | {len(seconds):,} | {middle:.1f} | {late:.1f} |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the requests")
    few = parser.parse_args().small
    each, viewers, seconds = (3, 10, 2.0) if few else (20, 100, 10.0)
    year = "/v1/bars/AAPL?interval=1h&start=2023-01-01&end=2023-12-31"
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as url:
        point = "/v1/alerts?limit=1"
        rows = [
            row("point query, one client", asyncio.run(asked(url, point, 1, 10 * each))),
            row("point query, 100 at once", asyncio.run(asked(url, point, 100, each))),
            row("a year of hourly bars, one client", asyncio.run(asked(url, year, 1, 10 * each))),
            row("a year of hourly bars, 100 at once", asyncio.run(asked(url, year, 100, each))),
            row(
                f"{UPDATES} ticks/s, {viewers} sockets", asyncio.run(pushed(url, viewers, seconds))
            ),
        ]
    print(f"load of the machine before: {os.getloadavg()[1]:.1f}")
    print("| what | count | p50, ms | p95, ms |\n|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
