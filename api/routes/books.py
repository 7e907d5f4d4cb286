"""Accounts: what they are worth, positions, orders and fills."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime, Field

from api.envelope import Answer, Answered, ApiError, answer
from api.parameters import (
    DEFAULT_ROWS,
    Cursor,
    End,
    Limit,
    Name,
    Start,
    Symbol,
    services_of,
    window,
)
from api.routes.listing import first_of, listed, page_of
from database.api.listed import (
    ACCOUNTS,
    EQUITY,
    EXECUTIONS,
    ORDER_STEPS,
    ORDERS,
    RECONCILIATIONS,
)
from database.api.listings import page
from database.orders.ledger import read_ledger
from trading.instruments.clock import moment_of
from trading.portfolio.account import Account as Books
from trading.portfolio.account import Holding
from trading.units import from_units, to_dollars

router = APIRouter(prefix="/v1", tags=["trading"])

Amount = Annotated[Decimal, Field(examples=["1250.5"])]
"""A number of dollars or shares, as a text that reads back exactly."""

Order = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$", description="`client_order_id`.")
]
Account = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$", description="Only of this account."),
]


class Worth(Answered):
    """What an account was worth at a moment, in dollars; fields as in the table `equity`."""

    account_id: str
    at: AwareDatetime
    equity: Amount
    cash: Amount
    deposits: Amount
    realized: Amount
    unrealized: Amount
    fees: Amount
    gross: Amount
    drawdown: float


class AccountState(Answered):
    """An account and how trading stands in it.

    Attributes:
        id: Its name.
        broker: Who keeps it.
        is_live: Whether its money is real.
        created_at: Since when it is known.
        state: `ACTIVE`, `REDUCING` or `HALTED`; None when the executor has never said.
        reason: Why it is not active.
        is_closing: Whether a halt is still at work.
        closes_positions: Whether that halt also closes all positions.
        since: Since when the state is so.
        updated_at: When it was last looked at.
    """

    id: str
    broker: str
    is_live: bool
    created_at: AwareDatetime
    state: str | None
    reason: str | None
    is_closing: bool
    closes_positions: bool
    since: AwareDatetime | None
    updated_at: AwareDatetime | None


class Portfolio(Answered):
    """An account with its last worth.

    Attributes:
        account: The account.
        worth: The last one known; None when there is none.
    """

    account: AccountState
    worth: Worth | None


class Position(Answered):
    """What is held of a symbol: a fold over the ledger.

    Attributes:
        account_id: The account.
        symbol: The symbol.
        quantity: Shares, below 0 when short.
        average_price: Dollars a share at average cost.
        cost: Dollars, signed like the quantity.
        realized: What closed shares earned in dollars, dividends included, before fees.
        fees: All fees in dollars.
        opened: Since when it is held.
    """

    account_id: str
    symbol: str
    quantity: Amount
    average_price: Amount | None
    cost: Amount
    realized: Amount
    fees: Amount
    opened: AwareDatetime


class OrderState(Answered):
    """An order and the last step of its life; fields as in `intent` and `order_event`."""

    client_order_id: str
    account_id: str
    strategy: str
    symbol: str
    interval: str
    bar: AwareDatetime
    leg: str
    side: int
    quantity: Amount
    type: str
    price: Amount | None
    time_in_force: str
    stop_loss: Amount | None
    take_profit: Amount | None
    reduce_only: bool
    created_at: AwareDatetime
    state: str
    code: str | None
    reason: str | None
    filled_quantity: Amount
    average_price: Amount | None
    changed_at: AwareDatetime


class OrderStep(Answered):
    """What happened to an order, and its state with it; fields as in `order_event`."""

    id: int
    kind: str
    state: str
    code: str | None
    reason: str
    quantity: Amount
    price: Amount
    fee: Amount
    filled_quantity: Amount
    at: AwareDatetime


class Fill(Answered):
    """An execution; fields as in the table `execution`."""

    account_id: str
    execution_id: str
    client_order_id: str | None
    symbol: str
    quantity: Amount
    price: Amount
    fee: Amount
    is_synthetic: bool
    is_late: bool
    at: AwareDatetime


class OrderHistory(Answered):
    """An order with all of its steps and fills.

    Attributes:
        order: The order.
        steps: In the order in which they became known.
        fills: The newest first.
    """

    order: OrderState
    steps: list[OrderStep]
    fills: list[Fill]


class Reconciliation(Answered):
    """A comparison of our books with the broker's; fields as in the table `reconciliation`."""

    id: int
    account_id: str
    cause: str
    started_at: AwareDatetime
    ended_at: AwareDatetime | None
    agreed: bool | None
    differences: list[Any]


