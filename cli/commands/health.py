"""`trading health`: how every service of the installation does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from cli.crashing_servers import crashing_servers
from cli.display.tables import table_console
from cli.settings import installation
from flows.operations.health_checks import Place, check_all, named_place
from servers.postgres.local import PostgresServer
from servers.prefect import running_api_url
from servers.shared.server import running_socket_folder
from servers.valkey import ValkeyServer
from trading.operations.health import Check, Condition, Health

_SERVERS = ("postgres", "valkey")

_STYLES = {
    Condition.OK: "green",
    Condition.OFF: "dim",
    Condition.WARN: "yellow",
    Condition.DOWN: "bold red",
}


def run_health(server_dir: Path, *, as_json: bool) -> int:
    """Print how everything does; returns 0 when well, 3 when somebody should look, 1 when down."""
    settings = installation()
    found = check_all(settings, _with_local(named_place(settings), server_dir))
    health = Health(found.at, (*found.checks, *_crashing(server_dir)))
    if as_json:
        typer.echo(json.dumps(health.as_dict()))
    else:
        _print(health)
    return health.exit_code


def _with_local(named: Place, server_dir: Path) -> Place:
    """What is named, and where nothing is, the server of this machine that runs now."""
    postgres = running_socket_folder(server_dir / "postgres")
    valkey = running_socket_folder(server_dir / "valkey")
    return Place(
        api_url=named.api_url or running_api_url(server_dir),
        database_url=named.database_url
        or (PostgresServer(server_dir / "postgres", postgres).url if postgres else None),
        bus_url=named.bus_url
        or (ValkeyServer(server_dir / "valkey", valkey).url if valkey else None),
    )


def _crashing(server_dir: Path) -> Iterator[Check]:
    """Servers of this machine that die each time they are started."""
    for crashes, sentence in crashing_servers(server_dir / name for name in _SERVERS):
        yield Check(f"{crashes.service} (restarts)", Condition.DOWN, sentence)


def _print(health: Health) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("what", "condition", "found"):
        table.add_column(column, overflow="fold")
    for check in health.checks:
        style = _STYLES[check.condition]
        table.add_row(check.name, f"[{style}]{check.condition}[/]", escape(check.message))
    console = table_console()
    console.print(table)
    console.print(f"\nAll in all: [{_STYLES[health.condition]}]{health.condition}[/]")
