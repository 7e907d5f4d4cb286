"""A few rows of everything that the API shows, written as their owners write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from psycopg.types.json import Jsonb

from database.alerts.rules import put_rule
from database.connection import Database, open_database
from database.gaps import SessionGap, record_gaps
from database.instruments import StoredInstrument, SymbolPeriod, replace_instruments
from database.orders.accounts import ensure_account
from database.orders.events import record_events, record_intent
from database.orders.ledger import add_ledger_event
from trading.alerts.rules import alert_rule
from trading.execution.intent import Intent
from trading.instruments.instrument import Instrument
from trading.orders.history import OrderEvent, OrderEventKind
from trading.orders.model import Order, OrderType, Side
from trading.portfolio.ledger import deposit
from trading.units import to_units

NOW = datetime(2024, 1, 9, 15, 0, tzinfo=UTC)
ACCOUNT = "paper-main"
SYMBOLS = ("AAPL", "MSFT", "NVDA")
ORDERS = 5
"""Of each symbol."""

BUY = OrderType.MARKET


def fill(url: str) -> None:
    """Fill a migrated, empty database."""
    with open_database(url) as database:
        _market(database)
        ensure_account(database, ACCOUNT, "paper", is_live=False)
        _orders(database)
        _equity(database)
        _knowledge(database)


def _market(database: Database) -> None:
    instruments = [
        StoredInstrument(id=symbol, instrument=Instrument(symbol=symbol, listed=date(2000, 1, 3)))
        for symbol in SYMBOLS
    ]
    periods = [
        SymbolPeriod(symbol=symbol, instrument_id=symbol, valid_from=date(2000, 1, 3))
        for symbol in SYMBOLS
    ]
    replace_instruments(database, instruments, periods)
    record_gaps(
        database,
        [
            SessionGap(
                symbol="AAPL", interval="1m", session=date(2024, 1, day), expected=390, present=380,
                state="open", reason="not served",
            )
            for day in range(2, 6)
        ],
    )  # fmt: skip
    with database.transaction() as connection:
        for number in range(12):
            ts = NOW + timedelta(minutes=5 * number)
            for symbol in SYMBOLS:
                connection.execute(
                    "INSERT INTO live_bar VALUES "
                    "(%s, '5m', %s, 10, 12, 9, 11, 1000, 10.5, 50, 0, %s)",
                    [symbol, ts, ts + timedelta(minutes=5)],
                )
                connection.execute(
                    "INSERT INTO signal VALUES ('vegas_channel', 'f00', %s, '5m', %s, 'buy', 1.0, "
                    "11, %s, 0, %s)",
                    [symbol, ts, Jsonb({"ema_12": 10.5, "rsi_14": None}), ts],
                )


def _orders(database: Database) -> None:
    with database.transaction() as connection:
        money = deposit(0, to_units(100_000))
        add_ledger_event(connection, ACCOUNT, money, "opening", "opened")
        for number, symbol in enumerate(SYMBOLS * ORDERS):
            at = NOW + timedelta(minutes=number)
            order = Order(
                client_order_id=f"order-{number:03}", symbol=symbol, side=Side.BUY,
                quantity=Decimal(10), type=BUY, strategy="vegas_channel",
            )  # fmt: skip
            intent = Intent(
                account=ACCOUNT, order=order, fingerprint="f00", interval="5m",
                bar=int(at.timestamp()) * 10**9, created_at=at,
            )  # fmt: skip
            tracked = record_intent(
                connection, intent, [OrderEvent(kind=OrderEventKind.INITIALIZED, at=at)]
            )
            events = [OrderEvent(kind=OrderEventKind.SUBMITTED, at=at)]
            if number % 5:
                events.append(
                    OrderEvent(
                        kind=OrderEventKind.FILL, at=at + timedelta(seconds=1),
                        quantity=Decimal(10), price=Decimal("11.25"),
                        execution_id=f"fill-{number:03}",
                    )
                )  # fmt: skip
            record_events(connection, tracked, events)


def _equity(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(30):
            connection.execute(
                "INSERT INTO equity VALUES (%s, %s, 100000.5, 99000, 100000, 1, -0.5, 0, 1350, 0)",
                [ACCOUNT, NOW + timedelta(minutes=number)],
            )
        connection.execute(
            "INSERT INTO reconciliation (account_id, cause, started_at, ended_at, agreed) "
            "VALUES (%s, 'start', %s, %s, true)",
            [ACCOUNT, NOW, NOW],
        )


def _knowledge(database: Database) -> None:
    rule = {"kind": "price_above", "name": "aapl-high", "symbols": ["AAPL"], "level": 200.0}
    put_rule(database, alert_rule(rule), "command", "test")
    with database.transaction() as connection:
        for number in range(7):
            at = NOW + timedelta(minutes=number)
            connection.execute(
                "INSERT INTO alert_event (rule, subject, kind, severity, message, at, identity) "
                "VALUES ('aapl-high', 'AAPL', 'firing', 'warning', 'AAPL is above 200.', %s, %s)",
                [at, f"aapl-high:{number}"],
            )
            connection.execute(
                "INSERT INTO article (id, url, title, description, publisher, source, published_at,"
                " fetched_at, sentiment, label, scorer) VALUES (%s, %s, 'Apple beats estimates', "
                "'It does.', 'Wire', 'synthetic', %s, %s, 0.6, 'positive', 'vader-1')",
                [f"article-{number}", f"https://news.example/{number}", at, at],
            )
            connection.execute(
                "INSERT INTO article_symbol VALUES ('AAPL', %s)", [f"article-{number}"]
            )
        connection.execute(
            "INSERT INTO alert_state (rule, subject, state, since) "
            "VALUES ('aapl-high', 'AAPL', 'firing', %s)",
            [NOW],
        )
        for known_at in (NOW, NOW + timedelta(days=1)):
            connection.execute(
                "INSERT INTO company_fact VALUES "
                "('AAPL', 'profile', '2024-01-09', %s, %s, %s, 'yahoo')",
                [known_at, Jsonb({"name": f"Apple, as of {known_at:%d}"}), b"x"],
            )
        connection.execute(
            "INSERT INTO audit (who, action, subject, why) VALUES ('test', 'halt', 'x', 'trial')"
        )
