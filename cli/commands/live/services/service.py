"""What every process of the live side has around its work: bus, database, logs, signs of life."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.bus import bus_url, check_bus, opened_bus
from cli.database import database_url
from cli.extras import needs_extra
from cli.settings import settings_in_force
from servers.errors import USAGE, CommandError, InUseError

if TYPE_CHECKING:
    from database.connection import Database
    from database.live.heartbeats import ServiceState
    from flows.boundary.settings import Settings
    from live.bus.port import Bus
    from live.heartbeat import Heart
    from live.telemetry import Telemetry

_LOG = logging.getLogger(__name__)

WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """What every process of the live side is asked.

    Attributes:
        server_dir: Where servers of this machine keep their data.
        log_dir: Where logs go; None for standard error.
        metrics_port: Where metrics and probes are answered; None for nowhere.
        metrics_host: The address to answer on.
    """

    server_dir: Path
    log_dir: Path | None = None
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"


@dataclass(slots=True)
class Service:
    """A process of the live side while it runs.

    Attributes:
        name: What it is called, e.g. `windows`.
        settings: The settings in force.
        database_url: The database.
        database: A connection to it, for the main thread.
        bus_url: The bus.
        bus: The same, open and counted; for the main thread.
        telemetry: What it tells of itself.
        heart: Its signs of life in the database.
        figures: What it had done by its last sign of life.
    """

    name: str
    settings: Settings
    database_url: str
    database: Database
    bus_url: str
    bus: Bus
    telemetry: Telemetry
    heart: Heart
    figures: Mapping[str, Any] = field(default_factory=dict)

    def turn(self, figures: Callable[[], Mapping[str, Any]]) -> None:
        """Say that its loop turns; call it at least every few seconds.

        Args:
            figures: Tells what it has done, as JSON can hold it; asked when a sign of life is due.

        Raises:
            DatabaseError: The database did not take the sign of life.
        """
        self.telemetry.turn()
        if self.heart.is_due:
            self.figures = figures()
            self.heart.beat(self.figures)

    def wait_until_alone(self) -> None:
        """Return once no other process does this.

        Raises:
            DatabaseError: The database is gone.
        """
        from database.live.consumers import hold_alone  # noqa: PLC0415 - of an extra

        is_told = False
        while not hold_alone(self.database, self.name):
            if not is_told:
                _LOG.info("Another process does this; it is waited for until it has ended.")
                is_told = True
            self.telemetry.turn(ready=False)
            self.heart.beat({"waiting": "another process does this"}, "starting")
            time.sleep(WAIT_SECONDS)


@contextlib.contextmanager
def running(name: str, options: ServiceOptions) -> Iterator[Service]:
    """Be a process of the live side for the time of the block.

    Args:
        name: What it is called.
        options: What it was asked.

    Raises:
        CommandError: The extra is not installed, somebody else has the port of the metrics, or
            the folder for logs cannot be written to.
        ParameterError, LiveError, DatabaseError: The bus or the database cannot be used.
    """
    settings = settings_in_force()
    check_bus(settings)
    with contextlib.ExitStack() as opened:
        url, database = opened.enter_context(opened_database(settings, options.server_dir))
        place = opened.enter_context(bus_url(settings, options.server_dir))
        bus = opened.enter_context(opened_bus(settings, place))
        from live.bus.counted import CountedBus  # noqa: PLC0415 - of an extra
        from live.heartbeat import Heart  # noqa: PLC0415 - as above
        from live.logs import log_to  # noqa: PLC0415 - as above
        from live.telemetry import ErrorCounter, Telemetry, served  # noqa: PLC0415 - as above

        telemetry = Telemetry(name)
        try:
            log_to(options.log_dir, name)
        except OSError as error:
            raise CommandError(
                f"--log-dir {options.log_dir} cannot be written to ({error.strerror}); name a "
                "folder that can, or leave it out for standard error.", USAGE,
            ) from None  # fmt: skip
        logging.getLogger().addHandler(ErrorCounter(telemetry))
        try:
            opened.enter_context(served(telemetry, options.metrics_port, options.metrics_host))
        except (OSError, OverflowError) as error:
            raise CommandError(_not_listening(options, error), USAGE) from None
        heart = Heart(database, name)
        heart.beat({}, "starting", now=True)
        counted = CountedBus(bus, telemetry)
        service = Service(name, settings, url, database, place, counted, telemetry, heart)
        last: ServiceState = "stopped"
        try:
            yield service
        except InUseError:
            # The one that does the work is well: this one's end calls for nobody.
            raise
        except Exception:
            # Raised again: this is here for its heartbeat alone. Nobody is told of a service
            # whose last word is "stopped", since somebody stopped it; nobody stopped this one.
            last = "degraded"
            raise
        finally:
            # The database may be what failed; its error must not take the place of the first one.
            with contextlib.suppress(Exception):
                heart.beat(service.figures, last, now=True)


def _not_listening(options: ServiceOptions, error: OSError | OverflowError) -> str:
    said = getattr(error, "strerror", None) or str(error)
    return (
        f"--metrics-host {options.metrics_host} --metrics-port {options.metrics_port} cannot be "
        f"listened on ({said}); name an address of this machine and a free port."
    )


@contextlib.contextmanager
def opened_database(settings: Settings, server_dir: Path) -> Iterator[tuple[str, Database]]:
    """The database and its URL; one with this program's schema is opened without its migrations.

    Raises:
        CommandError: The extra is not installed, or the local server does not start.
        ParameterError, DatabaseError: The database cannot be used.
    """
    with needs_extra("live"):
        from database.connection import open_database  # noqa: PLC0415 - of an extra
        from database.errors import SchemaError  # noqa: PLC0415 - as above
    with contextlib.ExitStack() as opened:
        found = None
        if settings.database_url is not None:
            url = settings.database_url.get_secret_value()
            with contextlib.suppress(SchemaError):
                found = opened.enter_context(open_database(url))
        if found is None:
            url = opened.enter_context(database_url(settings, server_dir))
            found = opened.enter_context(open_database(url))
        yield url, found
