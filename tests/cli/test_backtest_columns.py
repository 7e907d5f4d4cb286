"""The table of a sweep on terminals: on one line where there is room, else folded to 80 columns."""

from __future__ import annotations

import sys

import pytest

from cli.commands.backtest import _columns
from flows.backtests.rendering import FOLD_HEAD, HEAD

NAME = "periods=10 oversold=39.63 overbought=87.94"
SETS = [HEAD, (NAME, "7.23", "-8.97", "+8.73 %", "-4.50 %", "-6.73 %", "1,231")]
FOLDS = [FOLD_HEAD, ("AAPL 1", "2024-01-03", "2024-01-09", NAME, "7.23", "-8.97", "+8.73 %")]


@pytest.mark.parametrize("rows", [SETS, FOLDS], ids=["sets", "folds"])
def test_a_narrow_terminal_gets_all_of_it_in_80_columns(
    rows: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    lines = _columns(rows)
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert all(cell in text for cell in rows[1])
    monkeypatch.setenv("COLUMNS", "200")
    assert len(_columns(rows)) == len(rows)


def test_a_pipe_gets_a_line_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert len(_columns(SETS)) == 2
