"""An executor whose broker is Alpaca's stand-in, within one process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import SecretStr

from adapters.brokers.alpaca.broker import AlpacaBroker
from adapters.brokers.alpaca.client import AlpacaClient
from adapters.brokers.errors import OutcomeUnknownError
from adapters.brokers.protocol import UpdateStream
from live.executor.books import Books
from tests.adapters.alpaca_trading import KEY_ID, SECRET, InProcess, Json, TradingBooks, Wire


class WiredAlpaca(AlpacaBroker):
    """The adapter as it is, with requests and stream carried within the process."""

    def __init__(self, theirs: TradingBooks, side: Side) -> None:
        client = AlpacaClient(SecretStr(KEY_ID), SecretStr(SECRET), transport=InProcess(theirs))
        super().__init__(client)
        self._theirs, self._side = theirs, side

    def updates(self) -> UpdateStream:  # type: ignore[override]
        if self._side.is_down:
            raise OutcomeUnknownError("nobody listens")
        self._side.wire = Wire(self._theirs, self._mangled)
        return self._side.wire

    def _mangled(self, messages: list[Json]) -> list[Json]:
        return self._side.mangle(messages)  # as it is by then


@dataclass
class Side:
    """The broker's side of a world.

    Attributes:
        theirs: What the broker has.
        mangle: What becomes of messages that come together.
        wire: The stream of the executor that listens.
        is_down: Whether the stream takes no connection.
    """

    theirs: TradingBooks
    mangle: Callable[[list[Json]], list[Json]] = list
    wire: Wire | None = None
    is_down: bool = False
    taken: list[str] = field(default_factory=list)

    def broker(self, _: Books) -> AlpacaBroker:
        return WiredAlpaca(self.theirs, self)

    def fill_all(self, price: str) -> None:
        """Fill what is open, as the next bar's open would."""
        for order in self.theirs.open():
            self.theirs.fill(order, Decimal(order["qty"]), Decimal(price))
