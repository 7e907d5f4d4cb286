"""The commands about news and companies: `news fetch`, `news list`, `company fetch` and `show`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli.exit_codes import exit_codes
from cli.extras import needs_extra
from cli.options import DEFAULT_FOLDER, Json, LakeDir, ServerDir

Symbols = Annotated[
    list[str] | None,
    typer.Argument(help="Symbols, e.g. AAPL MSFT. Default: those of TRADING_UNIVERSE."),
]


def fetch_news(
    symbols: Symbols = None,
    *,
    source: Annotated[
        Literal["synthetic", "newsapi", "alpaca"] | None,
        typer.Option(help="The source. Default: TRADING_NEWS_SOURCE, else synthetic."),
    ] = None,
    hours: Annotated[
        float, typer.Option(help="How far to look back in hours.", min=0.01, max=720)
    ] = 24.0,
    lake_dir: LakeDir = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Fetch company news and store what is new with its sentiment, in the lake, too.

    \b
    Examples:
      trading news fetch AAPL MSFT
      trading news fetch AAPL --source alpaca --hours 72
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        with needs_extra("live"):
            from cli.commands.news import run_fetch  # noqa: PLC0415 - --help stays quick

        run_fetch(symbols, source, hours, server_dir, lake_dir=lake_dir, as_object=json_output)


def list_news(
    symbol: Annotated[str | None, typer.Argument(help="A symbol. Default: all.")] = None,
    *,
    count: Annotated[int, typer.Option(help="How many at most.", min=1, max=10_000)] = 20,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """List the latest news with their sentiment, and the symbol's score now.

    \b
    Examples:
      trading news list AAPL
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        with needs_extra("live"):
            from cli.commands.news import run_list  # noqa: PLC0415 - --help stays quick

        run_list(symbol, count, server_dir, as_object=json_output)


def fetch_company(
    symbols: Symbols = None,
    *,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Fetch company data from Yahoo, and store what has changed.

    \b
    Examples:
      trading company fetch AAPL MSFT

    \b
    Exit codes: 0 all were read, 1 one was not, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        with needs_extra("lake"):
            from cli.commands.company import run_fetch  # noqa: PLC0415 - --help stays quick

        raise typer.Exit(run_fetch(symbols, server_dir, as_object=json_output))


def show_company(
    symbol: Annotated[str, typer.Argument(help="The company's symbol.")],
    *,
    as_of: Annotated[
        str | None,
        typer.Option(help="What was known then, a timestamp with an offset. Default: now."),
    ] = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Show the facts about a company, and since when they are known.

    \b
    Examples:
      trading company show AAPL
      trading company show AAPL --as-of 2024-06-30T16:00:00-04:00 --json
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        with needs_extra("lake"):
            from cli.commands.company import run_show  # noqa: PLC0415 - --help stays quick

        run_show(symbol, as_of, server_dir, as_object=json_output)
