"""An account at Alpaca: the paper one unless real money was asked for, twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import SecretStr

from adapters.brokers.alpaca.client import LIVE_URL, PATIENCE, AlpacaClient
from adapters.brokers.alpaca.orders import moment, order_of, request_of
from adapters.brokers.alpaca.stream import TradeUpdates
from adapters.brokers.errors import OutcomeUnknownError
from adapters.brokers.protocol import BrokerAccount, BrokerClock, BrokerOrder
from adapters.market_data.rest.client import Patience
from adapters.market_data.rest.symbols import our_symbol
from trading.errors import ParameterError
from trading.execution.comparison import Held
from trading.orders.model import Order

PAGE = 500
"""Most orders of one answer."""


class AlpacaBroker:
    """One account at Alpaca.

    Args:
        client: Sends its requests.
        mute_seconds: How long the stream may say nothing, not even a pong.
    """

    name = "alpaca"

    def __init__(self, client: AlpacaClient, mute_seconds: float = 30.0) -> None:
        self._client = client
        self._mute_seconds = mute_seconds

    def submit(self, order: Order) -> BrokerOrder:
        """Send an order once."""
        answer = self._client.ask("POST", "/v2/orders", body=request_of(order))
        if answer is None:
            raise OutcomeUnknownError("Alpaca's answer to an order is empty")
        return order_of(answer)

    def cancel(self, name: str, broker_order_id: str) -> None:
        """Ask for an order's end."""
        known = broker_order_id
        if not known:
            found = self.lookup(name)
            if found is None:
                return
            known = found.broker_order_id
        self._client.ask("DELETE", f"/v2/orders/{known}")

    def lookup(self, name: str) -> BrokerOrder | None:
        """The order of that client order id."""
        query = {"client_order_id": name}
        answer = self._client.ask("GET", "/v2/orders:by_client_order_id", query=query)
        return None if answer is None else order_of(answer)

    def open_orders(self) -> Sequence[BrokerOrder]:
        """All orders that may still fill, oldest first."""
        found: dict[str, BrokerOrder] = {}
        query = {"status": "open", "limit": str(PAGE), "direction": "asc", "nested": "false"}
        while True:
            rows = _listed(self._client.ask("GET", "/v2/orders", query=query))
            page = [order_of(row) for row in rows]
            before = len(found)
            found |= {order.broker_order_id: order for order in page}
            if len(page) < PAGE or len(found) == before:
                return list(found.values())
            # What was submitted at the same moment comes again, and counts once.
            query["after"] = str(rows[-2]["submitted_at"])

    def positions(self) -> Mapping[str, Held]:
        """What is held, shorts below 0."""
        found = {}
        for row in _listed(self._client.ask("GET", "/v2/positions")):
            try:
                ticker = str(row["symbol"])
                held = Held(Decimal(row["qty"]), Decimal(row["avg_entry_price"]))
            except (KeyError, TypeError, InvalidOperation) as error:
                raise OutcomeUnknownError(f"Alpaca's answer is no position ({error})") from None
            found[our_symbol(ticker) or ticker] = held
        return found

    def account(self) -> BrokerAccount:
        """The account."""
        row = self._client.ask("GET", "/v2/account")
        try:
            return BrokerAccount(
                number=str(row["account_number"]),
                cash=Decimal(row["cash"]),
                equity=Decimal(row["equity"]),
                is_blocked=bool(row.get("trading_blocked") or row.get("account_blocked")),
            )
        except (KeyError, TypeError, InvalidOperation) as error:
            raise OutcomeUnknownError(f"Alpaca's answer is no account ({error})") from None

    def clock(self) -> BrokerClock:
        """Alpaca's time."""
        row = self._client.ask("GET", "/v2/clock")
        try:
            return BrokerClock(moment(row["timestamp"]), bool(row["is_open"]))
        except (KeyError, TypeError, ValueError) as error:
            raise OutcomeUnknownError(f"Alpaca's answer is no clock ({error})") from None

    def updates(self) -> TradeUpdates:
        """Its stream, connected."""
        return TradeUpdates(self._client, self._mute_seconds)

    def close(self) -> None:
        """End the connections."""
        self._client.close()


def open_alpaca(
    key_id: SecretStr | None,
    secret_key: SecretStr | None,
    url: str,
    *,
    allow_live: bool = False,
    confirmed_account: str | None = None,
    is_live: bool | None = None,
    patience: Patience = PATIENCE,
) -> AlpacaBroker:
    """An account at Alpaca.

    Args:
        key_id: The key's name.
        secret_key: The key.
        url: Where the interface is.
        allow_live: Whether this installation may trade with real money at all.
        confirmed_account: The number of the account, which whoever starts it has written down.
        is_live: Whether real money is behind the address; None to tell by the address.
        patience: How long an answer may take.

    Raises:
        ParameterError: A key is missing; or real money is meant and was not allowed, or not
            confirmed for this very account.
        BrokerError: Alpaca does not let us in or cannot be reached.
    """
    live = url.rstrip("/") == LIVE_URL if is_live is None else is_live
    if live and not allow_live:
        raise ParameterError(
            "TRADING_ALLOW_LIVE", "no", "yes, which trading with real money takes",
            f"set TRADING_ALLOW_LIVE=yes, or take the paper account instead of {url}",
        )  # fmt: skip
    broker = AlpacaBroker(AlpacaClient(key_id, secret_key, url, patience))
    if live:
        number = broker.account().number
        if confirmed_account != number:
            broker.close()
            raise ParameterError(
                "confirm-account", confirmed_account, "the number of the account with real money",
                "pass --confirm-account with the number that Alpaca's own pages show",
            )  # fmt: skip
    return broker


def _listed(answer: Any) -> list[Any]:  # noqa: ANN401 - JSON
    if not isinstance(answer, list):
        raise OutcomeUnknownError("Alpaca's answer is no list")
    return answer
