"""From what the bus brings to alerts that are stored and published.

All that is known lives in the database. An event is acknowledged after what came of it is stored,
and an alert counts as published after the bus has it: killed anywhere, the process looks again at
what it looked at, which changes nothing, and publishes again what it may have published, under
the same identity.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from database.alerts.evaluation import evaluate
from database.alerts.log import AlertEvent, note_published, unpublished_events
from database.alerts.rules import replace_file_rules
from database.alerts.surveys import surveys
from database.alerts.telling import Addressees
from database.connection import Database
from live.alerts.ports import BusEnds, Surveyor
from live.alerts.rules_file import rules_in
from live.alerts.session import session_open
from trading.alerts.observations import Clock, Observation
from trading.errors import TradingError
from trading.events import AlertChanged, BarClosed, SignalMade, Stream
from trading.instruments.clock import nanoseconds_of

MOST = 1000
"""Events of one look at a stream."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

logger = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """How to watch.

    Attributes:
        addressees: Who is told.
        rules_file: The file of rules, read again when it changes; None for none.
        surveyors: Those who know more than the database.
        clock: The time of the market, a replay's own; aware.
        wait_seconds: How long to wait for events of a stream.
        clock_seconds: How often the time is looked at.
        survey_seconds: How often the state of the platform is looked at.
    """

    addressees: Addressees = field(default_factory=Addressees)
    rules_file: Path | None = None
    surveyors: Sequence[Surveyor] = ()
    clock: Callable[[], datetime] = _now
    wait_seconds: float = 0.25
    clock_seconds: float = 5.0
    survey_seconds: float = 15.0


class AlertWatch:
    """Looks at what comes with all rules.

    Args:
        database: The database; for this object alone.
        bus: What is read and where alerts go.
        options: How to watch.
    """

    def __init__(self, database: Database, bus: BusEnds, options: WatchOptions) -> None:
        self._database = database
        self._consumers = bus.consumers
        self._publisher = bus.publisher
        self._options = options
        self._clock_at = self._survey_at = _EPOCH
        self._read_at: float | None = None

    def step(self) -> int:
        """Look once at everything that there is; how many alerts were published.

        Raises:
            DatabaseError: The database did not take what came of it.
        """
        self._take_file_rules()
        options = self._options
        batches = [(c, c.fetch(MOST, options.wait_seconds)) for c in self._consumers]
        seen: list[Observation] = [
            event
            for _, batch in batches
            for event in batch.events
            if isinstance(event, BarClosed | SignalMade)
        ]
        seen += self._timed()
        if seen:
            evaluate(self._database, seen, options.addressees, _now())
        published = self._publish()
        for consumer, batch in batches:
            if batch.events:
                consumer.acknowledge(batch)
        return published

    def _timed(self) -> list[Observation]:
        """Surveys and the time, when they are due by the clock on the wall."""
        options, wall = self._options, _now()
        found: list[Observation] = []
        if wall - self._survey_at >= timedelta(seconds=options.survey_seconds):
            self._survey_at = wall
            found += surveys(self._database, wall)
            found += [s for look in options.surveyors if (s := look(wall)) is not None]
        if wall - self._clock_at >= timedelta(seconds=options.clock_seconds):
            self._clock_at = wall
            market = options.clock()
            found.append(Clock(nanoseconds_of(market), session_open(market)))
        return found

    def _publish(self) -> int:
        """Give the bus what it is not known to have."""
        events = unpublished_events(self._database)
        if events:
            self._publisher.publish_many(
                Stream.ALERTS, [(event.subject, _alert_changed(event)) for event in events]
            )
            note_published(self._database, events)
        return len(events)

    def _take_file_rules(self) -> None:
        """Make the file's rules those of the database when it has changed.

        A file that is wrong is said to be so, once, and the rules stay those it had before.
        """
        path = self._options.rules_file
        if path is None:
            return
        changed_at = path.stat().st_mtime if path.is_file() else 0.0
        if changed_at == self._read_at:
            return
        self._read_at = changed_at
        try:
            replace_file_rules(self._database, rules_in(path) if path.is_file() else [])
        except TradingError as error:
            # One sentence for whoever wrote the file, no trace.
            logger.error("The alert rules stay as they were: %s", error)  # noqa: TRY400


def _alert_changed(event: AlertEvent) -> AlertChanged:
    return AlertChanged(
        event.rule, event.subject, event.kind, event.severity, event.message,
        nanoseconds_of(event.at), event.identity,
    )  # fmt: skip
