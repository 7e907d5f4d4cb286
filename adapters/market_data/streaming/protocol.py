"""What a vendor's stream of trades is, as the one who keeps the connection sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from adapters.market_data.protocol import SourceError
from trading.events import Tick

Say = Callable[[str], None]
"""Send a message."""

Hear = Callable[[], "str | bytes"]
"""The next message; a TimeoutError when none comes in time."""


class TradeStream(Protocol):
    """A vendor's stream."""

    @property
    def name(self) -> str:
        """What the vendor is called."""

    @property
    def url(self) -> str:
        """Where it is."""

    def log_in(self, say: Say, hear: Hear) -> None:
        """Do what comes before any subscription.

        Raises:
            AccessError: The key is refused.
            SourceError: The vendor says something else.
            TimeoutError: It says nothing.
        """

    def subscribe(self, symbols: Collection[str]) -> Sequence[str]:
        """The messages that ask for trades of these symbols as well."""

    def unsubscribe(self, symbols: Collection[str]) -> Sequence[str]:
        """The messages that ask for trades of these symbols no longer."""

    def confirmed(self, message: str | bytes) -> Collection[str]:
        """The symbols of which a message says, or shows by a trade, that they are told now.

        Raises:
            SourceError: It is no message of this vendor.
        """

    def ticks(self, message: str | bytes) -> Sequence[Tick]:
        """The trades that a message tells; none when it tells something else.

        Raises:
            SourceError: It is an error, or no message of this vendor.
        """


def parsed(message: str | bytes, vendor: str) -> list[dict[str, Any]]:
    """A message as the list of objects that it is with all vendors.

    Raises:
        SourceError: It is none.
    """
    try:
        found = json.loads(message)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise SourceError("stream", f"{vendor} sent something that is no message", transient=True)
    return found
