"""Where the lake is when nobody says."""

from __future__ import annotations

import os

LAKE_DIR = "TRADING_LAKE_DIR"
DEFAULT = "output/lake"


def lake_location(lake_dir: str | None) -> str:
    """The location asked for, or that of the environment, or `output/lake` in this folder."""
    return lake_dir or os.environ.get(LAKE_DIR) or DEFAULT
