"""Every check of an installation, made with what the settings name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.health.prefect_server import PrefectState, PrefectUnreachableError, prefect_state
from adapters.health.redis_server import BusUnreachableError, ping
from adapters.market_data.sources import SourceName, bar_source
from database.errors import DatabaseError
from flows.boundary.settings import Settings
from storage.checks import check_writable
from storage.directory import open_directory
from storage.errors import FileError
from trading.errors import TradingError
from trading.operations.health import (
    Check,
    Condition,
    Health,
    checked_age,
    checked_disk,
    checked_services,
)

EXPECTED_EVERY = {
    "end-of-day": timedelta(days=4),
    "backup": timedelta(days=8),
    "health": timedelta(minutes=30),
    "monitor-risk": timedelta(hours=1),
    "reconcile-orders": timedelta(hours=13),
}
"""How old the last success of a scheduled deployment may be: over a long weekend, where markets
set the pace."""

_CERTIFICATE_DAYS = 21


@dataclass(frozen=True, slots=True)
class Place:
    """Where an installation's services are, beside its settings.

    Attributes:
        api_url: The API of the Prefect server; None where none is named.
        database_url: The database; None where none is named.
        bus_url: The bus; None where none is named.
    """

    api_url: str | None
    database_url: str | None
    bus_url: str | None


def named_place(settings: Settings) -> Place:
    """What the environment and the settings name."""
    return Place(
        api_url=os.environ.get("PREFECT_API_URL") or None,
        database_url=_secret(settings.database_url),
        bus_url=_secret(settings.bus_url),
    )


def _secret(value: object) -> str | None:
    return None if value is None else value.get_secret_value()  # type: ignore[attr-defined]


def check_all(settings: Settings, place: Place, now: datetime | None = None) -> Health:
    """Make every check; one that fails is a finding and stops no other.

    Args:
        settings: The settings in force.
        place: Where the services are.
        now: The moment; None for now.
    """
    moment = now or datetime.now(UTC)
    groups: tuple[Callable[[], Iterator[Check]], ...] = (
        lambda: _prefect(settings, place, moment),
        lambda: _database(place, moment),
        lambda: _bus(place),
        lambda: _storage(settings),
        lambda: _disks(settings),
        lambda: _sources(settings),
    )
    return Health(moment, tuple(check for group in groups for check in group()))


def _prefect(settings: Settings, place: Place, now: datetime) -> Iterator[Check]:
    if place.api_url is None:
        yield Check("prefect", Condition.OFF, "no server is named by PREFECT_API_URL")
        return
    try:
        state = prefect_state(
            place.api_url,
            settings.work_pool,
            now=now,
            auth=os.environ.get("PREFECT_API_AUTH_STRING"),
            key=os.environ.get("PREFECT_API_KEY"),
        )
    except PrefectUnreachableError as error:
        message = f"{error}; start it, or correct PREFECT_API_URL"
        yield Check("prefect", Condition.DOWN, message)
        return
    yield Check("prefect", Condition.OK, f"version {state.version} answers")
    yield _workers(settings, state)
    if state.late:
        message = f"{state.late} runs should have started over ten minutes ago; start a worker"
        yield Check("queue", Condition.WARN, message)
    else:
        yield Check("queue", Condition.OK, "nothing is late")
    yield from _schedules(state, now)
    if state.certificate_ends is not None:
        yield _certificate(state.certificate_ends, now)


def _workers(settings: Settings, state: PrefectState) -> Check:
    if state.workers:
        return Check("worker", Condition.OK, f"{len(state.workers)} online")
    message = f"none is online in {settings.work_pool}; start one: trading up"
    return Check("worker", Condition.WARN, message)


def _schedules(state: PrefectState, now: datetime) -> Iterator[Check]:
    if not state.schedules:
        yield Check("schedules", Condition.OFF, "off; trading up --schedules turns them on")
        return
    yield Check("schedules", Condition.OK, f"{len(state.schedules)} deployments")
    for name in state.schedules:
        yield checked_age(
            name,
            state.last_success.get(name),
            now,
            limit=EXPECTED_EVERY.get(name, timedelta(days=8)),
            what="last success",
            next_step="look at its last runs",
        )


def _certificate(ends: datetime, now: datetime) -> Check:
    days = (ends - now).days
    text = f"ends in {days} days, on {ends:%Y-%m-%d}"
    if days < 0:
        return Check("certificate", Condition.DOWN, f"ended on {ends:%Y-%m-%d}; renew it")
    if days < _CERTIFICATE_DAYS:
        return Check("certificate", Condition.WARN, f"{text}; renew it")
    return Check("certificate", Condition.OK, text)


def _database(place: Place, now: datetime) -> Iterator[Check]:
    if place.database_url is None:
        yield Check("database", Condition.OFF, "none is named by TRADING_DATABASE_URL")
        return
    from database.health import database_state  # noqa: PLC0415 - an extra brings what it needs

    try:
        state = database_state(place.database_url)
    except DatabaseError as error:
        yield Check("database", Condition.DOWN, str(error))
        return
    yield Check("database", Condition.OK, f"answers, {state.bytes / 1e6:,.0f} MB")
    yield from checked_services(state.services, now)
    for crashes in state.crashing:
        message = f"{crashes.sentence(now)}; look at its log"
        yield Check(f"{crashes.service} (restarts)", Condition.DOWN, message)
    if state.open_gaps:
        message = f"{state.open_gaps:,} sessions lack bars; trading lake gaps lists them"
        yield Check("gaps", Condition.WARN, message)
    else:
        yield Check("gaps", Condition.OK, "none is open")
    if state.unsent:
        message = f"{state.unsent} wait for over five minutes; start trading live alerts"
        yield Check("notifications", Condition.WARN, message)


def _bus(place: Place) -> Iterator[Check]:
    if place.bus_url is None:
        yield Check("bus", Condition.OFF, "none is named by TRADING_BUS_URL")
        return
    try:
        yield Check("bus", Condition.OK, f"answers ({ping(place.bus_url)})")
    except BusUnreachableError as error:
        yield Check("bus", Condition.DOWN, f"{error}; start it, or correct TRADING_BUS_URL")


def _storage(settings: Settings) -> Iterator[Check]:
    for name in ("lake_dir", "output_dir", "backup_dir"):
        url = getattr(settings, name)
        try:
            check_writable(open_directory(url, name), name)
        except (FileError, TradingError) as error:
            yield Check(name, Condition.DOWN, str(error))
        else:
            yield Check(name, Condition.OK, "can be written to")


def _disks(settings: Settings) -> Iterator[Check]:
    seen = set()
    for name in ("lake_dir", "output_dir", "backup_dir"):
        directory = open_directory(getattr(settings, name), name)
        if not directory.is_local:
            continue
        path = Path(directory.path)
        while not path.exists():
            path = path.parent
        if (device := path.stat().st_dev) in seen:
            continue
        seen.add(device)
        usage = shutil.disk_usage(path)
        yield checked_disk(f"disk of {name}", usage.free, usage.total)


def _sources(settings: Settings) -> Iterator[Check]:
    """Whether each source that the settings name could be asked; nothing is asked of it."""
    for source in settings.sources:
        if source is SourceName.FILES:
            continue
        try:
            bar_source(source, settings.keys)
        except TradingError as error:
            yield Check(f"source {source}", Condition.DOWN, str(error))
        else:
            yield Check(f"source {source}", Condition.OK, "has what it needs")
