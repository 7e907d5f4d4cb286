"""The engine: bar by bar through a market, for backtests of any kind.

Of each row: what the calendar and corporate actions change; fills of what rests; the marks; what
the source asks, through the risk gate. So an order is first filled in the bar after the one it
was made of. There is no other path: signals are computed before, all at once, and the numbers of
a result are folds over the ledger after.
"""

from __future__ import annotations

from collections.abc import Iterator

from trading.backtest.events import Happening, Split, happenings
from trading.backtest.gatekeeper import Gatekeeper
from trading.backtest.market import FOREVER, Market
from trading.backtest.result import Result
from trading.backtest.source import Cancel, CancelAll, OrderSource, Request
from trading.backtest.terms import Terms
from trading.errors import ParameterError
from trading.orders.book import Book
from trading.orders.model import Leg, Order, Side, TimeInForce, client_order_id
from trading.orders.working import WorkingOrder
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind, LedgerEvent
from trading.risk.limits import TradingState
from trading.risk.watch import RiskState, Thresholds, paid_in, watched
from trading.units import from_units

_STRETCH = 1_024


def run(market: Market, source: OrderSource, terms: Terms) -> Result:
    """Walk through all rows of a market.

    Args:
        market: Bars of all symbols.
        source: What asks for orders.
        terms: Capital, costs, limits, actions.

    Raises:
        ParameterError: The source asks for an order that is none, e.g. of half a share where the
            increment is one.
    """
    return _Run(market, terms).through(source)


