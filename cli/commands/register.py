"""`trading register`: the work pool and the deployments on a server, as a release needs them.

Loads Prefect and the flows: import it only when the command runs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from prefect.client.orchestration import PrefectClient, get_client

from cli.commands.trial_partition import run_trial_partition
from cli.settings import installation
from flows.deploy.registration import Installation, differences, install, pool_of
from flows.deploy.wiring import JobVariables, deployment_definitions, parsed_job_variables
from servers.connection import named_api_url, without_credentials
from servers.errors import USAGE, CommandError
from servers.readiness import server_errors, wait_for_server
from trading.errors import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterOptions:
    """The command's options.

    Attributes:
        pool: The work pool; None takes `TRADING_WORK_POOL`.
        pool_type: Its type; None takes the one it has.
        base_job_template: The file with its template.
        image: Image of the jobs.
        job_variables: `[DEPLOYMENT:]NAME=VALUE` each.
        partition_limit: Partition jobs that exist at once.
        schedules: Whether the deployments run by themselves; None leaves it as it is.
        wait: Seconds that the server, and then the trial partition, may take.
        check: Only look whether all is as the other options say.
        run_partition: Run one partition through the pool, too.
    """

    pool: str | None
    pool_type: str | None
    base_job_template: Path | None
    image: str | None
    job_variables: list[str]
    partition_limit: int | None
    schedules: bool | None
    wait: float
    check: bool
    run_partition: bool


def run_register(options: RegisterOptions) -> None:
    """Register, or check, and print one line for each difference.

    Raises:
        CommandError, TradingError: Something could not be registered, or is not as it should be.
    """
    pool = options.pool or installation().work_pool
    template = _template(options.base_job_template)
    if named_api_url() is None:
        raise CommandError(
            "PREFECT_API_URL is not set; set it to the API of the Prefect server on which to "
            "register, such as http://prefect-server:4200/api.",
            USAGE,
        )
    with server_errors():
        asyncio.run(_register(options, pool, template))


async def _register(options: RegisterOptions, pool: str, template: dict[str, Any] | None) -> None:
    async with get_client() as client:
        await wait_for_server(client, options.wait)
        wanted = Installation(
            work_pool=pool,
            pool_type=options.pool_type,
            base_job_template=template,
            job_variables=await _job_variables(client, options, pool, template),
            partition_limit=options.partition_limit,
            schedules=options.schedules,
        )
        if options.check:
            await _check(client, wanted)
        else:
            made = await install(client, wanted)
            for line in made:
                typer.echo(f"{line}: done")
            typer.echo(f"{pool}: {len(made)} changes" if made else f"{pool}: up to date")
        if options.run_partition:
            typer.echo(await run_trial_partition(client, options.wait))


async def _check(client: PrefectClient, wanted: Installation) -> None:
    different = await differences(client, wanted)
    if different:
        raise CommandError(
            f"{without_credentials(str(client.api_url))} is not as these options say "
            f"({'; '.join(different)}); run the command without --check to register."
        )
    typer.echo(f"{wanted.work_pool}: up to date")


async def _job_variables(
    client: PrefectClient, options: RegisterOptions, pool: str, template: Mapping[str, Any] | None
) -> JobVariables:
    if template is None:
        found = await pool_of(client, pool)
        template = found.base_job_template if found else {}
    texts = [f"image={options.image}"] if options.image else []
    return parsed_job_variables(texts + options.job_variables, deployment_definitions(), template)


def _template(file: Path | None) -> dict[str, Any] | None:
    """The base job template in a file, as far as it can be checked before anything is sent."""
    if file is None:
        return None
    name = f"base-job-template={shown(str(file))}"
    try:
        template = json.loads(file.read_bytes())
    except OSError as error:
        raise CommandError(
            f"{name} cannot be read ({error.strerror}); pass the path of a JSON file.", USAGE
        ) from None
    except ValueError as error:
        raise CommandError(f"{name} is not JSON ({error}); correct the file.", USAGE) from None
    parts = template if isinstance(template, dict) else {}
    if not all(isinstance(parts.get(p), dict) for p in ("variables", "job_configuration")):
        raise CommandError(
            f"{name} has no objects variables and job_configuration; pass a work pool's base job "
            "template, such as the chart's files/base-job-template.json.",
            USAGE,
        )
    return parts
