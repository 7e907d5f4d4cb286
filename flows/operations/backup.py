"""`backup`: dump both databases, prove the dump by a restore, keep the last few."""

import asyncio
import os
from datetime import UTC, datetime
from typing import Annotated

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger
from pydantic import Field

from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.settings import below_project, settings
from flows.operations.backing_up import PREFECT_DATABASE, Databases, back_up
from flows.operations.backup_sets import thin_out
from flows.runs import rendering
from storage.directory import open_directory


@flow(name="backup", flow_run_name="backup")
@domain_errors_fail_run
@documented
async def backup(
    to: Annotated[
        str | None,
        Field(
            description="Where backups are kept; empty: TRADING_BACKUP_DIR.",
            examples=["s3://bucket/backups"],
        ),
    ] = None,
    keep: Annotated[int, Field(ge=1, le=1000, description="Sets that are kept.", examples=[7])] = 7,
    verify: Annotated[
        bool,
        Field(description="Whether each dump is restored into a new database and compared."),
    ] = True,
) -> str:
    """Back up the databases of this installation and Prefect, as of one moment each.

    Of Prefect's own database only where PREFECT_SERVER_DATABASE_CONNECTION_URL names it.
    """
    chosen = settings()
    trading = chosen.database_url.get_secret_value() if chosen.database_url else None
    databases = Databases(trading=trading, prefect=os.environ.get(PREFECT_DATABASE) or None)
    place = open_directory(
        below_project(to or chosen.backup_dir), "to" if to else "TRADING_BACKUP_DIR"
    )
    made = await asyncio.to_thread(
        back_up, databases, place, datetime.now(UTC), verify_on=trading if verify else None
    )
    gone = await asyncio.to_thread(thin_out, place, keep)
    rows = [
        (item.database, item.kind, f"{item.size / 1e6:,.1f} MB", f"{sum(item.rows.values()):,}")
        for item in made.manifest.dumps
    ]
    text = f"{made.name} is in {place.url}, {'verified' if verify else 'not verified'}"
    await acreate_markdown_artifact(
        f"# Backup\n\n{text}; {len(gone)} older ones removed.\n\n"
        + rendering.table(("database", "kind", "size", "rows"), rows),
        key="backup",
        description=text,
    )
    get_run_logger().info("%s", text)
    return made.name
