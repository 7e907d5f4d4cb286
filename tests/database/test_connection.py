from __future__ import annotations

import socket
from urllib.parse import quote

import psycopg
import pytest

from database import connection as connection_module
from database.address import connection_string, place
from database.bars.loading import load_bars
from database.bars.reading import read_bars
from database.connection import Database, open_database
from database.errors import DatabaseError, UnreachableError
from servers.postgres.local import PostgresServer
from tests.database.batches import END, START, bars, batch, minutes
from tests.database.conftest import url_of
from tests.waiting import wait_until
from trading.bars.intervals import Interval
from trading.errors import ParameterError

SECRET = "Hunter2Hunter2"  # noqa: S105 - of a role of this test


def refusal(url: str) -> str:
    with pytest.raises((DatabaseError, ParameterError)) as caught, open_database(url):
        pass
    message = str(caught.value)
    assert SECRET[:7] not in message + repr(caught.value.__cause__)
    assert "\n" not in message
    return message


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_where_nothing_listens() -> None:
    port = closed_port()
    message = refusal(f"postgresql://me:{SECRET}@127.0.0.1:{port}/bars")
    assert message.startswith(f"The database at 127.0.0.1:{port} cannot be reached (nothing lis")
    assert "TRADING_DATABASE_URL" in message


def test_a_host_without_a_name() -> None:
    assert "name is not known" in refusal(f"postgresql://me:{SECRET}@no-such-host.invalid/bars")


def test_a_socket_that_is_not_there(tmp_path: object) -> None:
    host = quote(str(tmp_path), safe="")
    assert "there is no such socket" in refusal(f"postgresql://me:{SECRET}@/bars?host={host}")


def test_a_host_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"postgresql://me:{SECRET}@127.0.0.1:{port}/bars?connect_timeout=2"
        assert "did not answer in time" in refusal(url)


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://me:{SECRET}@host/bars",
        f"host=localhost password={SECRET}",
        f"postgresql://me:{SECRET}@more@host/bars",
        f"postgresql://me:{SECRET}/more@host/bars",
        f"postgresql://me:1/{SECRET}@host/bars",
        f"postgresql://host/bars?no_such={SECRET}",
        f"postgresql://host:{SECRET}/bars",
        "",
    ],
)
def test_what_is_no_url_is_refused_without_being_repeated(url: str) -> None:
    message = refusal(url)
    assert message.startswith("TRADING_DATABASE_URL='***' is not a URL of Postgres")
    assert "postgresql://user:password@host:5432/database" in message


def test_a_place_is_host_and_port_alone() -> None:
    assert place(f"postgresql://me:{SECRET}@db.example:6543/bars?sslmode=require") == (
        "db.example:6543"
    )
    assert place("postgresql:///bars") == "localhost"


def test_the_urls_own_settings_come_before_the_defaults() -> None:
    assert "connect_timeout=10" in connection_string("postgresql://host/bars")
    assert "connect_timeout=3" in connection_string("postgresql://host/bars?connect_timeout=3")


@pytest.fixture
def with_password(postgres: PostgresServer, database_url: str) -> str:
    """A URL on which the server asks for a password, for a role that owns nothing."""
    data = postgres.folder / "data" / "pg_hba.conf"
    with psycopg.connect(database_url, autocommit=True) as connection:
        known = connection.execute("SELECT FROM pg_roles WHERE rolname = 'reader'").fetchone()
        if known is None:
            connection.execute(f"CREATE ROLE reader LOGIN PASSWORD '{SECRET}'".encode())
        if "reader" not in data.read_text():
            data.write_text("local all reader scram-sha-256\n" + data.read_text())
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    url = database_url.replace("postgres@", f"reader:{SECRET}@", 1)
    wait_until(lambda: _lets_in(url), "the server has read its rules again")
    return url


def _lets_in(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_wrong_and_a_missing_password(with_password: str) -> None:
    with open_database(with_password):
        pass
    assert "refuses the user or its password" in refusal(
        with_password.replace(SECRET, SECRET[:7] + "wrong")
    )
    assert "refuses the user or its password" in refusal(with_password.replace(f":{SECRET}", ""))


def test_a_database_that_does_not_exist(postgres: PostgresServer) -> None:
    assert "has no database of that name" in refusal(url_of(postgres, "nowhere"))


def test_an_old_server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "OLDEST_SERVER", 99)
    assert "is Postgres 18, and 99 or later is needed" in refusal(database_url)


def test_a_database_without_tables(empty_url: str) -> None:
    assert "has no tables yet; run `trading lake load`" in refusal(empty_url)


@pytest.mark.parametrize(("version", "says"), [("0000", "older schema 0000"), ("9999", "newer")])
def test_a_schema_of_another_version(database_url: str, version: str, says: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [version])
    assert says in refusal(database_url)


def test_a_broken_connection_is_reported(database: Database, database_url: str) -> None:
    load_bars(database, batch(bars(minutes(2))))
    _end_sessions(database_url)
    for ask in (
        lambda: read_bars(database, "AAPL", Interval.MINUTE, START, END),
        lambda: load_bars(database, batch(bars(minutes(2)), hours=1)),
    ):
        with pytest.raises(UnreachableError, match="broke; check that it still runs"):
            ask()


def _end_sessions(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_transaction_that_fails_is_undone_and_the_next_one_works(database: Database) -> None:
    with pytest.raises(DatabaseError, match="division by zero"):
        _make_and_fail(database)
    with database.tables() as cursor:
        cursor.execute("SELECT to_regclass('made')::text")
        assert cursor.fetchone() == (None,)


def test_a_block_that_fails_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(KeyError):
        _make_and_break_off(database)
    with database.tables() as cursor:
        cursor.execute("SELECT to_regclass('made')::text")
        assert cursor.fetchone() == (None,)


def _make_and_break_off(database: Database) -> None:
    with database.tables() as cursor:
        cursor.execute("CREATE TABLE made (x int)")
        raise KeyError


def _make_and_fail(database: Database) -> None:
    with database.tables() as cursor:
        cursor.execute("CREATE TABLE made (x int)")
        cursor.execute("SELECT 1 / 0")


def test_a_reader_may_not_be_a_writer(with_password: str) -> None:
    with open_database(with_password) as reading:
        assert len(read_bars(reading, "AAPL", Interval.MINUTE, START, END)) == 0
        with pytest.raises(DatabaseError, match="permission denied for table load_run"):
            load_bars(reading, batch(bars(minutes(2))))


@pytest.mark.parametrize(("rebuilds", "setting"), [(False, "on"), (True, "off")])
def test_only_what_can_be_written_again_does_not_wait_for_the_disk(
    database_url: str,
    rebuilds: bool,  # noqa: FBT001 - a parameter
    setting: str,
) -> None:
    asked = "SELECT current_setting('synchronous_commit')"
    with open_database(database_url, rebuilds=rebuilds) as database:
        assert database.rows.execute(asked).fetchone() == (setting,)
        with database.tables() as cursor:
            cursor.execute(asked)
            assert cursor.fetchone() == (setting,)