@router.get(
    "/portfolio", summary="Accounts and their equity", response_model=Answer[list[Portfolio]]
)
def portfolio(request: Request, account: Account = None) -> Response:
    """Each account with the last worth that is known of it."""
    found = page_of(request, ACCOUNTS, {"account": account}, cursor=None, limit=100).rows
    data = [
        {"account": row, "worth": first_of(request, EQUITY, {"account": row["id"]})}
        for row in found
    ]
    return answer(request, data)


@router.get("/portfolio/equity", summary="Equity over time", response_model=Answer[list[Worth]])
def equity(
    request: Request,
    *,
    account: Account = None,
    start: Start = None,
    end: End = None,
    limit: Limit = DEFAULT_ROWS,
    cursor: Cursor = None,
) -> Response:
    """What accounts were worth, the newest first."""
    first, last = window(start, end)
    filters = {"account": account, "start": first, "end": last}
    return listed(request, EQUITY, filters, cursor=cursor, limit=limit)


@router.get("/positions", summary="Positions", response_model=Answer[list[Position]])
def positions(request: Request, account: Account = None) -> Response:
    """What is held now, by account and symbol: folded anew from the ledger."""
    with services_of(request).database.connection() as database:
        found = page(database, ACCOUNTS, {"account": account}, limit=100).rows
        data = [
            _position(row["id"], holding)
            for row in found
            for _, holding in sorted(Books.of(read_ledger(database, row["id"])).open.items())
        ]
    return answer(request, data)


def _position(account: str, holding: Holding) -> Position:
    return Position(
        account_id=account,
        symbol=holding.symbol,
        quantity=from_units(holding.quantity),
        average_price=holding.average_price,
        cost=to_dollars(holding.cost),
        realized=to_dollars(holding.realized),
        fees=to_dollars(holding.fees),
        opened=moment_of(holding.opened),
    )


@router.get("/orders", summary="Orders", response_model=Answer[list[OrderState]])
def orders(
    request: Request,
    *,
    account: Account = None,
    symbol: Symbol = None,
    strategy: Name = None,
    state: Annotated[
        str | None, Query(pattern=r"^[A-Z_]{1,32}$", description="Only in this state.")
    ] = None,
    is_open: Annotated[
        bool | None, Query(alias="open", description="Only open orders, or only ended ones.")
    ] = None,
    start: Start = None,
    end: End = None,
    limit: Limit = DEFAULT_ROWS,
    cursor: Cursor = None,
) -> Response:
    """Orders that were ever meant, the newest first."""
    first, last = window(start, end)
    filters = {
        "account": account,
        "symbol": symbol,
        "strategy": strategy,
        "state": state,
        "is_open": is_open,
        "start": first,
        "end": last,
    }
    return listed(request, ORDERS, filters, cursor=cursor, limit=limit)


@router.get("/orders/{order}", summary="One order", response_model=Answer[OrderHistory])
def order_history(request: Request, order: Order) -> Response:
    """An order with all of its steps and fills."""
    found = first_of(request, ORDERS, {"order": order})
    if found is None:
        raise ApiError(404, "unknown_order", f"There is no order {order}; see /v1/orders.")
    steps = page_of(request, ORDER_STEPS, {"order": order}, cursor=None, limit=1_000).rows
    fills = page_of(request, EXECUTIONS, {"order": order}, cursor=None, limit=1_000).rows
    return answer(request, {"order": found, "steps": steps, "fills": fills})


@router.get("/fills", summary="Fills", response_model=Answer[list[Fill]])
def fills(
    request: Request,
    *,
    account: Account = None,
    symbol: Symbol = None,
    start: Start = None,
    end: End = None,
    limit: Limit = DEFAULT_ROWS,
    cursor: Cursor = None,
) -> Response:
    """Executions of all orders, the newest first."""
    first, last = window(start, end)
    filters = {"account": account, "symbol": symbol, "start": first, "end": last}
    return listed(request, EXECUTIONS, filters, cursor=cursor, limit=limit)


@router.get(
    "/reconciliations", summary="Reconciliations", response_model=Answer[list[Reconciliation]]
)
def reconciliations(
    request: Request, *, account: Account = None, limit: Limit = DEFAULT_ROWS, cursor: Cursor = None
) -> Response:
    """Comparisons of our books with the brokers', the newest first."""
    return listed(request, RECONCILIATIONS, {"account": account}, cursor=cursor, limit=limit)
