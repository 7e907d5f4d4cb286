"""Messages and Markdown made from data."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.runs.rendering import (
    GRID_COLUMNS,
    LISTED_FAILURES,
    SHOWN_FAILURES,
    Cell,
    Failure,
    artifact_key,
    failure_message,
    grid,
    headlines,
    orchestration_summary,
    symbol_summary,
    table,
    value_text,
)


@dataclass(frozen=True)
class Counted:
    total: int = 4
    completed: int = 2
    skipped: int = 1
    failed: int = 1


def failures(count: int) -> list[Failure]:
    return [
        Failure(f"AAPL 2024-01-02 {i:05}", "failed", f"reason {i}", f"prefect redo {i}")
        for i in range(count)
    ]


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_artifact_keys_hold_only_what_the_server_accepts(words: list[str]) -> None:
    assert re.fullmatch(r"[a-z0-9-]*", artifact_key(*words))


def test_artifact_keys_of_symbols_read_like_the_symbol() -> None:
    assert artifact_key("symbol", "BRK-B") == "symbol-brk-b"
    assert artifact_key("symbol", "^VIX") == "symbol-vix"


def test_a_failure_message_names_partitions_reasons_and_commands() -> None:
    message = failure_message(failures(2), 240)
    assert message.startswith("2 of 240 partitions are not done")
    assert "AAPL 2024-01-02 00001 failed: reason 1 Redo: prefect redo 1" in message


def test_a_failure_message_stays_short_however_much_failed() -> None:
    lines = failure_message(failures(1_000), 1_000).splitlines()
    assert len(lines) == SHOWN_FAILURES + 2
    assert lines[-1] == f"... and {1_000 - SHOWN_FAILURES} more, listed in the artifact."


def test_a_long_reason_is_cut_and_an_empty_one_said() -> None:
    long = Failure("A", "failed", "x" * 10_000, "c")
    none = Failure("A", "crashed", " ", "c")
    assert len(failure_message([long], 1)) < 600
    assert "No reason was given." in failure_message([none], 1)


def test_a_grid_shows_one_cell_per_partition() -> None:
    text = grid(["t1", "t2", "t3"], {"AAPL": [Cell.COMPLETED, Cell.SKIPPED, Cell.FAILED]})
    assert "AAPL  ✓·✗" in text
    assert "t1 to t3, one column for each." in text


def test_a_wide_grid_shares_columns_and_shows_the_worst_of_each() -> None:
    cells = [Cell.SKIPPED] * 480
    cells[5], cells[479] = Cell.COMPLETED, Cell.FAILED
    text = grid([str(i) for i in range(480)], {"A": cells})
    row = next(line for line in text.splitlines() if line.startswith("A  "))
    assert row == "A  ✓" + "·" * (GRID_COLUMNS - 2) + "✗"
    assert "about 10" in text


def test_a_grid_says_what_was_not_asked_for() -> None:
    cells = {"A": [Cell.COMPLETED, Cell.LEFT_OUT], "BB": [Cell.LEFT_OUT] * 2}
    text = grid(["t1", "t2"], cells)
    assert "A   ✓-\nBB  --" in text
    assert "✗ not done, - not asked for." in text


def test_a_grid_of_nothing_says_so() -> None:
    assert grid([], {"AAPL": []}) == "There are no partitions."


@pytest.mark.parametrize(
    ("value", "text"), [(None, "n/a"), (0.123456789, "0.123457"), (3, "3"), ("x", "x")]
)
def test_values_read_well(value: object, text: str) -> None:
    assert value_text(value) == text


def test_a_table_cannot_be_broken_by_its_values() -> None:
    lines = table(("a", "b"), [("x|y", "two\nlines")]).splitlines()
    assert lines == ["| a | b |", "| --- | --- |", "| x\\|y | two lines |"]


def test_the_orchestration_summary_has_totals_tree_grid_and_failures() -> None:
    text = orchestration_summary(
        Counted(),
        {"AAPL": Counted(), "V": Counted(failed=0)},
        ["t1"],
        {"AAPL": [Cell.FAILED], "V": [Cell.COMPLETED]},
        failures(1),
        {"sharpe": None, "stale_results": 1, "missing_results": 0, "orphaned_results": 2_000},
        "Results: /results",
    )
    assert "Results: /results" in text
    assert "mixes: 1 result in it is stale" in text
    assert "2,000 results in the folder are orphaned" in text
    assert "lacks" not in text
    assert "| 4 | 2 | 1 | 1 |" in text
    assert "├── AAPL: 2 computed, 1 up to date, 1 failed" in text
    assert "└── V: 2 computed, 1 up to date, 0 failed" in text
    assert "| Sharpe ratio | n/a |" in text
    assert "`prefect redo 0`" in text


def test_an_artifact_lists_a_bounded_number_of_failures() -> None:
    text = symbol_summary("AAPL", Counted(), failures(LISTED_FAILURES + 7), "/results")
    assert text.count("`prefect redo") == LISTED_FAILURES
    assert "... and 7 more." in text


def test_a_summary_without_failures_has_no_section_for_them() -> None:
    assert "Not done" not in symbol_summary("AAPL", Counted(failed=0), [], "/results")


def test_a_sharpe_ratio_that_is_not_annualised_says_why() -> None:
    told = dict(headlines({"sharpe": None, "not_annualised": "bars come now and then"}))
    assert told == {"Sharpe ratio": "n/a (bars come now and then)"}
    assert headlines({"sharpe": None, "not_annualised": ""}) == [("Sharpe ratio", "n/a")]
    assert headlines({"win_rate": None, "not_annualised": "x"}) == [("Win rate", "n/a")]
