"""Options that all processes of the live side have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LogDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder for logs, a file for each day. Default: standard error.",
        envvar="TRADING_LOG_DIR",
        metavar="PATH",
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        help="Port that answers /metrics, /live and /ready. Default: none.",
        envvar="TRADING_METRICS_PORT",
        metavar="PORT",
    ),
]
MetricsHost = Annotated[
    str,
    typer.Option(
        help="Address to answer them on.", envvar="TRADING_METRICS_HOST", metavar="ADDRESS"
    ),
]
