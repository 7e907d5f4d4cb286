"""`validate-data`: the gate before any fan-out."""

import asyncio
from typing import Annotated

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger
from pydantic import Field

from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.parameters import ContractNames, InputDir, input_url
from flows.runs import rendering
from lake.market.validation import MAX_Z_THRESHOLD, validate
from trading.bars.quality.findings import Status, ValidationReport
from trading.errors import DataError


@flow(name="validate-data", flow_run_name="validate data")
@domain_errors_fail_run
@documented
async def validate_data(
    input_dir: InputDir = None,
    contracts: ContractNames = None,
    z_threshold: Annotated[
        float,
        Field(
            gt=0,
            le=MAX_Z_THRESHOLD,
            description="Standard deviations beyond which a return is an outlier.",
            examples=[3.0],
        ),
    ] = 3.0,
    robust_z_threshold: Annotated[
        float,
        Field(
            gt=0,
            le=MAX_Z_THRESHOLD,
            description="The same by median and MAD, which outliers do not widen.",
            examples=[8.0],
        ),
    ] = 8.0,
    stale_bars: Annotated[
        int,
        Field(
            ge=2,
            description="Equal closes in a row from which on a price is stale.",
            examples=[8],
        ),
    ] = 8,
) -> ValidationReport:
    """Check the market data: PASS, WARN (odd, but usable) or FAIL (the run fails).

    The report is an artifact in each case.
    """
    report = await asyncio.to_thread(
        validate,
        input_url(input_dir),
        contracts,
        z_threshold,
        robust_z_threshold=robust_z_threshold,
        stale_bars=stale_bars,
    )
    await acreate_markdown_artifact(
        _markdown(report), key="validation-report", description=f"Validation: {report.status}"
    )
    logger = get_run_logger()
    for check in report.warnings:
        logger.warning("%s %s: %s", check.status, check.check, check.message)
    if report.status is Status.FAIL:
        failed = [check for check in report.checks if check.status is Status.FAIL]
        raise DataError(
            report.input_dir,
            "validation FAILED: "
            + "; ".join(f"{c.check}: {c.message.rstrip('.')}" for c in failed),
            "correct the data; the artifact validation-report lists the rows",
        )
    logger.info("%s: %d checks on %d bars", report.status, len(report.checks), report.bars)
    return report


def _markdown(report: ValidationReport) -> str:
    parts = [
        f"# Validation: {report.status}",
        f"{len(report.contracts)} contracts, {report.bars} bars each, in {report.input_dir}.",
        rendering.table(
            ("check", "status", "findings", "what it says"),
            [(c.check, c.status.value, c.count, c.message) for c in report.checks],
        ),
    ]
    for check in report.checks:
        if check.findings:
            parts += [
                f"## {check.check}",
                rendering.table(
                    ("where", "what", "row", "timestamp"),
                    [(f.source, f.detail, f.row, f.timestamp) for f in check.findings],
                ),
            ]
    return "\n\n".join(parts)
