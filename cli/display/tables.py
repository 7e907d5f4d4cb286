"""Tables of which nothing is cut off: not in a narrow terminal, and not in a pipe."""

from __future__ import annotations

import sys

from rich.console import Console

_PIPED_WIDTH = 10_000
"""Columns where no terminal says how many there are; Rich would take 80 and cut off the rest."""


def table_console() -> Console:
    """A console for tables on standard output."""
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(width=width, highlight=False)
