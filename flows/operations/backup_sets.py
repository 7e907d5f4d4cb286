"""Backups of both databases in a folder or bucket: written, listed, thinned out, fetched.

A set is a folder named by its moment. Its manifest is written last, so a set without one is what
an interrupted backup left, and counts for nothing.
"""

from __future__ import annotations

import hashlib
import mmap
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from flows.runs.commands import shell_command
from storage.directory import Directory
from trading.errors import DataError, ParameterError

MANIFEST = "manifest.json"
TRADING, PREFECT = "trading", "prefect"

_STAMP = "%Y%m%dT%H%M%S%fZ"


class Dump(BaseModel):
    """One file of a set.

    Attributes:
        database: Which of the two it is of.
        kind: `postgres`, or `sqlite` for a Prefect server that keeps a file.
        file: Its name in the set.
        size: Bytes.
        sha256: Of its content.
        rows: Of each table, for Postgres.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    database: Literal["trading", "prefect"]
    kind: Literal["postgres", "sqlite"]
    file: str
    size: int
    sha256: str
    rows: dict[str, int] = {}


class Manifest(BaseModel):
    """What a set holds.

    Attributes:
        made_at: When it was begun.
        verified_at: When a restore of it was compared; None when it was not.
        dumps: Its files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    made_at: datetime
    verified_at: datetime | None
    dumps: tuple[Dump, ...]


@dataclass(frozen=True, slots=True)
class BackupSet:
    """A complete set.

    Attributes:
        name: Its folder.
        manifest: What it holds.
    """

    name: str
    manifest: Manifest


def described(database: str, kind: str, file: Path, rows: Mapping[str, int]) -> Dump:
    """What the manifest says of a file."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Dump.model_validate(
        {
            "database": database, "kind": kind, "file": file.name, "size": file.stat().st_size,
            "sha256": digest, "rows": dict(rows),
        }
    )  # fmt: skip


def set_name(moment: datetime) -> str:
    """The folder of a set that was begun at this moment; later ones come after earlier ones."""
    return moment.astimezone(UTC).strftime(_STAMP)


def store(place: Directory, folder: Path, manifest: Manifest) -> BackupSet:
    """Put the files of a set where they are kept, and then its manifest.

    Raises:
        StorageError: Not all could be written; what is there counts for nothing.
    """
    name = set_name(manifest.made_at)
    for item in manifest.dumps:
        with (folder / item.file).open("rb") as file:
            if item.size:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    view = memoryview(content)
                    try:
                        place.write_bytes(f"{name}/{item.file}", view)
                    finally:
                        view.release()
    place.write_bytes(f"{name}/{MANIFEST}", manifest.model_dump_json(indent=2).encode())
    return BackupSet(name, manifest)


def complete_sets(place: Directory) -> list[BackupSet]:
    """The sets that have a manifest, oldest first.

    Raises:
        StorageError: The place cannot be listed.
        DataError: A manifest is none.
    """
    return [
        BackupSet(folder, _manifest(place, folder))
        for folder in place.list_folders()
        if MANIFEST in place.list_files(folder)
    ]


def _manifest(place: Directory, folder: str) -> Manifest:
    name = f"{folder}/{MANIFEST}"
    try:
        return Manifest.model_validate_json(place.read_bytes(name))
    except ValidationError as error:
        problem = f"it is no manifest of a backup ({error.errors()[0]['msg']})"
        raise DataError(place.url_of(name), problem, "move its folder away") from None


def thin_out(place: Directory, keep: int) -> list[str]:
    """Remove all complete sets but the last `keep`, and what interrupted ones before them left.

    Returns:
        The folders that are gone.
    """
    complete = [one.name for one in complete_sets(place)]
    kept = complete[-keep:]
    gone = [
        folder
        for folder in place.list_folders()
        if _is_stamp(folder) and kept and folder not in kept and folder < kept[-1]
    ]
    for folder in gone:
        # The manifest first: half a set that says it is whole would be worse than none.
        for file in sorted(place.list_files(folder), key=lambda file: file != MANIFEST):
            place.remove(f"{folder}/{file}")
    return gone


def _is_stamp(folder: str) -> bool:
    try:
        datetime.strptime(folder, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def chosen(sets: Sequence[BackupSet], name: str | None, where: str) -> BackupSet:
    """The set of this name, or the last.

    Raises:
        ParameterError: There is none.
    """
    names = [one.name for one in sets]
    if not names:
        command = shell_command("trading", "backup", "--to", where)
        raise ParameterError("from", where, "a place with a backup", f"make one: {command}")
    if name is not None and name not in names:
        raise ParameterError("set", name, f"one of {', '.join(names[-5:])}", "correct the name")
    return sets[-1] if name is None else sets[names.index(name)]


def fetch(place: Directory, one: BackupSet, item: Dump, folder: Path) -> Path:
    """A file of a set on this machine, its checksum compared.

    Raises:
        DataError: It is not what was written.
    """
    content = place.read_bytes(f"{one.name}/{item.file}")
    if hashlib.sha256(content).hexdigest() != item.sha256:
        problem = "it is not what was written, its checksum is another"
        where = place.url_of(f"{one.name}/{item.file}")
        raise DataError(where, problem, "restore an earlier set")
    file = folder / item.file
    file.write_bytes(content)
    return file


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy an SQLite database that others write to, as of one moment.

    Raises:
        DataError: It cannot be read, or the copy is not sound.
    """
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            sound = new.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        problem = f"it cannot be copied ({error})"
        raise DataError(str(source), problem, "check that it is Prefect's database") from None
    if sound != ("ok",):
        raise DataError(str(source), "it is damaged", "restore it from an earlier backup")
