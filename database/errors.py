"""What can go wrong with a database; each message is one sentence without a password in it.

DatabaseError
├── UnreachableError   no connection, or a connection that broke; trying again may help
├── VerificationError  nobody could say whether what is to be dropped is kept elsewhere
└── SchemaError        a server or a schema of another version than this program needs
"""

from __future__ import annotations


class DatabaseError(Exception):
    """Base of every error of this package: the database cannot do what it was asked for."""


class UnreachableError(DatabaseError):
    """There is no connection to the database."""


class VerificationError(DatabaseError):
    """It could not be found out whether what is to be dropped is kept elsewhere."""


class SchemaError(DatabaseError):
    """The server or its schema is of a version that this program cannot use."""
