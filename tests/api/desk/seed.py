"""A desk's database as it looks on a Wednesday afternoon: the tables filled directly.

Everything follows from one random seed and the moment `NOW`, so that two fillings are the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import psycopg

from trading.instruments.calendar import sessions
from trading.instruments.clock import NEW_YORK, to_datetime
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind, LedgerEvent, deposit
from trading.risk.limits import RiskLimits
from trading.units import UNIT, to_dollars, to_money, to_units

NOW = datetime(2026, 11, 25, 14, 32, 5, tzinfo=NEW_YORK).astimezone(UTC)
"""The market is open, and closes in an hour and a half."""

ACCOUNT = "paper-main"
LIMITS = RiskLimits(
    max_drawdown=Decimal("0.15"), max_gross=Decimal("1.5"), max_position=Decimal("0.25")
)

COMPANIES = {
    "AAPL": ("Apple Inc.", "Technology", 228.0),
    "AMZN": ("Amazon.com, Inc.", "Consumer Cyclical", 201.0),
    "GOOG": ("Alphabet Inc.", "Communication Services", 176.0),
    "JPM": ("JPMorgan Chase & Co.", "Financial Services", 243.0),
    "META": ("Meta Platforms, Inc.", "Communication Services", 561.0),
    "MSFT": ("Microsoft Corporation", "Technology", 417.0),
    "NVDA": ("NVIDIA Corporation", "Technology", 137.0),
    "XOM": ("Exxon Mobil Corporation", "Energy", 118.0),
}
INDEX = "^GSPC"
STRATEGY, FINGERPRINT = "vegas_channel", "4be1c07a9d52"
OTHER_STRATEGY, OTHER_FINGERPRINT = "rsi_reversion", "90af2231c8e4"
LIVE_SESSIONS, DAYS = 8, 250
BARS = 78
"""Of five minutes in a session."""

Price = tuple[datetime, float, float, float, float, float]


def fill(url: str, now: datetime = NOW) -> None:
    """Fill a migrated, empty database."""
    with psycopg.connect(url, autocommit=False) as connection:
        seeded = _Seed(connection, now)
        seeded.market()
        seeded.trading()
        seeded.alerts()
        seeded.news()
        seeded.services()


class _Seed:
    def __init__(self, connection: psycopg.Connection, now: datetime) -> None:  # type: ignore[type-arg]
        self.connection = connection
        self.now = now
        self.random = np.random.default_rng(28)
        today = now.astimezone(NEW_YORK).date()
        self.sessions = sessions(today - timedelta(days=DAYS * 3 // 2), today)
        self.live: dict[str, list[Price]] = {}
        self.daily: dict[str, list[Price]] = {}

    def insert(self, table: str, columns: str, rows: Iterator[tuple[object, ...]]) -> None:
        places = ", ".join("%s" for _ in columns.split(","))
        with self.connection.cursor() as cursor:
            statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"
            cursor.executemany(statement.encode(), list(rows))

    def market(self) -> None:
        """A year of days and eight sessions of five minutes of each symbol, which agree."""
        self.connection.execute(
            "CREATE TABLE bar_1d_seed PARTITION OF bar_1d FOR VALUES FROM (MINVALUE) TO (MAXVALUE)"
        )
        index = np.cumsum(self.random.normal(0.0004, 0.008, DAYS))
        for symbol, level in [*((s, c[2]) for s, c in COMPANIES.items()), (INDEX, 6010.0)]:
            own = np.cumsum(self.random.normal(0.0002, 0.011, DAYS))
            path = index if symbol == INDEX else 0.9 * index + own
            self._daily(symbol, level * np.exp(path - path[-1]))
            self._live(symbol)
        columns = "symbol, ts, open, high, low, close, volume, source, known_at, run_id"
        self.insert(
            "bar_1d",
            columns,
            (
                (symbol, *bar, "synthetic", self.now, 1)
                for symbol, bars in self.daily.items()
                for bar in bars[:-1]
            ),
        )
        columns = (
            "symbol, interval, ts, open, high, low, close, volume, vwap, trades, revision, "
            "available_at"
        )
        self.insert(
            "live_bar",
            columns,
            (
                (symbol, "5m", *bar, bar[4], 900, 0, bar[0] + timedelta(minutes=5, seconds=2))
                for symbol, bars in self.live.items()
                for bar in bars
            ),
        )

    def _daily(self, symbol: str, closes: np.ndarray) -> None:  # type: ignore[type-arg]
        stamps = self.sessions.opens[-DAYS:]
        opens = np.concatenate((closes[:1], closes[:-1])) * np.exp(
            self.random.normal(0, 0.003, DAYS)
        )
        self.daily[symbol] = list(self._bars(stamps, opens, closes, 0.006, 3.2e7))

    def _live(self, symbol: str) -> None:
        bars: list[Price] = []
        for start, day in zip(
            self.sessions.opens[-LIVE_SESSIONS:], self.daily[symbol][-LIVE_SESSIONS:], strict=True
        ):
            stamps = start + np.arange(BARS) * np.timedelta64(300, "s")
            bridge = np.cumsum(self.random.normal(0, 0.0012, BARS + 1))
            bridge -= np.linspace(bridge[0], bridge[-1], BARS + 1)
            path = np.linspace(np.log(day[1]), np.log(day[4]), BARS + 1) + bridge
            closes = np.exp(path)
            bars += self._bars(stamps, closes[:-1], closes[1:], 0.0008, 4.1e5)
        self.live[symbol] = [b for b in bars if b[0] + timedelta(minutes=5) <= self.now]

    def _bars(  # type: ignore[no-untyped-def]
        self, stamps, opens, closes, spread: float, volume: float
    ) -> Iterator[Price]:
        count = len(stamps)
        above, below = np.abs(self.random.normal(0, spread, (2, count)))
        highs = np.maximum(opens, closes) * (1 + above)
        lows = np.minimum(opens, closes) * (1 - below)
        volumes = volume * self.random.lognormal(0, 0.4, count)
        for i in range(count):
            numbers = (round(float(v), 2) for v in (opens[i], highs[i], lows[i], closes[i]))
            yield (to_datetime(stamps[i], UTC), *numbers, float(int(volumes[i])))  # type: ignore[misc]

    def trading(self) -> None:
        """An account that follows signals, bar by bar, and its worth at each."""
        self.connection.execute(
            "INSERT INTO account (id, broker, is_live, created_at) VALUES (%s, 'paper', false, %s)",
            [ACCOUNT, self.live["AAPL"][0][0]],
        )
        first = self.live["AAPL"][0][0]
        self.insert(
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
        self.insert(
            "equity",
            "account_id, at, equity, cash, deposits, realized, unrealized, fees, gross, drawdown",
            iter(worth),
        )
        self.insert(
            "signal",
            "strategy, fingerprint, symbol, interval, ts, signal, target, close, values, revision, "
            "available_at",
            iter(signals),
        )

    def _order(
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

    def _intent(
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
        self.insert("order_event", columns, rows)

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
                "INSERT INTO order_event (account_id, client_order_id, identity, kind, state, code, "
                "reason, filled_quantity, at) "
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

    def alerts(self) -> None:
        """Two rules, one of which fires, and what both said."""
        rules = (
            ("nvda-below", {"type": "price", "symbol": "NVDA", "below": 140, "hysteresis": 0.5}),
            ("stale-data", {"type": "stale", "seconds": 600}),
            ("failed-partitions", {"type": "partition", "dataset": "silver"}),
        )
        self.insert(
            "alert_rule",
            "name, definition, origin, created_by, created_at, updated_at",
            iter((n, json.dumps(d), "file", "alerts.yaml", self.now, self.now) for n, d in rules),
        )
        ago = timedelta
        events = (
            ("stale-data", "JPM", "firing", "critical", "JPM has had no bar for 11 minutes.", ago(hours=5)),
            ("stale-data", "JPM", "resolved", "info", "JPM has bars again.", ago(hours=4, minutes=54)),
            ("failed-partitions", "silver", "firing", "warning",
             "2 partitions of silver failed: XOM 2026-11-23, XOM 2026-11-24.", ago(hours=3)),
            ("nvda-below", "NVDA", "firing", "warning", "NVDA fell below 140.00.", ago(minutes=48)),
        )  # fmt: skip
        for number, (rule, subject, kind, severity, message, since) in enumerate(events):
            row = self.connection.execute(
                "INSERT INTO alert_event (rule, subject, kind, severity, message, at, identity) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
                [rule, subject, kind, severity, message, self.now - since, str(number)],
            ).fetchone()
            assert row is not None
            self.connection.execute(
                "INSERT INTO notification (event_id, channel, title, body, identity, state, "
                "not_before) VALUES (%s, 'mail', %s, %s, %s, 'sent', %s)",
                [row[0], rule, message, str(number), self.now - since],
            )
        states = (
            ("stale-data", "JPM", "ok", ago(hours=4, minutes=54)),
            ("failed-partitions", "silver", "firing", ago(hours=3)),
            ("nvda-below", "NVDA", "firing", ago(minutes=48)),
        )
        self.insert(
            "alert_state",
            "rule, subject, state, since",
            iter((r, s, state, self.now - since) for r, s, state, since in states),
        )

    def news(self) -> None:
        """Articles of the last two days, and what is known of Apple."""
        articles = (
            ("AAPL", "Apple beats estimates, raises guidance on services", 0.74, 35),
            ("NVDA", "Short interest in Nvidia surges ahead of export ruling", -0.52, 61),
            ("MSFT", "Microsoft signs ten-year power agreement for data centers", 0.21, 140),
            ("AAPL", "Apple supplier warns of weaker holiday orders", -0.44, 310),
            ("JPM", "JPMorgan to open 100 branches next year", 0.02, 500),
            ("AAPL", "What the new App Store terms mean for developers", 0.0, 900),
            ("META", "Meta faces new inquiry over teen safety", -0.38, 1300),
            ("XOM", "Exxon Mobil raises dividend for 42nd year", 0.58, 1800),
        )
        for number, (symbol, title, sentiment, minutes) in enumerate(articles):
            at = self.now - timedelta(minutes=minutes)
            label = (
                "positive" if sentiment >= 0.05 else "negative" if sentiment <= -0.05 else "neutral"
            )
            self.connection.execute(
                "INSERT INTO article (id, url, title, description, publisher, source, published_at, "
                "fetched_at, sentiment, label, scorer) VALUES "
                "(%s, %s, %s, %s, 'Newswire', 'newsapi', %s, %s, %s, %s, 'vader-finance-1')",
                [str(number), f"https://news.example/{number}", title,
                 "The company said so on Tuesday, and analysts agreed.", at,
                 at + timedelta(minutes=3), sentiment, label],
            )  # fmt: skip
            self.connection.execute(
                "INSERT INTO article_symbol (symbol, article_id) VALUES (%s, %s)",
                [symbol, str(number)],
            )
        facts = {
            "profile": {
                "name": "Apple Inc.", "sector": "Technology", "industry": "Consumer Electronics",
                "employees": 164_000, "city": "Cupertino", "country": "United States",
                "website": "https://www.apple.com",
                "summary": "Apple designs, makes and sells smartphones, personal computers, "
                "tablets, wearables and accessories, and sells services around them.",
            },
            "statistics": {
                "market_cap": 3.42e12, "trailing_pe": 36.8, "forward_pe": 29.4,
                "dividend_yield": 0.0044, "beta": 1.24, "shares_outstanding": 1.51e10,
            },
            "holders": [
                {"holder": "Vanguard Group Inc", "shares": 1.35e9, "share": 0.0893},
                {"holder": "Blackrock Inc.", "shares": 1.12e9, "share": 0.0742},
                {"holder": "Berkshire Hathaway, Inc", "shares": 3.0e8, "share": 0.0198},
            ],
            "officers": [
                {"name": "Timothy D. Cook", "title": "Chief Executive Officer"},
                {"name": "Kevan Parekh", "title": "Chief Financial Officer"},
            ],
        }  # fmt: skip
        for kind, content in facts.items():
            self.connection.execute(
                "INSERT INTO company_fact (symbol, kind, period, known_at, content, digest, source) "
                "VALUES ('AAPL', %s, %s, %s, %s, %s, 'yahoo')",
                [kind, date(2026, 11, 22), self.now - timedelta(days=3), json.dumps(content),
                 kind.encode()],
            )  # fmt: skip

    def services(self) -> None:
        """Signs of life, a gap, and two entries of the audit."""
        beats = (
            ("stream", "running", 2), ("windows", "running", 1), ("signals", "running", 1),
            ("executor", "running", 2), ("alerts", "running", 3), ("notifications", "degraded", 40),
        )  # fmt: skip
        self.insert(
            "service_heartbeat",
            "service, instance, started_at, beat_at, state, detail",
            iter(
                (name, "1", self.now - timedelta(hours=6), self.now - timedelta(seconds=ago), state,
                 json.dumps({"reason": "webhook answers 503"} if state == "degraded" else {}))
                for name, state, ago in beats
            ),
        )  # fmt: skip
        self.insert(
            "gap",
            "symbol, interval, session, expected, present, state, reason",
            iter([("XOM", "1m", date(2026, 11, 23), 390, 381, "open", "not served")]),
        )
        self.insert(
            "audit",
            "at, who, action, subject, why",
            iter(
                [
                    (self.now - timedelta(days=2), "mara", "resume", ACCOUNT, "data feed is back"),
                    (self.now - timedelta(days=2, hours=1), "watch", "halt", ACCOUNT, "stale data"),
                ]
            ),
        )


__all__ = ["ACCOUNT", "COMPANIES", "LIMITS", "NOW", "fill"]
