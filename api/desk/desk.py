"""The desk's parts, and how a request comes by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.desk.pushing import Pusher
from api.services import Services
from trading.risk.limits import RiskLimits


def utc_now() -> datetime:
    """The moment, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSettings:
    """The desk's configuration.

    Attributes:
        limits: What figures are measured against.
        prefect_ui: Where people look at flow runs; None where no server is named.
        news_half_life: Age at which an article counts half in a symbol's score.
        benchmark: The symbol that equity is compared with.
        now: The market's clock, in a replay that of the events.
        wall: The clock on the wall, by which processes send heartbeats; None for `now`.
    """

    limits: RiskLimits = field(default_factory=RiskLimits)
    prefect_ui: str | None = None
    news_half_life: timedelta = timedelta(days=1)
    benchmark: str = "^GSPC"
    now: Callable[[], datetime] = utc_now
    wall: Callable[[], datetime] | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """The desk of one process.

    Attributes:
        services: What it shares with the API.
        settings: Its configuration.
        pusher: How things stand.
    """

    services: Services
    settings: DeskSettings
    pusher: Pusher

    @classmethod
    def of(cls, services: Services, settings: DeskSettings) -> Desk:
        """A desk beside an API."""
        return cls(services, settings, Pusher(services.database, settings.limits, settings.now))


def _desk_of(connection: HTTPConnection) -> Desk:
    return cast("Desk", connection.app.state.desk)


DeskOf = Annotated[Desk, Depends(_desk_of)]
