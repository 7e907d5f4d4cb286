"""`trading backup` and `trading restore`: both databases out into files, and back."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.database import local_or_named
from cli.options import DEFAULT_FOLDER
from cli.settings import absolute, installation
from database.dumps import tables_of
from database.schema import upgrade_schema
from flows.operations import backup_sets
from flows.operations.backing_up import PREFECT_DATABASE, Databases, back_up, fill
from flows.runs.commands import shell_command
from servers.errors import CommandError
from servers.postgres.local import local_postgres
from servers.postgres.prefect_database import prefect_database_url
from storage.directory import Directory, open_directory

if TYPE_CHECKING:
    from flows.boundary.settings import Settings

PREFECT_FILE = Path("prefect") / "prefect.db"
"""Where a local server that runs without Postgres keeps its data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOptions:
    """The options of both commands.

    Attributes:
        place: Where backups are kept; None takes the setting.
        server_dir: Where servers of this machine keep their data.
        json: Whether to print one JSON object.
    """

    place: str | None
    server_dir: Path
    json: bool


def run_backup(options: BackupOptions, *, keep: int, verify: bool) -> int:
    """Back up both databases; returns the exit code.

    Raises:
        CommandError, DatabaseError, TradingError, FileError: There is no new backup.
    """
    settings = installation()
    place = _place(options, settings, "to")
    with contextlib.ExitStack() as running:
        databases = running.enter_context(_databases(settings, options.server_dir))
        # An empty server of its own: what a restore on another machine would meet.
        check = running.enter_context(_empty_server()) if verify else None
        made = back_up(databases, place, datetime.now(UTC), verify_on=check)
    gone = backup_sets.thin_out(place, keep)
    if options.json:
        dumps = [item.model_dump() for item in made.manifest.dumps]
        typer.echo(json.dumps({"set": made.name, "place": place.url, "verified": verify,
                               "dumps": dumps, "removed": gone}))  # fmt: skip
        return 0
    for item in made.manifest.dumps:
        rows = f", {sum(item.rows.values()):,} rows" if item.rows else ""
        typer.echo(f"{item.database}: {item.size / 1e6:,.1f} MB ({item.kind}{rows})")
    proof = "restored into an empty server and compared" if verify else "not verified"
    typer.echo(f"{place.url}/{made.name}: {proof}")
    if gone:
        typer.echo(f"Removed {len(gone)} older.")
    typer.echo(f"To restore it into empty databases: {_restore_command(options, made.name)}")
    return 0


def _restore_command(options: BackupOptions, name: str) -> str:
    words = ["--set", name] + ([] if options.place is None else ["--from", options.place])
    if options.server_dir != DEFAULT_FOLDER:
        words += ["--server-dir", str(options.server_dir)]
    return shell_command("trading", "restore", *words)


def run_restore(options: BackupOptions, *, name: str | None, trading_only: bool) -> int:
    """Fill empty databases from a backup; returns the exit code.

    Raises:
        CommandError, DatabaseError, TradingError, FileError: It could not be restored.
    """
    settings = installation()
    place = _place(options, settings, "from")
    one = backup_sets.chosen(backup_sets.complete_sets(place), name, place.url)
    with _databases(settings, options.server_dir, one) as found:
        databases = Databases(trading=found.trading, prefect=None) if trading_only else found
        done = fill(databases, place, one)
        if databases.trading is not None:
            # A backup of an earlier version comes up to this one's schema.
            upgrade_schema(databases.trading)
    if options.json:
        restored = [item.database for item in done]
        typer.echo(json.dumps({"set": one.name, "place": place.url, "restored": restored}))
        return 0
    for item in done:
        rows = f": {sum(item.rows.values()):,} rows" if item.rows else ""
        typer.echo(f"{item.database} restored from {one.name}{rows}")
    return 0


def _place(options: BackupOptions, settings: Settings, option: str) -> Directory:
    if options.place is None:
        return open_directory(settings.backup_dir, "TRADING_BACKUP_DIR")
    return open_directory(absolute(options.place, option), option)


@contextlib.contextmanager
def _databases(
    settings: Settings, server_dir: Path, wanted: backup_sets.BackupSet | None = None
) -> Iterator[Databases]:
    """The databases that are in use here: those that are named, else those of this machine.

    Args:
        settings: The settings in force.
        server_dir: Where servers of this machine keep their data.
        wanted: What shall be restored, which decides where Prefect's goes when nothing says.
    """
    with contextlib.ExitStack() as opened:
        # What was never used on this machine has nothing to keep, and is not made for that.
        used = wanted or settings.database_url or (server_dir / "postgres" / "data").exists()
        trading = opened.enter_context(local_or_named(settings, server_dir)) if used else None
        if trading and not wanted and settings.database_url is None and not tables_of(trading):
            trading = None
        prefect = os.environ.get(PREFECT_DATABASE)
        if prefect is None:
            prefect = opened.enter_context(_local_prefect(server_dir, wanted))
        yield Databases(trading=trading, prefect=prefect)


@contextlib.contextmanager
def _local_prefect(server_dir: Path, wanted: backup_sets.BackupSet | None) -> Iterator[str | None]:
    """Where Prefect's database on this machine is, for the time of the block."""
    kinds = (
        {item.kind for item in wanted.manifest.dumps if item.database == "prefect"}
        if wanted
        else set()
    )
    file = (server_dir / PREFECT_FILE).absolute()
    if "sqlite" in kinds or (wanted is None and file.is_file()):
        yield f"sqlite+aiosqlite:///{file}"
    elif "postgres" in kinds:
        # It may be another server than the one that has the platform's tables.
        with local_postgres(server_dir / "postgres") as server:
            yield prefect_database_url(server)
    else:
        yield None


@contextlib.contextmanager
def _empty_server() -> Iterator[str]:
    with contextlib.ExitStack() as opened:
        try:
            folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="trading-verify-"))
            server = opened.enter_context(
                local_postgres(Path(folder) / "postgres", {"fsync": "off"})
            )
        except (CommandError, OSError) as error:
            why = str(error).partition(";")[0].rstrip(".")  # without its advice, for other uses
            raise CommandError(
                f"No server could be started in {tempfile.gettempdir()} to verify the backup on "
                f"({why}); make room there, name another folder in TMPDIR, or pass --no-verify."
            ) from None
        yield server.url
