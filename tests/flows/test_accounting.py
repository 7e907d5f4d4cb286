"""What became of a contract's partitions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from prefect.client.schemas.objects import FlowRun
from prefect.states import Completed, Crashed, Failed

from fanout import Child, ChildResult, Outcome
from flows.runs.accounting import Account, all_done, partly_done
from flows.runs.rendering import Cell
from lake.grain import Grain
from lake.keys import Partition
from lake.planning import ContractPlan

START = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
PARTITIONS = [Partition("AAPL", START + timedelta(hours=i), Grain.BAR, i, i + 1) for i in range(4)]
FILES = [partition.relative_path for partition in PARTITIONS]
PLAN = ContractPlan("AAPL", due=PARTITIONS[1:], current=1, total=4)
SYMBOL = ChildResult(Child("AAPL", "AAPL", {}), Outcome.CRASHED, uuid4(), 3, "no memory")


def run_in(state: object) -> FlowRun:
    run = FlowRun(flow_id=uuid4(), state=state)
    run.state_type, run.state_name = run.state.type, run.state.name  # type: ignore[union-attr]
    return run


def account(
    runs: Mapping[str, FlowRun], still_due: set[str] | None, *, reprocess: bool = False
) -> Account:
    return partly_done(
        PLAN,
        SYMBOL,
        runs,
        still_due=still_due,
        reprocess=reprocess,
        parameters_of=lambda p: {"contract": p.contract, "timestamp": p.timestamp},
    )


def test_a_completed_contract_has_no_failures() -> None:
    done = all_done(PLAN)
    assert (done.total, done.completed, done.skipped, done.failed) == (4, 3, 1, 0)
    assert done.cells(PARTITIONS) == [Cell.SKIPPED] + [Cell.COMPLETED] * 3
    asked = done.cells(PARTITIONS, FILES[:2])
    assert asked == [Cell.SKIPPED, Cell.COMPLETED, Cell.LEFT_OUT, Cell.LEFT_OUT]


def test_results_on_disk_decide_what_is_done() -> None:
    partly = account({FILES[2]: run_in(Failed(message="bad data"))}, {FILES[2], FILES[3]})
    assert (partly.completed, partly.failed) == (1, 2)
    failed, missing = partly.failures
    assert (failed.partition, failed.outcome, failed.reason) == (
        "AAPL 2024-01-02 11:30",
        "failed",
        "bad data",
    )
    assert (missing.outcome, missing.reason) == (
        "not run",
        "Its contract's run crashed: no memory",
    )
    assert "--param timestamp=2024-01-02T11:30:00-05:00" in failed.command
    assert partly.cells(PARTITIONS) == [Cell.SKIPPED, Cell.COMPLETED, Cell.FAILED, Cell.FAILED]


def test_a_run_that_crashed_after_its_work_counts_as_done() -> None:
    assert account({FILES[1]: run_in(Crashed())}, set()).failed == 0


def test_when_reprocessing_only_a_completed_run_shows_that_a_partition_was_redone() -> None:
    partly = account({FILES[1]: run_in(Completed())}, set(), reprocess=True)
    assert [f.partition for f in partly.failures] == [p.label for p in PARTITIONS[2:]]


def test_a_completed_run_without_its_result_is_not_done() -> None:
    partly = account({FILES[1]: run_in(Completed())}, {FILES[1]})
    assert [f.outcome for f in partly.failures] == ["result missing"]


def test_without_a_look_at_the_results_the_flow_runs_tell_what_is_done() -> None:
    runs = {FILES[1]: run_in(Completed()), FILES[2]: run_in(Failed(message="no answer"))}
    partly = account(runs, None)
    assert (partly.completed, partly.failed) == (1, 2)
    assert [(f.partition, f.outcome) for f in partly.failures] == [
        (PARTITIONS[2].label, "failed"),
        (PARTITIONS[3].label, "not run"),
    ]
