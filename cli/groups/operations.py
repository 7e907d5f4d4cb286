"""The commands that keep an installation in order: `health`, `backup` and `restore`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.exit_codes import exit_codes
from cli.options import DEFAULT_FOLDER, Json, ServerDir

_PLACE = "A path or fsspec URL. Default: TRADING_BACKUP_DIR, else .trading/backups."


def health(*, server_dir: ServerDir = DEFAULT_FOLDER, json_output: Json = False) -> None:
    """Check every service, place, disk and schedule of this installation.

    Looks at what the settings name, and at the servers of this machine that run now.

    \b
    Examples:
      trading health
      trading health --json | python -m json.tool

    \b
    Exit codes: 0 all is well, 1 something is down, 2 wrong usage,
    3 somebody should look.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.health import run_health  # noqa: PLC0415 - --help stays quick

        raise typer.Exit(run_health(server_dir, as_json=json_output))


def backup(
    *,
    to: Annotated[str | None, typer.Option(help=_PLACE, metavar="URL")] = None,
    keep: Annotated[int, typer.Option(help="Backups that are kept.", min=1)] = 7,
    verify: Annotated[
        bool, typer.Option(help="Restore each dump into an empty server and compare the rows.")
    ] = True,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Back up the database and Prefect's own, each as of one moment.

    Others may go on writing meanwhile. Results and the lake are files: they are copied, or kept
    by the bucket's own versions.

    \b
    Examples:
      trading backup
      trading backup --to s3://bucket/backups --keep 30
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.backup import BackupOptions, run_backup  # noqa: PLC0415 - --help stays quick

        options = BackupOptions(place=to, server_dir=server_dir, json=json_output)
        raise typer.Exit(run_backup(options, keep=keep, verify=verify))


def restore(
    *,
    place: Annotated[str | None, typer.Option("--from", help=_PLACE, metavar="URL")] = None,
    name: Annotated[
        str | None, typer.Option("--set", help="Which backup. Default: the last.", metavar="NAME")
    ] = None,
    trading_only: Annotated[
        bool, typer.Option("--trading-only", help="Leave Prefect's database out.")
    ] = False,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Fill empty databases from a backup, each whole or not at all.

    A database that holds anything is refused.

    \b
    Examples:
      trading restore
      trading restore --from s3://bucket/backups --trading-only
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.backup import BackupOptions, run_restore  # noqa: PLC0415 - --help stays quick

        options = BackupOptions(place=place, server_dir=server_dir, json=json_output)
        raise typer.Exit(run_restore(options, name=name, trading_only=trading_only))
