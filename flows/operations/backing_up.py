"""Making a backup and filling databases from one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from database.address import URL_VARIABLE
from database.dumps import check_empty, dump, restore, verify
from flows.operations import backup_sets
from flows.operations.backup_sets import PREFECT, TRADING, BackupSet, Dump, Manifest
from storage.checks import check_writable
from storage.directory import Directory
from trading.errors import ParameterError

PREFECT_DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
"""The setting of Prefect's that names its own database."""

_SETTINGS = {TRADING: URL_VARIABLE, PREFECT: PREFECT_DATABASE}

_SQLITE = "sqlite+aiosqlite:///"
_POSTGRES = "postgresql+asyncpg://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """The two databases of an installation.

    Attributes:
        trading: The URL of the one of this project; None leaves it out.
        prefect: The URL of Prefect's, as its server names it; None leaves it out.
    """

    trading: str | None
    prefect: str | None


def back_up(
    databases: Databases, place: Directory, moment: datetime, *, verify_on: str | None = None
) -> BackupSet:
    """Dump both databases into a new set; each is of one moment, while others write on.

    Args:
        databases: What to dump.
        place: Where sets are kept.
        moment: When this one is begun, which names it.
        verify_on: A Postgres server on which each dump is restored into a new database, compared
            and dropped again; None does not verify.

    Raises:
        ParameterError: There is nothing to dump.
        DatabaseError, DataError, StorageError: A dump was not made or does not restore; the place
            has no new set.
    """
    if databases.trading is None and databases.prefect is None:
        raise ParameterError(
            URL_VARIABLE, None, "the URL of a database",
            "set it, or give trading backup the --server-dir of a database on this machine",
        )  # fmt: skip
    check_writable(place, "backup_dir")
    with tempfile.TemporaryDirectory(prefix="trading-backup-") as name:
        folder = Path(name)
        dumps = [
            _dumped(which, url, folder)
            for which, url in ((TRADING, databases.trading), (PREFECT, databases.prefect))
            if url is not None
        ]
        for item in dumps:
            if verify_on is not None and item.kind == "postgres":
                verify(folder / item.file, item.rows, verify_on)
        verified = None if verify_on is None else moment
        manifest = Manifest(made_at=moment, verified_at=verified, dumps=tuple(dumps))
        return backup_sets.store(place, folder, manifest)


def _dumped(which: str, url: str, folder: Path) -> Dump:
    if url.startswith(_SQLITE):
        file = folder / f"{which}.sqlite"
        backup_sets.copy_sqlite(Path(url.removeprefix(_SQLITE)), file)
        return backup_sets.described(which, "sqlite", file, {})
    file = folder / f"{which}.dump"
    rows = dump(plain(url), file, _SETTINGS[which])
    return backup_sets.described(which, "postgres", file, rows)


def plain(url: str) -> str:
    """The URL of a Postgres database without the name of a Python driver."""
    return url.replace(_POSTGRES, "postgresql://", 1)


def fill(databases: Databases, place: Directory, one: BackupSet) -> list[Dump]:
    """Restore a set into empty databases.

    Args:
        databases: Where to; a database that is None is left out.
        place: Where sets are kept.
        one: The set.

    Returns:
        What was restored.

    Raises:
        ParameterError: The set does not have what is asked for, or a file is in the way.
        DatabaseError, DataError, StorageError: One is not empty, and nothing was changed; or one
            could not be restored, and is as it was.
    """
    targets = {TRADING: databases.trading, PREFECT: databases.prefect}
    named = [(item, targets[item.database]) for item in one.manifest.dumps]
    wanted = [(item, target) for item, target in named if target is not None]
    for item, target in wanted:
        # Of both before one is filled: the same command could not fill the other afterwards.
        _check_target(item, target)
    done = []
    with tempfile.TemporaryDirectory(prefix="trading-restore-") as name:
        for item, target in wanted:
            file = backup_sets.fetch(place, one, item, Path(name))
            if item.kind == "sqlite":
                _put(file, Path(target.removeprefix(_SQLITE)))
            else:
                restore(plain(target), file, _SETTINGS[item.database])
            done.append(item)
    return done


def _check_target(item: Dump, target: str) -> None:
    if (item.kind == "sqlite") != target.startswith(_SQLITE):
        raise ParameterError(
            "set", item.file, f"a dump of the kind of the database that {item.database} has now",
            "start Prefect with the kind of database that it had when the backup was made",
        )  # fmt: skip
    if item.kind != "sqlite":
        check_empty(plain(target), _SETTINGS[item.database])
        return
    file = Path(target.removeprefix(_SQLITE))
    if file.exists() and file.stat().st_size:
        raise ParameterError(
            "server-dir", str(file), "a place without a Prefect database",
            "move that file away first, or restore into another folder",
        )  # fmt: skip


def _put(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    backup_sets.copy_sqlite(file, target)
