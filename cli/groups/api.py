"""The commands of the API: `trading api` and `trading keys`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli.exit_codes import exit_codes
from cli.options import DEFAULT_FOLDER, Json, LakeDir, ServerDir

keys = typer.Typer(
    help="Create, list and revoke the keys of the API.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

KeyRole = Annotated[
    Literal["reader", "trader", "admin"],
    typer.Option(
        help="What the key may do: read; also halt and start runs; also resume and see the audit."
    ),
]


def api(
    *,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any other than loopback needs keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", metavar="PORT")] = 8300,
    require_keys: Annotated[
        bool, typer.Option("--require-keys", help="Require a key on loopback, too.")
    ] = False,
    public_name: Annotated[
        str | None,
        typer.Option(
            help="Host names under which it is reached, e.g. api.example.com.", metavar="NAMES"
        ),
    ] = None,
    requests_per_minute: Annotated[
        int, typer.Option(min=1, help="Requests that a key may make in a minute.")
    ] = 1_200,
    clock: Annotated[
        Literal["wall", "events"],
        typer.Option(help="Where the desk takes the time from; events is for replays."),
    ] = "wall",
    lake_dir: LakeDir = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
) -> None:
    """Serve REST, live events and metrics to programs, until Ctrl-C.

    On the loopback interface no key is needed. Elsewhere every request needs one; put TLS in front.

    \b
    Examples:
      trading api
      trading api --port 0 --require-keys
      trading api --host 0.0.0.0 --public-name api.example.com

    \b
    Exit codes: 0 stopped, 1 failed, 2 wrong usage, 130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        from cli.commands.api import ApiOptions, run_api  # noqa: PLC0415 - --help stays quick

        run_api(
            ApiOptions(
                host=host,
                port=port,
                require_keys=require_keys,
                hosts=tuple(
                    name.strip() for name in (public_name or "").split(",") if name.strip()
                ),
                requests_per_minute=requests_per_minute,
                clock=clock,
                lake_dir=lake_dir,
                server_dir=server_dir,
            )
        )


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, e.g. research-notebooks.")],
    *,
    role: KeyRole = "reader",
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Create a key and print it, this once: only its hash is stored.

    \b
    Examples:
      trading keys create research
      trading keys create desk --role trader --json
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.keys import run_create  # noqa: PLC0415 - --help stays quick

        run_create(name, role, server_dir, as_object=json_output)


@keys.command("list")
def list_keys(*, server_dir: ServerDir = DEFAULT_FOLDER, json_output: Json = False) -> None:
    """List the keys with role, last use and when they were revoked; never the keys themselves.

    \b
    Examples:
      trading keys list
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.keys import run_list  # noqa: PLC0415 - --help stays quick

        run_list(server_dir, as_object=json_output)


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(help="A key's name or id; see trading keys list.")],
    *,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Revoke a key: its next request is refused, and its open streams end.

    \b
    Examples:
      trading keys revoke research
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.keys import run_revoke  # noqa: PLC0415 - --help stays quick

        run_revoke(key, server_dir, as_object=json_output)
