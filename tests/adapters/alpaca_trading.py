"""A stand-in for Alpaca's trading interface: its books, its answers, and planted faults.

The books answer requests as (status, JSON) and tell of changes as messages of the stream. Who
carries them is another matter: a transport within the process for many quick runs, or a real
server (`tests.adapters.alpaca_trading_server`), which alpaca-py proves faithful.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx

from adapters.brokers.alpaca.orders import update_of
from adapters.brokers.errors import OutcomeUnknownError
from adapters.brokers.protocol import OrderUpdate

KEY_ID, SECRET = "trading-id-1234", "trading-secret-5678"
NUMBER = "PA1234567890"

ENDS = {"filled", "canceled", "expired", "rejected"}

Json = dict[str, Any]


class Fault(StrEnum):
    """What goes wrong with the next request."""

    NONE = "none"
    REPLY_LOST = "reply lost"
    """It is done, and the answer never comes."""
    RESET = "reset"
    """It never gets there."""
    HANG = "hang"
    """It is done, and the answer takes longer than anyone waits."""
    RATE = "429"
    GATEWAY = "504"
    """It is done, and a gateway says that it does not know."""


@dataclass
class TradingBooks:
    """What the broker has.

    Attributes:
        now: Its time.
        skew: How far its clock is off.
        cash: Dollars.
        orders: By its own id, in order.
        positions: Shares by ticker.
        costs: Dollars the shares cost, by ticker.
        faults: Of the next requests, reads included.
        post_faults: Of the next orders that are sent.
        loses_posts: Whether no order gets there.
        is_down: Whether nothing gets there.
        slow_cancels: Whether a cancel is pending until `settle_cancels`.
        refuses: Why an order is refused, by its body; None when it is not.
        messages: All messages of the stream so far.
        posted: Client order ids of all orders that came, taken or not.
    """

    now: Callable[[], datetime]
    skew: timedelta = timedelta(0)
    cash: Decimal = Decimal(100_000)
    orders: dict[str, Json] = field(default_factory=dict)
    positions: dict[str, Decimal] = field(default_factory=dict)
    costs: dict[str, Decimal] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    post_faults: deque[Fault] = field(default_factory=deque)
    loses_posts: bool = False
    is_down: bool = False
    slow_cancels: bool = False
    refuses: Callable[[Json], str | None] = lambda _: None
    messages: list[Json] = field(default_factory=list)
    posted: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    listeners: list[Callable[[Json], None]] = field(default_factory=list)
    executions: int = 0

    # Requests.

    def answer(  # noqa: PLR0911 - one for each path
        self, method: str, path: str, query: Json, body: Json
    ) -> tuple[int, Any]:
        """Status and JSON; None for an empty answer."""
        with self.lock:
            if path == "/v2/orders" and method == "POST":
                return self._post(body)
            if path == "/v2/orders" and method == "GET":
                return 200, self._listed(query)
            if path == "/v2/orders:by_client_order_id":
                found = self.named(query["client_order_id"])
                return (200, found) if found else (404, {"message": "order not found"})
            if path.startswith("/v2/orders/"):
                return self._one(method, path.removeprefix("/v2/orders/"))
            if path == "/v2/positions":
                return 200, [self._position(name) for name, q in self.positions.items() if q]
            if path == "/v2/account":
                return 200, self._account()
            if path == "/v2/clock":
                return 200, {
                    "timestamp": self._stamp(), "is_open": True,
                    "next_open": self._stamp(), "next_close": self._stamp(),
                }  # fmt: skip
            return 404, {"message": "endpoint not found."}

    def fault_of(self, method: str) -> Fault:
        """What goes wrong with a request that comes now."""
        planned = self.post_faults if method == "POST" and self.post_faults else self.faults
        return planned.popleft() if planned else Fault.NONE

    def named(self, client_order_id: str) -> Json | None:
        return next(
            (o for o in self.orders.values() if o["client_order_id"] == client_order_id), None
        )

    def open(self) -> list[Json]:
        return [order for order in self.orders.values() if order["status"] not in ENDS]

    def _post(self, body: Json) -> tuple[int, Any]:
        name = body.get("client_order_id") or str(uuid5(NAMESPACE_URL, str(len(self.orders))))
        self.posted.append(name)
        if self.named(name):
            return 422, {"code": 40010001, "message": "client_order_id must be unique"}
        why = self.refuses(body)
        if why is not None:
            return 403, {"code": 40310000, "message": why}
        at = self._stamp()
        order = {
            "id": str(uuid5(NAMESPACE_URL, f"order {name}")),
            "client_order_id": name,
            "created_at": at, "updated_at": at, "submitted_at": at,
            "filled_at": None, "expired_at": None, "canceled_at": None, "failed_at": None,
            "replaced_at": None, "replaced_by": None, "replaces": None,
            "asset_id": str(uuid5(NAMESPACE_URL, body["symbol"])),
            "symbol": body["symbol"], "asset_class": "us_equity",
            "notional": None, "qty": str(body["qty"]), "filled_qty": "0",
            "filled_avg_price": None, "order_class": "", "order_type": body["type"],
            "type": body["type"], "side": body["side"], "time_in_force": body["time_in_force"],
            "limit_price": body.get("limit_price"), "stop_price": body.get("stop_price"),
            "status": "accepted", "extended_hours": False, "legs": None, "trail_percent": None,
            "trail_price": None, "hwm": None,
        }  # fmt: skip
        self.orders[order["id"]] = order
        answered = dict(order)
        order["status"] = "new"
        self._tell("new", order)
        return 200, answered

    def _listed(self, query: Json) -> list[Json]:
        status = query.get("status", "open")
        rows = list(self.orders.values()) if status == "all" else self.open()
        after = query.get("after")
        rows = [row for row in rows if after is None or row["submitted_at"] > after]
        if query.get("direction", "desc") == "desc":
            rows.reverse()
        return [dict(row) for row in rows[: int(query.get("limit", 50))]]

    def _one(self, method: str, number: str) -> tuple[int, Any]:
        order = self.orders.get(number)
        if order is None:
            return 404, {"message": "order not found"}
        if method == "GET":
            return 200, dict(order)
        if order["status"] in ENDS:
            return 422, {"code": 42210000, "message": f"order is already {order['status']}"}
        if self.slow_cancels:
            order["status"] = "pending_cancel"
            order["updated_at"] = self._stamp()
            self._tell("pending_cancel", order)
        else:
            self.end(order, "canceled")
        return 204, None

    def _position(self, ticker: str) -> Json:
        quantity = self.positions[ticker]
        average = self.costs[ticker] / quantity
        return {
            "asset_id": str(uuid5(NAMESPACE_URL, ticker)), "symbol": ticker, "exchange": "NASDAQ",
            "asset_class": "us_equity", "avg_entry_price": f"{average:.6f}", "qty": str(quantity),
            "side": "long" if quantity > 0 else "short", "market_value": str(self.costs[ticker]),
            "cost_basis": str(self.costs[ticker]), "unrealized_pl": "0",
            "unrealized_plpc": "0", "unrealized_intraday_pl": "0",
            "unrealized_intraday_plpc": "0", "current_price": f"{average:.6f}",
            "lastday_price": "1", "change_today": "0", "asset_marginable": True,
            "qty_available": str(quantity),
        }  # fmt: skip

    def _account(self) -> Json:
        return {
            "id": str(uuid5(NAMESPACE_URL, NUMBER)), "account_number": NUMBER, "status": "ACTIVE",
            "currency": "USD", "cash": str(self.cash),
            "equity": str(self.cash + sum(self.costs.values(), Decimal(0))),
            "trading_blocked": False, "transfers_blocked": False, "account_blocked": False,
            "created_at": self._stamp(), "trade_suspended_by_user": False, "multiplier": "2",
            "shorting_enabled": True, "long_market_value": "0", "short_market_value": "0",
            "pattern_day_trader": False, "daytrade_count": 0, "buying_power": str(self.cash * 2),
        }  # fmt: skip

    # What happens there.

    def fill(self, order: Json, quantity: Decimal, price: Decimal) -> None:
        """Fill some of an order; more than is left fills what is left."""
        with self.lock:
            done = Decimal(order["filled_qty"])
            quantity = min(quantity, Decimal(order["qty"]) - done)
            if order["status"] in ENDS or quantity <= 0:
                return
            paid = Decimal(order["filled_avg_price"] or 0) * done + price * quantity
            done += quantity
            full = done == Decimal(order["qty"])
            if full or order["status"] != "pending_cancel":
                order["status"] = "filled" if full else "partially_filled"
            at = self._stamp()
            order |= {
                "filled_qty": str(done), "filled_avg_price": str(paid / done), "updated_at": at,
                "filled_at": at if full else None,
            }  # fmt: skip
            signed = quantity if order["side"] == "buy" else -quantity
            self._hold(order["symbol"], signed, price)
            self.executions += 1
            self._tell(
                "fill" if full else "partial_fill", order,
                execution_id=str(uuid5(NAMESPACE_URL, f"execution {self.executions}")),
                price=str(price), qty=str(quantity),
                position_qty=str(self.positions[order["symbol"]]), timestamp=at,
            )  # fmt: skip

    def end(self, order: Json, status: str) -> None:
        """Have an order end unfilled, or partly."""
        with self.lock:
            if order["status"] in ENDS:
                return
            stamp = "failed_at" if status == "rejected" else f"{status}_at"
            order |= {"status": status, "updated_at": self._stamp(), stamp: self._stamp()}
            self._tell(status, order, timestamp=self._stamp())

    def puzzle(self, order: Json, status: str = "pondering") -> None:
        """Give an order a state that nobody documented."""
        with self.lock:
            if order["status"] in ENDS:
                return
            order |= {"status": status, "updated_at": self._stamp()}
            self._tell(status, order)

    def clear_up(self) -> None:
        """Give orders in such a state the one that they are really in."""
        for order in self.open():
            if order["status"] == "pondering":
                self.puzzle(order, "partially_filled" if Decimal(order["filled_qty"]) else "new")

    def settle_cancels(self) -> None:
        for order in self.open():
            if order["status"] == "pending_cancel":
                self.end(order, "canceled")

    def _hold(self, ticker: str, signed: Decimal, price: Decimal) -> None:
        before, cost = self.positions.get(ticker, Decimal(0)), self.costs.get(ticker, Decimal(0))
        self.cash -= signed * price
        after = before + signed
        if before * signed >= 0:
            cost += signed * price
        elif abs(signed) <= abs(before):
            cost -= cost * -signed / before
        else:
            cost = after * price
        self.positions[ticker], self.costs[ticker] = after, cost if after else Decimal(0)

    def _tell(self, event: str, order: Json, **more: str) -> None:
        data = {"event": event, "order": dict(order), "timestamp": self._stamp(), **more}
        message = {"stream": "trade_updates", "data": data}
        self.messages.append(message)
        for listener in list(self.listeners):
            listener(message)

    def _stamp(self) -> str:
        return (self.now() + self.skew).astimezone(UTC).isoformat().replace("+00:00", "Z")


class InProcess(httpx.BaseTransport):
    """Carries requests to the books without a socket, faults included."""

    def __init__(self, books: TradingBooks) -> None:
        self.books = books

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if (
            request.headers.get("APCA-API-KEY-ID") != KEY_ID
            or request.headers.get("APCA-API-SECRET-KEY") != SECRET
        ):
            return httpx.Response(401, json={"message": "unauthorized."})
        fault = self.books.fault_of(request.method)
        if self.books.is_down:
            raise httpx.ConnectError("down")
        if fault is Fault.RESET or (self.books.loses_posts and request.method == "POST"):
            raise httpx.ConnectError("reset")
        if fault is Fault.RATE:
            return httpx.Response(429, json={"message": "too many requests"})
        body = httpx.Response(200, content=request.read()).json() if request.content else {}
        status, content = self.books.answer(
            request.method, request.url.path, dict(request.url.params), body
        )
        if fault is Fault.GATEWAY:
            return httpx.Response(504, text="<html>gateway</html>")
        if fault in {Fault.REPLY_LOST, Fault.HANG}:
            raise httpx.ReadTimeout("no answer")
        return (
            httpx.Response(status, json=content) if content is not None else httpx.Response(status)
        )


class Wire:
    """The stream within the process: what it carries can be held, doubled, shuffled, dropped."""

    def __init__(self, books: TradingBooks, mangle: Callable[[list[Json]], list[Json]]) -> None:
        self._mangle = mangle
        self._waiting: list[Json] = []
        self._broken = False
        self._books = books
        books.listeners.append(self._waiting.append)

    def receive(self, wait_seconds: float) -> Sequence[OrderUpdate]:
        if self._broken:
            raise OutcomeUnknownError("the stream broke")
        taken, self._waiting[:] = list(self._waiting), []
        return [update_of(message["data"]) for message in self._mangle(taken)]

    def break_off(self) -> None:
        self._broken = True

    def close(self) -> None:
        if self._waiting.append in self._books.listeners:
            self._books.listeners.remove(self._waiting.append)
