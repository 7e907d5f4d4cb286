"""What `trading live` is asked, for tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cli.commands.live.options import LiveOptions, SignalOptions, StreamOptions


def options(source: str | None, folder: Path, **stream: str | None) -> LiveOptions:
    """The command's defaults, with all folders in `folder`."""
    return LiveOptions(
        stream=replace(
            StreamOptions(source=source, lake_dir=str(folder / "lake")),
            **stream,  # type: ignore[arg-type] # by their names
        ),
        signals=SignalOptions(strategies="macd_cross,rsi_reversion", intervals="5m,1m"),
        minutes=None, port=0, prefect=True, schedules=False, server_dir=folder, json=False,
    )  # fmt: skip
