from __future__ import annotations

import threading

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from database import schema
from database.bars.loading import load_bars
from database.bars.reading import read_bars
from database.connection import SCHEMA, Database, open_database, schema_version
from database.errors import DatabaseError, SchemaError
from database.schema import migrations, upgrade_schema
from tests.database.batches import END, START, assert_same, bars, batch, minutes, rows
from trading.bars.intervals import Interval


def test_the_last_migration_is_the_version_that_the_program_asks_for() -> None:
    assert ScriptDirectory.from_config(migrations()).get_current_head() == SCHEMA


def test_an_upgrade_makes_the_tables_once_and_keeps_the_rows(empty_url: str) -> None:
    upgrade_schema(empty_url)
    content = bars(minutes(3))
    with open_database(empty_url) as database:
        load_bars(database, batch(content))
    upgrade_schema(empty_url)
    with open_database(empty_url) as database:
        assert_same(read_bars(database, "AAPL", Interval.MINUTE, START, END), content)


def test_upgrades_at_once_make_one_schema(empty_url: str) -> None:
    failures: list[BaseException] = []

    def upgrade() -> None:
        try:
            upgrade_schema(empty_url)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with open_database(empty_url):
        pass


def test_an_upgrade_that_fails_changes_nothing(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(empty_url) as connection:
        connection.execute("CREATE TABLE corporate_action (theirs int)")
    with pytest.raises(DatabaseError, match='"corporate_action" already exists'):
        upgrade_schema(empty_url)
    with psycopg.connect(empty_url) as connection:
        assert schema_version(connection) is None
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT to_regclass('bar_1m')").fetchone() == (None,)


def test_a_newer_schema_is_left_alone(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match=f"schema 9999, newer than {SCHEMA}.* upgrade"):
        upgrade_schema(database_url)


def test_a_downgrade_leaves_no_table(database_url: str) -> None:
    configuration = migrations()
    with schema.engine_of(database_url).begin() as transaction:
        configuration.attributes["connection"] = transaction
        command.downgrade(configuration, "base")
    with psycopg.connect(database_url) as connection:
        left = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') "
            "AND relnamespace = 'public'::regnamespace"
        ).fetchall()
    assert left == [("alembic_version",)]


def test_bars_have_no_default_partition(database: Database) -> None:
    load_bars(database, batch(bars(minutes(3))))
    bounds = rows(
        database,
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class "
        "WHERE relispartition AND relkind = 'r'",
    )
    assert bounds == [("FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-02-01 00:00:00+00')",)]


GOOD = {"open": 10, "high": 12, "low": 9, "close": 11, "volume": 1.5, "vwap": 10.5, "trades": 3}


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"low": 10.5}, "prices_in_order"),
        ({"high": 10.5}, "prices_in_order"),
        ({"low": 0}, "prices_in_order"),
        ({"high": "Infinity"}, "prices_in_order"),
        ({"high": "NaN"}, "prices_in_order"),
        ({"open": "NaN", "high": "NaN"}, "prices_in_order"),
        ({"low": "NaN"}, "prices_in_order"),
        ({"volume": -1}, "volume_not_negative"),
        ({"volume": "NaN"}, "volume_not_negative"),
        ({"vwap": "NaN"}, "vwap_finite"),
        ({"vwap": 0}, "vwap_finite"),
        ({"trades": -1}, "trades_not_negative"),
    ],
)
def test_the_tables_refuse_what_is_no_bar(
    database: Database, values: dict[str, object], constraint: str
) -> None:
    load_bars(database, batch(bars(minutes(1))))
    row = GOOD | values
    insert = (
        f"INSERT INTO bar_1m (symbol, ts, {', '.join(row)}, source, known_at, run_id) "  # noqa: S608
        f"VALUES ('MSFT', '2024-01-31Z', {', '.join('%s' for _ in row)}, 'x', now(), 1)"
    )
    with pytest.raises(DatabaseError, match=constraint), database.transaction() as connection:
        connection.execute(insert.encode(), list(row.values()))
    with database.transaction() as connection:
        connection.execute(insert.encode(), list(GOOD.values()))
