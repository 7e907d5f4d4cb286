"""Accounts, orders and what came of them, risk, and who did what.

Positions, cash and profit are folds over `execution` and `ledger_event`, the state of an order is
one over `order_event`, and none of them is stored anywhere else.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

_TABLES = """
CREATE TABLE account (
    id text PRIMARY KEY,
    broker text NOT NULL CHECK (broker IN ('paper', 'alpaca')),
    is_live boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row for each order that was ever meant, committed before anything is sent.
CREATE TABLE intent (
    account_id text NOT NULL REFERENCES account,
    -- Of its strategy, symbol, bar and side: two accounts that follow one strategy share it.
    client_order_id text NOT NULL,
    strategy text NOT NULL,
    fingerprint text NOT NULL,
    symbol text NOT NULL,
    interval text NOT NULL,
    bar timestamptz NOT NULL,
    leg text NOT NULL,
    side smallint NOT NULL CHECK (side IN (-1, 1)),
    quantity numeric NOT NULL CHECK (quantity > 0),
    type text NOT NULL,
    price numeric,
    time_in_force text NOT NULL,
    stop_loss numeric,
    take_profit numeric,
    reduce_only boolean NOT NULL,
    decision_price numeric,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, client_order_id)
);
CREATE INDEX intent_of_account ON intent (account_id, created_at);

-- What happened to an order; its state is a fold over these rows, in any order.
CREATE TABLE order_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id text NOT NULL,
    client_order_id text NOT NULL,
    -- What makes a repeated message the same message.
    identity text NOT NULL,
    kind text NOT NULL,
    execution_id text NOT NULL DEFAULT '',
    -- Of a fill its shares and price; of a cumulative those filled in all, and their average.
    quantity numeric NOT NULL DEFAULT 0,
    price numeric NOT NULL DEFAULT 0,
    fee numeric NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    broker_order_id text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The fold up to and with this row, for those who read the last one.
    state text NOT NULL,
    code text,
    filled_quantity numeric NOT NULL,
    -- Whether the bus has been told.
    is_published boolean NOT NULL DEFAULT false,
    UNIQUE (account_id, client_order_id, identity),
    FOREIGN KEY (account_id, client_order_id) REFERENCES intent
);
CREATE INDEX order_event_of_account ON order_event (account_id, id);
CREATE INDEX order_event_unpublished ON order_event (id) WHERE NOT is_published;

-- The place of an execution or another event in the account's ledger.
CREATE SEQUENCE ledger_place;

-- The fills of all orders, as the fold of `order_event` gives them.
CREATE TABLE execution (
    account_id text NOT NULL REFERENCES account,
    execution_id text NOT NULL,
    place bigint NOT NULL DEFAULT nextval('ledger_place'),
    client_order_id text NOT NULL,
    symbol text NOT NULL,
    -- Signed: below 0 sold.
    quantity numeric NOT NULL CHECK (quantity <> 0),
    price numeric NOT NULL CHECK (price > 0),
    fee numeric NOT NULL,
    -- Closes the difference to what the broker says is filled in all; goes when the fill comes.
    is_synthetic boolean NOT NULL DEFAULT false,
    is_late boolean NOT NULL DEFAULT false,
    at timestamptz NOT NULL,
    PRIMARY KEY (account_id, execution_id),
    FOREIGN KEY (account_id, client_order_id) REFERENCES intent
);
CREATE INDEX execution_of_order ON execution (account_id, client_order_id);

-- What changed an account beside executions: deposits, dividends, splits, adjustments.
CREATE TABLE ledger_event (
    account_id text NOT NULL REFERENCES account,
    identity text NOT NULL,
    place bigint NOT NULL DEFAULT nextval('ledger_place'),
    kind text NOT NULL,
    symbol text NOT NULL,
    quantity numeric NOT NULL,
    price numeric NOT NULL,
    reason text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,
    PRIMARY KEY (account_id, identity)
);

-- The last target of each strategy in each symbol, and whether what it asked for was done.
CREATE TABLE target (
    account_id text NOT NULL REFERENCES account,
    strategy text NOT NULL,
    symbol text NOT NULL,
    fingerprint text NOT NULL,
    interval text NOT NULL,
    bar timestamptz NOT NULL,
    available_at timestamptz NOT NULL,
    close numeric NOT NULL,
    target float8 NOT NULL,
    is_decided boolean NOT NULL,
    -- Whether an order that would have made the position smaller was denied.
    exit_denied boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account_id, strategy, symbol)
);

CREATE TABLE risk_state (
    account_id text PRIMARY KEY REFERENCES account,
    state text NOT NULL CHECK (state IN ('ACTIVE', 'REDUCING', 'HALTED')),
    reason text NOT NULL,
    -- Whether a kill switch is still at work: cancelling, closing, verifying.
    is_closing boolean NOT NULL DEFAULT false,
    -- Whether it also closes all positions.
    closes_positions boolean NOT NULL DEFAULT false,
    memory jsonb NOT NULL DEFAULT '{}',
    since timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE reconciliation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id text NOT NULL REFERENCES account,
    cause text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    agreed boolean,
    differences jsonb NOT NULL DEFAULT '[]'
);

-- What the account was worth, for charts; the ledger alone is the truth.
CREATE TABLE equity (
    account_id text NOT NULL REFERENCES account,
    at timestamptz NOT NULL,
    equity numeric NOT NULL,
    cash numeric NOT NULL,
    deposits numeric NOT NULL,
    realized numeric NOT NULL,
    unrealized numeric NOT NULL,
    fees numeric NOT NULL,
    gross numeric NOT NULL,
    drawdown float8 NOT NULL,
    PRIMARY KEY (account_id, at)
);

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    why text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_of_time ON audit (at);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(_TABLES)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(
        "DROP TABLE audit, equity, reconciliation, risk_state, target, ledger_event, execution, "
        "order_event, intent, account"
    )
    op.execute("DROP SEQUENCE ledger_place")
