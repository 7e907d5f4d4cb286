"""Keys of the API: who may ask it what. A key's secret is stored as a hash alone.

A key reads `tk_<id>_<secret>`. The secret has 256 random bits, so one round of SHA-256 is enough:
nobody can go through that many.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast, get_args

from psycopg import errors
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from database.connection import Database
from trading.errors import ParameterError

Role = Literal["reader", "trader", "admin"]
"""What a key allows: to read, also to change what trades, also to manage what others use."""

ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most; each may all that those before it may."""

PREFIX = "tk"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
"""What a key may be called: a word, so that a printed command can be pasted."""

_INSERT = """
INSERT INTO api_key (id, name, role, secret_hash, created_by) VALUES (%s, %s, %s, %s, %s)
"""
_COLUMNS = "id, name, role, secret_hash, created_at, created_by, last_used_at, revoked_at"
_ALL = f"SELECT {_COLUMNS} FROM api_key ORDER BY created_at, id"  # noqa: S608 - our own names
_ONE = f"SELECT {_COLUMNS} FROM api_key WHERE id = %s"  # noqa: S608 - our own names
_REVOKE = """
UPDATE api_key SET revoked_at = clock_timestamp()
WHERE (id = %(key)s OR name = %(key)s) AND revoked_at IS NULL RETURNING id
"""
_USED = """
UPDATE api_key SET last_used_at = clock_timestamp()
WHERE id = %s AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute')
"""
_AUDIT = "INSERT INTO audit (who, action, subject, why, detail) VALUES (%s, %s, %s, %s, %s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is stored.

    Attributes:
        id: Its public part.
        name: Whose it is.
        role: What it allows.
        secret_hash: SHA-256 of its secret.
        created_at: When it was made.
        created_by: By whom.
        last_used_at: When it was last used, to the minute; None for never.
        revoked_at: Since when it no longer counts; None while it does.
    """

    id: str
    name: str
    role: Role
    secret_hash: bytes
    created_at: datetime
    created_by: str
    last_used_at: datetime | None
    revoked_at: datetime | None


def create_key(database: Database, name: str, role: str, created_by: str) -> str:
    """Make a key and return it: it is shown this once and cannot be found out again.

    Args:
        database: The database.
        name: Whose it is, one word; unique among the keys in force.
        role: `reader`, `trader` or `admin`.
        created_by: Who makes it.

    Raises:
        ParameterError: The role or the name is none, or the name is taken.
        DatabaseError: The database did not take it.
    """
    if role not in ROLES:
        raise ParameterError("role", role, f"one of {', '.join(ROLES)}", "pass one of them")
    if not _NAME.fullmatch(name):
        allowed = "1 to 64 of A-Z a-z 0-9 . _ @ -, beginning with a letter or digit"
        raise ParameterError("name", name, allowed, "call it e.g. research-notebooks")
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    try:
        with database.transaction() as connection:
            connection.execute(_INSERT, (key_id, name, role, hashed(secret), created_by))
            detail = Jsonb({"name": name, "role": role})
            connection.execute(_AUDIT, (created_by, "create key", key_id, "asked for", detail))
    except Exception as error:
        if isinstance(error.__cause__, errors.UniqueViolation):
            raise ParameterError(
                "name", name, "free", f"revoke it first: trading keys revoke {name}"
            ) from None
        raise
    return f"{PREFIX}_{key_id}_{secret}"


def list_keys(database: Database) -> list[ApiKey]:
    """All keys, revoked ones too, oldest first."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(ApiKey)) as cursor,
    ):
        return cursor.execute(_ALL).fetchall()


def key_by_id(database: Database, key_id: str) -> ApiKey | None:
    """A key by its public part, None when there is no such key."""
    with (
        database.single_statements() as connection,
        connection.cursor(row_factory=class_row(ApiKey)) as cursor,
    ):
        return cursor.execute(_ONE, [key_id]).fetchone()


def revoke_key(database: Database, key: str, revoked_by: str) -> str:
    """End a key's validity, and return its id.

    Args:
        database: The database.
        key: Its name or id.
        revoked_by: Who ends it.

    Raises:
        ParameterError: No key in force has that name or id.
        DatabaseError: The database did not do it.
    """
    with database.transaction() as connection:
        row = connection.execute(_REVOKE, {"key": key}).fetchone()
        if row is None:
            raise ParameterError(
                "key", key, "the name or id of a key in force", "see trading keys list"
            )
        connection.execute(_AUDIT, (revoked_by, "revoke key", row[0], "asked for", Jsonb({})))
    return cast("str", row[0])


def is_use_due(key: ApiKey, now: datetime) -> bool:
    """Whether a use of a key is to be noted; also when the database's clock is ahead of ours.

    Args:
        key: As it was read.
        now: The time.
    """
    noted = key.last_used_at
    return noted is None or not timedelta(0) <= now - noted < timedelta(minutes=1)


def note_use(database: Database, key_id: str) -> None:
    """Note that a key is used, at most once a minute."""
    with database.single_statements() as connection:
        connection.execute(_USED, [key_id])


def keys_in_force(database: Database) -> int:
    """How many keys there are that count."""
    with database.transaction() as connection:
        row = connection.execute("SELECT count(*) FROM api_key WHERE revoked_at IS NULL").fetchone()
    return int(row[0]) if row else 0


def hashed(secret: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).digest()