class _Run:
    """One walk; also the desk that the source sees."""

    def __init__(self, market: Market, terms: Terms) -> None:
        self._market = market
        self._terms = terms
        self._account = Account()
        self._ledger: list[LedgerEvent] = []
        self._orders: list[WorkingOrder] = []
        self._columns = {symbol: column for column, symbol in enumerate(market.symbols)}
        self._books = {
            symbol: Book(increment, terms.costs)
            for symbol, increment in zip(market.symbols, market.increments, strict=True)
        }
        self._busy: dict[str, Book] = {}
        self._closes: list[int] = []
        self._row = 0
        self._now = 0
        self._equity = 0
        self._risk = RiskState()
        self._thresholds = Thresholds.of(terms.limits)
        self._quiet_above = 0
        self._sessions: list[int] = market.clock.sessions.tolist()
        self._gate = Gatekeeper(self._account, self._busy, terms)

    def through(self, source: OrderSource) -> Result:
        """All rows, one after another."""
        market, account, busy, open_ = self._market, self._account, self._busy, self._account.open
        starts, ends = market.clock.starts.tolist(), market.clock.ends.tolist()
        coming = happenings(market, self._terms.capital, self._terms.deposits, self._terms.actions)
        asked, columns, sessions = source.rows(), self._columns, self._sessions
        curve: list[int] = []
        for row, closes in enumerate(_rows(market)):
            self._row, self._now, self._closes = row, starts[row], closes
            if row in coming:
                self._happen(coming[row])
            if busy:
                self._fill(ends[row])
            equity = account.cash
            for symbol, holding in open_.items():
                price = closes[columns[symbol]]
                if price:
                    holding.mark = price
                    holding.value = holding.quantity * price
                equity += holding.value
            curve.append(equity)
            risk = self._risk
            if equity <= self._quiet_above or equity > risk.peak or sessions[row] != risk.session:
                self._watch(equity)
            self._equity = equity
            if row in asked:
                self._gate.now_at(starts[row], equity, self._risk.state)
                for request in source.requests(row, self):
                    self._take(request)
        return Result.of(
            market=market,
            ledger=self._ledger,
            curve=curve,
            account=account,
            orders=self._orders,
            risk=self._risk._replace(equity=self._equity),
        )

    # What the source sees.

    @property
    def equity(self) -> int:
        return self._equity

    def position(self, symbol: str) -> int:
        return self._account.quantity(symbol)

    def price(self, symbol: str) -> int:
        return self._closes[self._columns[symbol]]

    def has_orders(self, symbol: str) -> bool:
        return symbol in self._busy

    def only_reduces(self, symbol: str) -> bool:
        return self._gate.only_reduces(symbol)

    # Before the fills.

    def _happen(self, what: list[Happening]) -> None:
        for happening in what:
            events = happening.events(self._account, self._now)
            for event in events:
                self._book(event)
                if event.kind is EventKind.DEPOSIT:
                    seen = self._risk._replace(equity=self._equity)
                    self._risk = paid_in(seen, event.quantity * event.price)
                    self._equity = self._risk.equity
                    self._quiet_above = self._thresholds.quiet_above(self._risk)
            if isinstance(happening, Split):
                book = self._books[happening.symbol]
                book.split(happening.numerator, happening.denominator)
                self._settle(happening.symbol)
                self._gate.split(happening.symbol, happening.numerator, happening.denominator)

    def _book(self, event: LedgerEvent) -> None:
        self._ledger.append(event)
        self._account.apply(event)

    # What rests.

    def _fill(self, end: int) -> None:
        for symbol, book in tuple(self._busy.items()):
            book.expire(self._now)
            bar = self._market.bar(self._row, self._columns[symbol])
            if bar is not None and book.orders:
                for fill in book.match(bar, self._account.quantity(symbol)):
                    name = fill.working.order.client_order_id
                    self._book(
                        LedgerEvent(
                            self._now, symbol, EventKind.FILL, fill.quantity, fill.price, fill.fee,
                            name,
                        )
                    )  # fmt: skip
            book.expire(end)
            self._settle(symbol)

    def _settle(self, symbol: str) -> None:
        """Keep the books that have orders at hand."""
        if self._books[symbol].orders:
            self._busy[symbol] = self._books[symbol]
        else:
            self._busy.pop(symbol, None)

    # The account's state.

    def _watch(self, equity: int) -> None:
        """See what the equity means; needed only where it can mean anything."""
        before = self._risk._replace(equity=self._equity)
        self._risk = watched(before, equity, self._sessions[self._row], self._thresholds)
        self._quiet_above = self._thresholds.quiet_above(self._risk)
        if self._risk.state is TradingState.HALTED and before.state is not TradingState.HALTED:
            self._halt()

    def _halt(self) -> None:
        """Cancel all orders and, where that is wanted, close what is open."""
        for symbol, book in tuple(self._busy.items()):
            book.cancel_all()
            self._settle(symbol)
        if not self._terms.limits.close_when_halted:
            return
        for symbol, holding in self._account.open.items():
            side = Side.SELL if holding.quantity > 0 else Side.BUY
            order = Order(
                client_order_id=client_order_id(
                    strategy="",
                    fingerprint="",
                    symbol=symbol,
                    bar=str(self._now),
                    side=side,
                    leg=Leg.CLOSE,
                ),
                symbol=symbol,
                side=side,
                quantity=from_units(abs(holding.quantity)),
                time_in_force=TimeInForce.GTC,
                reduce_only=True,
                leg=Leg.CLOSE,
                decision_price=from_units(holding.mark),
            )
            self._accept(WorkingOrder(order))

    # What the source asks.

    def _take(self, request: Request) -> None:
        if isinstance(request, Order):
            self._send(request)
            return
        book = self._books[request.symbol]
        if isinstance(request, CancelAll):
            book.cancel_all()
        elif isinstance(request, Cancel):
            for working in tuple(book.orders):
                if working.order.client_order_id == request.client_order_id:
                    book.cancel(working)
        self._settle(request.symbol)
        self._gate.forget_gross()

    def _send(self, order: Order) -> None:
        day = order.time_in_force is TimeInForce.DAY
        until = int(self._market.clock.good_until[self._row]) if day else FOREVER
        working = WorkingOrder(order, until if until < FOREVER else None)
        _check_step(working, self._books[order.symbol])
        code = self._gate.denial(order, self.price(order.symbol))
        if code is None:
            self._accept(working)
        else:
            working.deny(code.value)
            self._orders.append(working)

    def _accept(self, working: WorkingOrder) -> None:
        symbol = working.order.symbol
        self._books[symbol].accept(working)
        self._busy[symbol] = self._books[symbol]
        self._orders += (working, *working.exits)
        self._gate.accepted(working, self.price(symbol))


def _rows(market: Market) -> Iterator[list[int]]:
    """Closes of each row, made of the array in stretches: as quick as all at once, and small."""
    closes = market.prices[3]
    for start in range(0, len(closes), _STRETCH):
        yield from closes[start : start + _STRETCH].tolist()


def _check_step(working: WorkingOrder, book: Book) -> None:
    if working.quantity % book.increment:
        raise ParameterError(
            "quantity", str(working.order.quantity),
            f"a multiple of {from_units(book.increment)}, the increment of {working.order.symbol}",
            "floor it",
        )  # fmt: skip
