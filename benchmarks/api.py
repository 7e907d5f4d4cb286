"""What the API's answers and pushes cost: point queries, a year of bars, a hundred sockets.

    uv run python -m benchmarks.api
    uv run python -m benchmarks.api --small

The API runs in this process's child, on a database and a lake of its own; requests come from this
process, so that both share the machine. The clients are plain sockets, which take a twentieth of
the API's time: httpx takes several times the API's own with a hundred of them.
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
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
from websockets.asyncio.client import connect

from api.feed import FeedItem
from benchmarks.measuring import cpu_seconds
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
def served(folder: Path) -> Iterator[tuple[str, int]]:
    """The API in a process of its own; its URL and process id."""
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
            yield url, child.pid or 0
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
    """Seconds of each request, of so many clients at once, each on a connection of its own."""
    host, _, port = url.removeprefix("http://").partition(":")
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()

    async def one() -> list[float]:
        reader, writer = await asyncio.open_connection(host, int(port))
        taken = []
        for _ in range(each + 1):
            began = time.perf_counter()
            writer.write(request)
            await read_answer(reader)
            taken.append(time.perf_counter() - began)
        writer.close()
        return taken[1:]  # the first made the connection

    found = await asyncio.gather(*(one() for _ in range(clients)))
    return [seconds for taken in found for seconds in taken]


async def read_answer(reader: asyncio.StreamReader) -> None:
    """Read one whole answer.

    Raises:
        RuntimeError: It is an error.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in head[:16]:
        raise RuntimeError(f"the API answered {head.decode()}")
    _, _, length = head.partition(b"content-length: ")
    await reader.readexactly(int(length.partition(b"\r\n")[0]))


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


def row(name: str, api: int, work: Coroutine[Any, Any, list[float]]) -> str:
    """Measure, and give one line of the table."""
    before = cpu_seconds(api)
    seconds = asyncio.run(work)
    spent = (cpu_seconds(api) - before) / len(seconds) * 1e3
    middle, late = np.quantile(seconds, [0.5, 0.95]) * 1e3
    return f"| {name} | {len(seconds):,} | {spent:.1f} | {middle:.1f} | {late:.1f} |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the requests")
    few = parser.parse_args().small
    each, viewers, seconds = (3, 10, 2.0) if few else (20, 100, 10.0)
    year = "/v1/bars/AAPL?interval=1h&start=2023-01-01&end=2023-12-31"
    sockets = f"{UPDATES} ticks/s, {viewers} sockets"
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (url, api):
        point = "/v1/alerts?limit=1"
        rows = [
            row("point query, one client", api, asked(url, point, 1, 10 * each)),
            row("point query, 100 at once", api, asked(url, point, 100, each)),
            row("a year of hourly bars, one client", api, asked(url, year, 1, 10 * each)),
            row("a year of hourly bars, 100 at once", api, asked(url, year, 100, each)),
            row(sockets, api, pushed(url, viewers, seconds)),
        ]
    print(f"load of the machine: {os.getloadavg()[1]:.1f}")
    print("| what | count | CPU of the API for each, ms | p50, ms | p95, ms |")
    print("|---|---:|---:|---:|---:|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
