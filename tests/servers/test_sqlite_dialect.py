"""The dialect, under SQLAlchemy's own engine, on real files."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from servers import sqlite_dialect


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """As Prefect sets one up: a write-ahead log, and a patience that SQLite itself would have."""
    engine = create_async_engine(f"sqlite+inloop:///{tmp_path}/data.db")

    @sa.event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: sqlite3.Connection, record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA busy_timeout = 60000")
        cursor.close()

    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE kept (id INTEGER PRIMARY KEY, word TEXT)")
    yield engine
    await engine.dispose()


async def _begin(connection: AsyncConnection, mode: str) -> None:
    await connection.exec_driver_sql(f"BEGIN {mode}")


async def _insert(connection: AsyncConnection, word: str) -> None:
    await connection.execute(sa.text("INSERT INTO kept (word) VALUES (:word)"), {"word": word})


async def _words(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        found = await connection.execute(sa.text("SELECT word FROM kept ORDER BY id"))
        return [row.word for row in found]


async def test_no_thread_is_started(engine: AsyncEngine) -> None:
    before = threading.active_count()
    async with engine.begin() as connection:
        await _insert(connection, "a")
        assert threading.active_count() == before
    assert await _words(engine) == ["a"]


async def test_rows_are_read_whole_in_parts_and_one_by_one(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session:
        await session.execute(
            sa.text("INSERT INTO kept (word) VALUES (:word)"), [{"word": w} for w in "abcde"]
        )
        query = sa.text("SELECT word FROM kept ORDER BY id")
        assert (await session.scalars(query)).all() == list("abcde")
        assert (await session.scalars(query)).first() == "a"
        found = await session.execute(query)
        assert [row.word for row in found.fetchmany(2)] == ["a", "b"]
        row = found.fetchone()
        assert row is not None
        assert row.word == "c"
        assert [row.word for row in found] == ["d", "e"]
        returned = await session.scalars(sa.text("DELETE FROM kept WHERE id < 3 RETURNING word"))
        assert returned.all() == ["a", "b"]
        assert (await session.execute(sa.text("DELETE FROM kept"))).rowcount == 3  # type: ignore[attr-defined]


async def test_what_is_not_committed_is_not_there(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await _begin(connection, "IMMEDIATE")
        await _insert(connection, "a")
        await connection.rollback()
    assert await _words(engine) == []


@pytest.mark.parametrize("mode", ["IMMEDIATE", "DEFERRED"])
async def test_a_writer_waits_for_anothers_lock_while_the_loop_goes_on(
    engine: AsyncEngine, mode: str
) -> None:
    """Fails when SQLite waits: nobody could then release the lock."""
    async with engine.connect() as holder, engine.connect() as waiter:
        await _begin(holder, "IMMEDIATE")
        await _insert(holder, "first")

        async def write() -> None:
            await _begin(waiter, mode)
            await _insert(waiter, "second")
            await waiter.commit()

        writing = asyncio.create_task(write())
        done, _ = await asyncio.wait([writing], timeout=0.1)
        assert not done
        await holder.commit()
        await writing
    assert await _words(engine) == ["first", "second"]


async def test_a_waiting_writer_can_be_cancelled(engine: AsyncEngine) -> None:
    async with engine.connect() as holder:
        await _begin(holder, "IMMEDIATE")

        async def write() -> None:
            async with engine.connect() as waiter:
                await _begin(waiter, "IMMEDIATE")

        writing = asyncio.create_task(write())
        await asyncio.wait([writing], timeout=0.05)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await _insert(holder, "a")
        await holder.commit()
    assert await _words(engine) == ["a"]


async def test_a_lock_that_stays_is_reported(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_dialect, "LOCK_SECONDS", 0.05)
    with contextlib.closing(sqlite3.connect(tmp_path / "data.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with engine.connect() as connection:
            with pytest.raises(OperationalError, match="database is locked"):
                await _begin(connection, "IMMEDIATE")
        other.execute("COMMIT")
        async with engine.connect() as connection:
            await _begin(connection, "IMMEDIATE")


async def test_a_writer_whose_reads_are_outdated_is_told_at_once(engine: AsyncEngine) -> None:
    """Waiting could not help it: SQLite never lets that transaction write."""
    async with engine.connect() as late, engine.connect() as early:
        await _begin(late, "DEFERRED")
        await late.execute(sa.text("SELECT count(*) FROM kept"))
        await _begin(early, "IMMEDIATE")
        await _insert(early, "a")
        await early.commit()
        async with asyncio.timeout(30):
            with pytest.raises(OperationalError, match="database is locked"):
                await _insert(late, "b")


async def test_transactions_of_one_process_follow_one_another(engine: AsyncEngine) -> None:
    """Fails when one is interrupted between its read and its write: most of them are refused."""

    async def read_and_write(word: str) -> None:
        async with engine.connect() as connection:
            await _begin(connection, "DEFERRED")
            await connection.execute(sa.text("SELECT count(*) FROM kept"))
            await _insert(connection, word)
            await connection.commit()

    words = [f"{i:02}" for i in range(20)]
    await asyncio.gather(*map(read_and_write, words))
    assert sorted(await _words(engine)) == words


async def test_readers_take_turns(engine: AsyncEngine) -> None:
    """Fails when a reader keeps the loop for all of its statements."""
    order: list[str] = []

    async def read(name: str) -> None:
        async with engine.connect() as connection:
            for _ in range(3):
                await connection.execute(sa.text("SELECT 1"))
                order.append(name)

    await asyncio.gather(read("a"), read("b"))
    assert order != sorted(order)
