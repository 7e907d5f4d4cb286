"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from servers.prefect import default_folder

Port = Annotated[
    int,
    typer.Option(
        help="Port of the local Prefect server; 0 takes a free one. Not used with PREFECT_API_URL.",
        metavar="PORT",
    ),
]
DEFAULT_FOLDER = default_folder()
ServerDir = Annotated[
    Path,
    typer.Option(
        help="Folder that keeps the local server's database and logs between runs.",
        envvar="TRADING_SERVER_DIR",
        metavar="PATH",
        show_default=".trading in the project",
    ),
]
GrainName = Literal["bar", "session", "month", "year", "all"]
JobPer = Annotated[
    Literal["run", "symbol", "partition"] | None,
    typer.Option(help="What runs in a process of its own. Default: TRADING_JOB_PER, else run."),
]
Contracts = Annotated[
    str | None,
    typer.Option(
        help="Contracts by name, e.g. AAPL,MSFT. Default: those that have results.", metavar="NAMES"
    ),
]
InputDir = Annotated[
    str | None,
    typer.Option(
        help="Market data, a path or fsspec URL. Default: TRADING_INPUT_DIR.", metavar="URL"
    ),
]
OutputDir = Annotated[
    str | None,
    typer.Option(help="Results, a path or fsspec URL. Default: TRADING_OUTPUT_DIR.", metavar="URL"),
]
LakeDir = Annotated[
    str | None,
    typer.Option(
        help="The lake, a path or fsspec URL. Default: TRADING_LAKE_DIR, else output/lake.",
        metavar="URL",
    ),
]
StoredGrain = Annotated[
    GrainName | None,
    typer.Option(help="What one partition covers. Default: that of the results."),
]
StoredStrategy = Annotated[
    str | None,
    typer.Option(
        help="Strategy parameters that differ from the defaults. Default: those of the results.",
        metavar="JSON",
    ),
]
First = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Only partitions with bars from this day, or timestamp with an offset, on.",
        metavar="DAY",
    ),
]
Last = Annotated[
    str | None,
    typer.Option("--to", help="Only partitions with bars until then, inclusive.", metavar="DAY"),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object; all else on standard error.")
]
