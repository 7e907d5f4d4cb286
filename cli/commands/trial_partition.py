"""One partition run through the installation, from its work pool to its store.

On a sample of its own, in a place of its own below the output directory, so that it proves the
installation whatever data there are, and leaves nothing behind.
"""

from __future__ import annotations

import secrets
import shutil
import time
from datetime import date

import anyio
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from cli.pipeline.sample_data import write_sample
from flows.boundary.aws_credentials import use_credentials_block
from flows.boundary.settings import settings
from flows.deploy.deployments import ANALYZE_TIME_PARTITION
from flows.runs.commands import shell_command
from lake.grain import Grain
from lake.keys import Partition, partitions
from lake.market.inputs import PRICES_FILE, SPX_FILE, VIX_FILE, open_market_data
from servers.errors import CommandError
from storage.directory import open_directory

FOLDER = "_check"
POLL_SECONDS = 1.0
SESSION = date(2024, 1, 2)


async def run_trial_partition(client: PrefectClient, seconds: float) -> str:
    """Have a worker run one partition, and look whether its result is in the store.

    Args:
        client: A client of a server that has the deployments.
        seconds: How long the run may take, from its creation to its end.

    Returns:
        A sentence about what was run.

    Raises:
        CommandError: It did not complete, or its result is not there.
        TradingError: The output directory cannot be used.
    """
    await use_credentials_block()
    place = f"{settings().output_dir.rstrip('/')}/{FOLDER}-{secrets.token_hex(4)}"
    partition = await anyio.to_thread.run_sync(_write_sample, place)
    try:
        run = await _create(client, place, partition)
        state = await _ended(client, run, seconds)
        if not state.is_completed():
            raise CommandError(
                f"The flow run {run.id} of {ANALYZE_TIME_PARTITION} ended {state.name} "
                f"({state.message}); see its log in the UI."
            )
        output = open_directory(place, "output_dir")
        if output.identity(partition.relative_path) is None:
            raise CommandError(
                f"The flow run {run.id} of {ANALYZE_TIME_PARTITION} completed, but "
                f"{output.url_of(partition.relative_path)} is not there; check that "
                "TRADING_OUTPUT_DIR means the same place here and in the jobs."
            )
    finally:
        await anyio.to_thread.run_sync(_remove, place, partition)
    return f"{partition.label}: computed by the flow run {run.id}, its result was in the store"


def _write_sample(place: str) -> Partition:
    """Write a session of one contract below `place`, and name the partition of its last bar."""
    write_sample(place, 1, SESSION, SESSION, seed=1)
    market = open_market_data(place)
    return partitions(market.timestamps(), market.contracts[0], Grain.BAR)[-1]


def _remove(place: str, partition: Partition) -> None:
    directory = open_directory(place, "output_dir")
    if directory.is_local:
        shutil.rmtree(directory.path)
        return
    for name in (PRICES_FILE, VIX_FILE, SPX_FILE, partition.relative_path):
        if directory.identity(name) is not None:
            directory.remove(name)


async def _create(client: PrefectClient, place: str, partition: Partition) -> FlowRun:
    try:
        deployment = await client.read_deployment_by_name(ANALYZE_TIME_PARTITION)
    except ObjectNotFound:
        raise CommandError(
            f"The server has no deployment {ANALYZE_TIME_PARTITION}; run "
            f"`{shell_command('trading', 'register')}` first."
        ) from None
    return await client.create_flow_run_from_deployment(
        deployment.id,
        name=f"check {partition.label}",
        parameters={
            "contract": partition.symbol,
            "timestamp": partition.timestamp,
            "input_dir": place,
            "output_dir": place,
        },
    )


async def _ended(client: PrefectClient, run: FlowRun, seconds: float) -> State[object]:
    """The run's final state; a run that has none in time is cancelled."""
    deadline = time.monotonic() + seconds
    while True:
        state = (await client.read_flow_run(run.id)).state
        if state is not None and state.is_final():
            return state
        if time.monotonic() > deadline:
            await client.set_flow_run_state(run.id, Cancelling(message="It took too long."))
            raise CommandError(
                f"The flow run {run.id} of {ANALYZE_TIME_PARTITION} is still "
                f"{state.name if state else 'without a state'} after {seconds:g} s and was "
                "cancelled; check that a worker of the pool runs and that its jobs can start, or "
                "pass a longer --wait."
            )
        await anyio.sleep(POLL_SECONDS)
