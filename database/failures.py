"""What a database's failures are called in a message: one sentence with the next step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from database.address import URL_VARIABLE, place
from database.errors import DatabaseError, UnreachableError

_WRONG_LOGIN = ("password authentication failed", "no password supplied", "Peer authentication")

_PROBLEMS = (
    ("refused", "nothing listens there"),
    ("No such file", "there is no such socket"),
    ("resolve host", "the host's name is not known"),
    ("translate host", "the host's name is not known"),
    ("timeout", "it did not answer in time"),
    ("too many", "it has too many connections already"),
    ("SSL", "the two sides do not agree on SSL"),
    ("starting up", "it is still starting"),
    ("shutting down", "it is ending"),
)
"""What libpq says, and our words for it."""

_BROKEN_STATES = ("08", "57P")
"""How the SQL states of lost connections and of servers that end begin."""

_DISK_FULL = "53100"

_BROKEN_WORDS = (
    "server closed the connection",
    "no connection to the server",
    "connection is lost",
    "connection is closed",
)


def why_unreachable(where: str, said: str, setting: str = URL_VARIABLE) -> str:
    """Our own words for why there is no connection: the library's may repeat parts of the URL."""
    if any(phrase in said for phrase in _WRONG_LOGIN):
        return (
            f"The database at {where} refuses the user or its password; correct them in {setting}."
        )
    if "database" in said and "does not exist" in said:
        return (
            f"The server at {where} has no database of that name; create it with createdb, or "
            f"correct the name in {setting}."
        )
    problems = (words for phrase, words in _PROBLEMS if phrase in said)
    problem = next(problems, "no connection came about")
    return (
        f"The database at {where} cannot be reached ({problem}); start that server or correct "
        f"{setting}."
    )


def newer_schema(where: str, found: str, known: str) -> str:
    """The sentence about a schema that a later version of this program made."""
    return (
        f"The database at {where} has schema {found}, newer than {known}, which is the last that "
        "this version knows; upgrade trading-fanout, or empty the database and fill it again from "
        "the lake."
    )


@contextlib.contextmanager
def database_errors(url: str, kind: type[Exception] = psycopg.Error) -> Iterator[None]:
    """Turn what a library raises into a sentence.

    Args:
        url: The database's.
        kind: The library's base of errors.

    Raises:
        UnreachableError: The connection broke.
        DatabaseError: The database refused a statement.
    """
    try:
        yield
    except kind as error:
        where = place(url)
        if _is_broken(error):
            raise UnreachableError(
                f"The connection to the database at {where} broke; check that it still runs, then "
                "run the same command again: it goes on with what is missing."
            ) from error
        if getattr(error, "sqlstate", None) == _DISK_FULL:
            raise DatabaseError(
                f"The database at {where} takes no more, its disk is full; give it room, then run "
                "the same command again: it goes on with what is missing."
            ) from error
        said = str(error).strip().partition("\n")[0]
        raise DatabaseError(
            f"The database at {where} refused a statement ({said}); check its log, then run the "
            "same command again."
        ) from error


def _is_broken(error: Exception) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    said = str(error)
    return state.startswith(_BROKEN_STATES) or any(words in said for words in _BROKEN_WORDS)
