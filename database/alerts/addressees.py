"""Who is told: what the process that sends says of itself, for those that have something to tell.

Their texts go into the outbox under the names of channels. The URLs, which are secrets, are the
sender's alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from database.alerts.telling import Addressees, Connection

_LAST = """
SELECT detail ->> 'channels', detail ->> 'quiet' FROM service_heartbeat
WHERE service = 'alerts' AND detail ? 'channels' ORDER BY beat_at DESC LIMIT 1
"""


def addressees_told(channels: Iterable[str], quiet: str | None) -> Mapping[str, str]:
    """What the sender's sign of life says of its channels.

    Args:
        channels: Their names.
        quiet: When only what is critical is sent, e.g. `22:00-07:00 UTC`.
    """
    hours = {} if quiet is None else {"quiet": quiet}
    return {"channels": " ".join(channels), **hours}


def addressees_known(connection: Connection) -> Addressees:
    """Who is told by the sender that runs or ran last; nobody before the first one.

    Args:
        connection: In a transaction.
    """
    row = connection.execute(_LAST).fetchone()
    if row is None:
        return Addressees()
    channels, quiet = row
    return Addressees.of(channels.split(), quiet)


def named_or_known(named: Addressees, connection: Connection) -> Addressees:
    """Those that are named by whoever tells; where nobody is, those of the sender.

    Args:
        named: Of the settings of whoever tells.
        connection: In a transaction.
    """
    return named if named.channels else addressees_known(connection)
