"""Requests that were answered: one that comes again is given the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

KEPT_DAYS = 7
"""How long an answer is kept."""

# Waits for another transaction that holds the same key.
_CLAIM = """
INSERT INTO answered_request (who, idempotency_key, route, body_digest)
VALUES (%(who)s, %(key)s, %(route)s, %(digest)s) ON CONFLICT DO NOTHING
"""
_KNOWN = """
SELECT route, body_digest, status, answer FROM answered_request
WHERE who = %(who)s AND idempotency_key = %(key)s
"""
_ANSWER = """
UPDATE answered_request SET status = %(status)s, answer = %(answer)s
WHERE who = %(who)s AND idempotency_key = %(key)s
"""
_OLD = "DELETE FROM answered_request WHERE at < clock_timestamp() - make_interval(days => %s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that is to be answered once.

    Attributes:
        who: The caller.
        key: The caller's name of it.
        route: The route.
        digest: Hash of what it asks for.
    """

    who: str
    key: str
    route: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered.

    Attributes:
        same: Whether it was the same request.
        status: The HTTP status.
        answer: The data.
    """

    same: bool
    status: int
    answer: Any


def claim(connection: psycopg.Connection[TupleRow], asked: Asked) -> Answered | None:
    """Take a request on, or tell what was answered to it.

    Args:
        connection: In the transaction that does what is asked for.
        asked: The request.

    Returns:
        None when it is new: the transaction then has to note its answer.
    """
    values = {
        "who": asked.who, "key": asked.key, "route": asked.route, "digest": asked.digest,
    }  # fmt: skip
    connection.execute(_OLD, [KEPT_DAYS])
    if connection.execute(_CLAIM, values).rowcount:
        return None
    row = connection.execute(_KNOWN, values).fetchone()
    assert row is not None  # noqa: S101 - it is in the way, so it is there
    route, digest, status, answer = row
    return Answered((route, digest) == (asked.route, asked.digest), status, answer)


def note_answer(
    connection: psycopg.Connection[TupleRow], asked: Asked, status: int, answer: object
) -> None:
    """Note what a request was answered, in the transaction that did what it asked for."""
    connection.execute(
        _ANSWER,
        {"who": asked.who, "key": asked.key, "status": status, "answer": Jsonb(answer)},
    )
