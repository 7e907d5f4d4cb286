"""The end of `trading demo`: one report, as text for people or as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.runs.rendering import headlines, standing_notes
from lake.market.aggregate import REPORT
from servers.errors import FAILED

COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class PartitionCounts:
    """What became of the partitions.

    Attributes:
        total: All that were asked for.
        completed: Those whose flow run completed now.
        skipped: Those whose result was up to date already.
        failed: Those without a result.
    """

    total: int
    completed: int
    skipped: int
    failed: int


@dataclass(frozen=True, slots=True)
class Report:
    """What one run of the pipeline came to; its fields are those of the JSON object.

    Attributes:
        status: The orchestrator's final state in lower case; `completed` is success.
        wall_seconds: From the command's start to the end of the run.
        output_dir: Where the results are.
        prefect_api_url: The server that has the flow runs.
        orchestrator_flow_run_id: The run at the root of them.
        partitions: What became of the partitions.
        flow_runs: Deployment name -> state name -> number of flow runs.
        portfolio: The portfolio's metrics; empty when there was no aggregation.
        validation: What validation said of the data: `status` and `checks`, those that found
            something with `check, status, count, message`; empty when it was not asked for.
        message: Why the run did not complete; empty when it did.
    """

    status: str
    wall_seconds: float
    output_dir: str
    prefect_api_url: str
    orchestrator_flow_run_id: str
    partitions: PartitionCounts
    flow_runs: Mapping[str, Mapping[str, int]]
    portfolio: Mapping[str, Any] = field(default_factory=dict)
    validation: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""

    @property
    def exit_code(self) -> int:
        """0 only when everything completed."""
        complete = self.status == COMPLETED and not self.partitions.failed
        return 0 if complete else FAILED


def as_json(report: Report) -> str:
    """The report as one JSON object on one line; dates as ISO 8601."""
    fields = dataclasses.asdict(report) | {"wall_seconds": round(report.wall_seconds, 3)}
    return json.dumps(fields, default=str, allow_nan=False)


def as_text(report: Report) -> str:
    """The report for people: the portfolio, the partitions, and where everything is."""
    counts = report.partitions
    runs = sum(sum(states.values()) for states in report.flow_runs.values())
    rows = [
        *headlines(report.portfolio),
        ("Partitions", f"{counts.total:,}"),
        ("  completed", f"{counts.completed:,}"),
        ("  skipped", f"{counts.skipped:,} (up to date)"),
        ("  failed", f"{counts.failed:,}"),
        ("Flow runs", f"{runs:,} in {report.wall_seconds:.1f} s"),
        ("Results", report.output_dir),
    ]
    if report.portfolio:
        rows.append(("Report", f"{report.output_dir}/{REPORT}"))
    lines = [f"{name:<18}{value}" for name, value in rows]
    if notes := standing_notes(report.portfolio):
        lines += ["", *notes]
    if warned := _warnings(report.validation):
        lines += ["", warned]
    return "\n".join(lines)


def _warnings(validation: Mapping[str, Any]) -> str:
    """What validation found, a line for each check; empty when it found nothing."""
    checks = validation.get("checks", ())
    if not checks:
        return ""
    lines = [f"  {check['check']}: {check['message']}" for check in checks]
    head = f"Validation: {validation['status']}. The data are odd; the figures above may be wrong."
    return "\n".join([head, *lines])


def failure(report: Report) -> str:
    """Why the run did not complete, for people; empty when it did."""
    if report.status == COMPLETED:
        return ""
    return f"The run ended {report.status}: {report.message}".rstrip(": ")
