"""What programs may list of the tables."""

from __future__ import annotations

from database.api.listings import Listing
from database.orders.events import ENDED

SIGNALS = Listing(
    rows="(SELECT *, ts AS timestamp FROM signal)",
    columns=(
        "strategy", "fingerprint", "symbol", "interval", "timestamp", "signal", "target", "close",
        "values", "revision", "available_at",
    ),
    order=("timestamp", "strategy", "fingerprint", "symbol", "interval"),
    types=("timestamptz", "text", "text", "text", "text"),
    descending=True,
    filters={
        "symbol": "symbol = %s",
        "strategy": "strategy = %s",
        "interval": "interval = %s",
        "signal": "signal = %s",
        "start": "ts >= %s",
        "end": "ts < %s",
    },
)  # fmt: skip

INSTRUMENTS = Listing(
    rows="instrument",
    columns=("id", "symbol", "name", "kind", "exchange", "sector", "listed", "delisted"),
    order=("symbol", "id"),
    types=("text", "text"),
    descending=False,
    filters={
        "symbol": "symbol = %s",
        "text": "(symbol || ' ' || name) ILIKE '%%' || %s || '%%'",
    },
)

GAPS = Listing(
    rows="gap",
    columns=("symbol", "interval", "session", "expected", "present", "state", "reason"),
    order=("session", "symbol", "interval"),
    types=("date", "text", "text"),
    descending=True,
    filters={"symbol": "symbol = %s", "interval": "interval = %s", "state": "state = %s"},
)

ACCOUNTS = Listing(
    rows="""(
        SELECT account.id, broker, is_live, account.created_at, state, reason,
            coalesce(is_closing, false) AS is_closing,
            coalesce(closes_positions, false) AS closes_positions, since, updated_at
        FROM account LEFT JOIN risk_state ON account_id = account.id
    )""",
    columns=(
        "id", "broker", "is_live", "created_at", "state", "reason", "is_closing",
        "closes_positions", "since", "updated_at",
    ),
    order=("id",),
    types=("text",),
    descending=False,
    filters={"account": "id = %s"},
)  # fmt: skip

ORDERS = Listing(
    rows="""(
        SELECT intent.*, coalesce(step.state, 'INITIALIZED') AS state, step.code, step.reason,
            coalesce(step.filled_quantity, 0) AS filled_quantity, (
                SELECT sum(execution.quantity * execution.price) / sum(execution.quantity)
                FROM execution WHERE execution.client_order_id = intent.client_order_id
            ) AS average_price, coalesce(step.at, created_at) AS changed_at
        FROM intent LEFT JOIN LATERAL (
            SELECT state, code, reason, filled_quantity, at FROM order_event
            WHERE order_event.client_order_id = intent.client_order_id ORDER BY id DESC LIMIT 1
        ) AS step ON true
    )""",
    columns=(
        "client_order_id", "account_id", "strategy", "symbol", "interval", "bar", "leg", "side",
        "quantity", "type", "price", "time_in_force", "stop_loss", "take_profit", "reduce_only",
        "created_at", "state", "code", "reason", "filled_quantity", "average_price", "changed_at",
    ),
    order=("created_at", "client_order_id"),
    types=("timestamptz", "text"),
    descending=True,
    filters={
        "order": "client_order_id = %s",
        "account": "account_id = %s",
        "symbol": "symbol = %s",
        "strategy": "strategy = %s",
        "state": "state = %s",
        "is_open": f"(state NOT IN {ENDED}) = %s",
        "start": "created_at >= %s",
        "end": "created_at < %s",
    },
)  # fmt: skip

ORDER_STEPS = Listing(
    rows="order_event",
    columns=(
        "id", "kind", "state", "code", "reason", "quantity", "price", "fee",
        "filled_quantity", "at",
    ),
    order=("id",),
    types=("bigint",),
    descending=False,
    filters={"order": "client_order_id = %s"},
)  # fmt: skip

EXECUTIONS = Listing(
    rows="execution",
    columns=(
        "account_id", "execution_id", "client_order_id", "symbol", "quantity", "price", "fee",
        "is_synthetic", "is_late", "at",
    ),
    order=("at", "account_id", "execution_id"),
    types=("timestamptz", "text", "text"),
    descending=True,
    filters={
        "account": "account_id = %s",
        "symbol": "symbol = %s",
        "order": "client_order_id = %s",
        "start": "at >= %s",
        "end": "at < %s",
    },
)  # fmt: skip

EQUITY = Listing(
    rows="equity",
    columns=(
        "account_id", "at", "equity", "cash", "deposits", "realized", "unrealized", "fees", "gross",
        "drawdown",
    ),
    order=("at", "account_id"),
    types=("timestamptz", "text"),
    descending=True,
    filters={"account": "account_id = %s", "start": "at >= %s", "end": "at < %s"},
)  # fmt: skip

RECONCILIATIONS = Listing(
    rows="reconciliation",
    columns=("id", "account_id", "cause", "started_at", "ended_at", "agreed", "differences"),
    order=("id",),
    types=("bigint",),
    descending=True,
    filters={"account": "account_id = %s"},
)

ALERTS = Listing(
    rows="alert_event",
    columns=("id", "rule", "subject", "kind", "severity", "message", "at"),
    order=("id",),
    types=("bigint",),
    descending=True,
    filters={
        "rule": "rule = %s",
        "subject": "subject = %s",
        "severity": "severity = %s",
        "start": "at >= %s",
        "end": "at < %s",
    },
)

ALERT_STATES = Listing(
    rows="alert_state",
    columns=("rule", "subject", "state", "since", "last_sent_at"),
    order=("rule", "subject"),
    types=("text", "text"),
    descending=False,
    filters={"state": "state = %s", "rule": "rule = %s"},
)

ALERT_RULES = Listing(
    rows="alert_rule",
    columns=(
        "name", "definition", "enabled", "origin", "created_by", "created_at", "updated_at",
    ),
    order=("name",),
    types=("text",),
    descending=False,
    filters={"name": "name = %s"},
)  # fmt: skip

NEWS = Listing(
    rows="""(
        SELECT *, ARRAY(
            SELECT symbol FROM article_symbol WHERE article_id = id ORDER BY symbol
        ) AS symbols
        FROM article
    )""",
    columns=(
        "id", "url", "title", "description", "publisher", "source", "published_at", "usable_from",
        "sentiment", "label", "symbols",
    ),
    order=("usable_from", "id"),
    types=("timestamptz", "text"),
    descending=True,
    filters={
        "symbol": "id IN (SELECT article_id FROM article_symbol WHERE symbol = %s)",
        "label": "label = %s",
        "start": "usable_from >= %s",
        "end": "usable_from < %s",
    },
)  # fmt: skip

COMPANY_FACTS = Listing(
    rows="""(
        SELECT DISTINCT ON (symbol, kind, period) symbol, kind, period, known_at, content, source
        FROM company_fact ORDER BY symbol, kind, period, known_at DESC
    )""",
    columns=("symbol", "kind", "period", "known_at", "content", "source"),
    order=("kind", "period"),
    types=("text", "date"),
    descending=True,
    filters={"symbol": "symbol = %s", "kind": "kind = %s"},
)

AUDIT = Listing(
    rows="audit",
    columns=("id", "at", "who", "action", "subject", "why", "detail"),
    order=("id",),
    types=("bigint",),
    descending=True,
    filters={"who": "who = %s", "action": "action = %s"},
)
