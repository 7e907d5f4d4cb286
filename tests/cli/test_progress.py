from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cli.display import progress
from cli.display.progress import PartitionProgress, PlainDisplay, ProgressMeter, progress_display
from cli.display.terminal import TerminalDisplay

HALFWAY = PartitionProgress(total=240, completed=118, failed=2, per_second=5.64)


def test_progress_reads_as_a_sentence() -> None:
    assert str(HALFWAY) == "partitions: 118 of 240 completed, 2 failed, 5.6/s"
    assert str(PartitionProgress(240, 0, 0, None)) == "partitions: 0 of 240 completed"


def test_the_rate_counts_from_the_first_partition_that_ended() -> None:
    meter = ProgressMeter()
    assert meter.read({"Pending": 24}, 240, 100.0) == PartitionProgress(240, 0, 0, None)
    assert meter.read({"Completed": 4}, 240, 110.0).per_second is None
    later = meter.read({"Completed": 13, "Failed": 1, "Running": 2}, 240, 115.0)
    assert later == PartitionProgress(240, 13, 1, 2.0)


@given(
    st.dictionaries(
        st.sampled_from(["Pending", "Running", "Completed", *progress.FAILURES]),
        st.integers(0, 1000),
    )
)
def test_without_a_known_total_it_is_what_was_created(states: dict[str, int]) -> None:
    read = ProgressMeter().read(states, None, 1.0)
    assert read.total == sum(states.values()) >= read.completed + read.failed
    assert read.completed == states.get("Completed", 0)


def test_plain_progress_is_a_line_now_and_then_and_never_the_same_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1_000.0
    monkeypatch.setattr("cli.display.progress.time.monotonic", lambda: now)
    display = PlainDisplay()
    display.phase("Starting")
    display.partitions(HALFWAY)
    now += 100
    display.partitions(HALFWAY)
    display.partitions(PartitionProgress(240, 119, 2, 5.0))
    now += 1
    display.partitions(PartitionProgress(240, 125, 2, 5.0))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "Starting",
        f"  {HALFWAY}",
        "  partitions: 119 of 240 completed, 2 failed, 5.0/s",
    ]


def test_on_a_terminal_the_line_moves_and_is_gone_at_the_end() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with TerminalDisplay(console) as display:
        display.phase("Starting")
        display.partitions(HALFWAY)
        assert display._progress.finished is False
        (task,) = display._progress.tasks
        assert (task.description, task.total, task.completed) == (str(HALFWAY), 240, 120)
    assert "118 of 240 completed" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")


def test_a_display_is_chosen_by_what_standard_error_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with progress_display() as display:
        assert isinstance(display, PlainDisplay)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress_display() as display:
        assert isinstance(display, TerminalDisplay)
