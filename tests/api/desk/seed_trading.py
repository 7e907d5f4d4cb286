"""An account of the seeded desk that follows signals, and its worth at each bar."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from tests.api.desk.seed_values import (
    ACCOUNT,
    COMPANIES,
    FINGERPRINT,
    OTHER_FINGERPRINT,
    OTHER_STRATEGY,
    STRATEGY,
    Connection,
    Price,
    insert,
)
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind, LedgerEvent, deposit
from trading.units import UNIT, to_dollars, to_money, to_units


class SeededTrading:
    """What the account did, bar by bar."""

    def __init__(
        self, connection: Connection, now: datetime, live: Mapping[str, list[Price]]
    ) -> None:
        self.connection = connection
        self.now = now
        self.live = live

    def fill(self) -> None:
        self.connection.execute(
            "INSERT INTO account (id, broker, is_live, created_at) VALUES (%s, 'paper', false, %s)",
            [ACCOUNT, self.live["AAPL"][0][0]],
        )
        first = self.live["AAPL"][0][0]
        insert(
            self.connection,
            "ledger_event",
            "account_id, identity, kind, symbol, quantity, price, reason, at",
            iter(
                [(ACCOUNT, "opening", "deposit", "", Decimal(100_000), Decimal(1), "opened", first)]
            ),
        )
        account = Account()
        account.apply(deposit(0, to_units(100_000)))
        self._trade(account)
        self._denied()
        self._risk()

    def _trade(self, account: Account) -> None:
        worth, peak = list[tuple[object, ...]](), 0.0
        stamps = [bar[0] for bar in self.live["AAPL"]]
        position = dict.fromkeys(COMPANIES, 0)
        signals = list[tuple[object, ...]]()
        for row, stamp in enumerate(stamps):
            ends = stamp + timedelta(minutes=5, seconds=2)
            for number, symbol in enumerate(COMPANIES):
                bars = self.live[symbol]
                close = bars[row][4]
                account.mark(symbol, to_units(Decimal(str(close))))
                averages = [
                    float(np.mean([b[4] for b in bars[max(0, row - n) : row + 1]])) for n in (8, 34)
                ]
                other = number % 3 == 2
                wanted = (
                    int(averages[0] > averages[1]) if not other else int(averages[0] < averages[1])
                )
                turns = row >= 34 and row + 2 < len(stamps) and wanted != position[symbol]
                word = "hold" if not turns else "buy" if wanted else "sell"
                strategy = (OTHER_STRATEGY, OTHER_FINGERPRINT) if other else (STRATEGY, FINGERPRINT)
                values = json.dumps({"ema_8": averages[0], "ema_34": averages[1]})
                signals.append(
                    (*strategy, symbol, "5m", stamp, word, float(wanted), close, values, 0, ends)
                )
                if turns:
                    position[symbol] = wanted
                    self._order(account, symbol, row, wanted, close, strategy)
            held = account.open.values()
            equity = float(to_dollars(account.equity))
            peak = max(peak, equity)
            money = (account.equity, account.cash, account.deposits, account.realized)
            gross = sum(abs(h.value) for h in held)
            more = (account.unrealized, account.fees, gross)
            worth.append(
                (ACCOUNT, ends, *(to_dollars(v) for v in (*money, *more)), 1 - equity / peak)
            )
        insert(
            self.connection,
            "equity",
            "account_id, at, equity, cash, deposits, realized, unrealized, fees, gross, drawdown",
            iter(worth),
        )
        insert(
            self.connection,
            "signal",
            "strategy, fingerprint, symbol, interval, ts, signal, target, close, values, revision, "
            "available_at",
            iter(signals),
        )

    def _order(  # noqa: PLR0917
        self, account: Account, symbol: str, row: int, wanted: int, close: float,
        strategy: tuple[str, str],
    ) -> None:  # fmt: skip
        bar, nxt = self.live[symbol][row], self.live[symbol][row + 1]
        held = account.quantity(symbol) // UNIT
        quantity = int(15_000 / close) if wanted else held
        if not quantity:
            return
        side = 1 if wanted else -1
        name = f"{symbol.lower()}-{bar[0]:%m%d%H%M}-{'b' if wanted else 's'}"
        paid = Decimal(str(round(nxt[1] * (1 + side * 0.0001), 2)))
        fee = (paid * quantity / 10_000).quantize(Decimal("0.01"))
        at = bar[0] + timedelta(minutes=5, seconds=3)
        self._intent(name, symbol, side, quantity, close, at, bar[0], strategy)
        filled = (quantity, paid)
        steps = [("SUBMITTED", None), ("ACCEPTED", None), ("FILLED", filled)]
        self._steps(name, at, steps)
        self.connection.execute(
            "INSERT INTO execution (account_id, execution_id, client_order_id, symbol, quantity, "
            "price, fee, at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                ACCOUNT,
                f"{name}-1",
                name,
                symbol,
                side * quantity,
                paid,
                fee,
                at + timedelta(seconds=1),
            ],
        )
        units = to_units(side * quantity), to_units(paid), to_money(fee)
        stamp = int(at.timestamp()) * 10**9
        account.apply(LedgerEvent(stamp, symbol, EventKind.FILL, *units, name))

    def _intent(  # noqa: PLR0917
        self, name: str, symbol: str, side: int, quantity: int, close: float, at: datetime,
        bar: datetime, strategy: tuple[str, str], limit: Decimal | None = None,
    ) -> None:  # fmt: skip
        kind = "market" if limit is None else "limit"
        self.connection.execute(
            "INSERT INTO intent (client_order_id, account_id, strategy, fingerprint, symbol, "
            "interval, bar, leg, side, quantity, type, price, time_in_force, reduce_only, "
            "decision_price, created_at) VALUES "
            "(%s, %s, %s, %s, %s, '5m', %s, 'entry', %s, %s, %s, %s, 'day', false, %s, %s)",
            [name, ACCOUNT, *strategy, symbol, bar, side, quantity, kind, limit,
             Decimal(str(close)), at],
        )  # fmt: skip

    def _steps(
        self, name: str, at: datetime, steps: list[tuple[str, tuple[int, Decimal] | None]]
    ) -> None:
        rows = (
            (
                ACCOUNT, name, state.lower(), "fill" if filled else state.lower(),
                f"{name}-1" if filled else "", *(filled or (0, 0)), state,
                filled[0] if filled else 0, at + timedelta(seconds=i),
            )
            for i, (state, filled) in enumerate(steps)
        )  # fmt: skip
        columns = (
            "account_id, client_order_id, identity, kind, execution_id, quantity, price, state, "
            "filled_quantity, at"
        )
        insert(self.connection, "order_event", columns, rows)

    def _denied(self) -> None:
        """Two orders that work, one partly filled, and two that were refused."""
        strategy = (STRATEGY, FINGERPRINT)
        at = self.now - timedelta(minutes=12)
        for symbol, limit, side in (("NVDA", "134.50", 1), ("XOM", "121.00", -1)):
            name, bar = f"{symbol.lower()}-limit", self.live[symbol][-3]
            self._intent(name, symbol, side, 40, bar[4], at, bar[0], strategy, Decimal(limit))
            self._steps(name, at, [("SUBMITTED", None), ("ACCEPTED", None)])
        for symbol, code, reason in (
            ("META", "MAX_POSITION", "META would be 27.4 % of equity, above 25 %"),
            ("JPM", "STALE_PRICE", "the last price of JPM is 412 seconds old"),
        ):
            name, bar = f"{symbol.lower()}-denied", self.live[symbol][-20]
            self._intent(name, symbol, 1, 50, bar[4], bar[0], bar[0], strategy)
            self.connection.execute(
                "INSERT INTO order_event (account_id, client_order_id, identity, kind, state, "
                "code, reason, filled_quantity, at) "
                "VALUES (%s, %s, 'denied', 'denied', 'DENIED', %s, %s, 0, %s)",
                [ACCOUNT, name, code, reason, bar[0]],
            )

    def _risk(self) -> None:
        self.connection.execute(
            "INSERT INTO risk_state (account_id, state, reason, since, updated_at) "
            "VALUES (%s, 'ACTIVE', '', %s, %s)",
            [ACCOUNT, self.now - timedelta(days=2), self.now],
        )
        at = self.now - timedelta(hours=2, minutes=31)
        self.connection.execute(
            "INSERT INTO reconciliation (account_id, cause, started_at, ended_at, agreed) "
            "VALUES (%s, 'schedule', %s, %s, true)",
            [ACCOUNT, at, at + timedelta(seconds=4)],
        )
