"""What the API works with, handed in by whoever starts it."""

from __future__ import annotations

from dataclasses import dataclass, field

from api.cache import Cache, ProcessCache
from api.feed import Feed
from api.limits import ProcessWindow, RateWindow
from api.prefect_runs import Runs
from database.api.pool import DatabasePool


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the API works with.

    Attributes:
        database: Connections to Postgres.
        lake_dir: The lake's folder or URL.
        keys_needed: Whether a request needs a key; without, only this machine may ask.
        feed: Live events; None where no bus is.
        runs: Flow runs on the Prefect server; None where none is named.
        cache: Of answers, by fingerprint.
        window: What counts requests.
        requests_per_minute: How many a key may make.
        sources: Sources of bars, the one that counts first at the front.
        hosts: Names under which the API is reached, beside those of the loopback interface.
    """

    database: DatabasePool
    lake_dir: str
    keys_needed: bool
    feed: Feed | None = None
    runs: Runs | None = None
    cache: Cache = field(default_factory=ProcessCache)
    window: RateWindow = field(default_factory=ProcessWindow)
    requests_per_minute: int = 1_200
    sources: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
