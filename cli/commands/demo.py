"""`trading demo`: the whole pipeline once, from nothing to a portfolio."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.commands.up import STARTING, Child, wait_for_end
from cli.display.progress import Display, progress_display
from cli.pipeline.credentials import use_credentials_block
from cli.pipeline.pipeline import Pipeline, point_to_the_ui, quiet_prefect, tell
from cli.pipeline.sample_data import (
    SAMPLE_CONTRACTS,
    check_market_data,
    ensure_market_data,
    needs_sample,
    takes_default_input,
)
from cli.settings import absolute, installation, job_environment, settings_before_a_server
from lake.market.inputs import open_market_data
from servers.connection import prefect_connection, say_whose_server
from servers.errors import USAGE, CommandError
from servers.s3 import S3Server, s3_server
from servers.worker import process_worker
from storage.checks import check_writable
from storage.directory import open_directory
from storage.s3 import s3_store
from trading.errors import shown
from trading.instruments.symbols import selected_contracts

if TYPE_CHECKING:
    from flows.boundary.settings import Settings

BUCKET = "trading-demo"
"""Where `--s3` keeps market data and results, on the server it starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the user asked for; None leaves it to the settings or the deployment.

    Attributes:
        contracts: How many contracts, or which, separated by commas.
        job_per: How much runs in a job of its own: `run`, `symbol` or `partition`.
        grain: What one partition covers.
        input_dir: Where the market data are.
        output_dir: Where the results go.
        make_sample: Whether to make sample data in a folder that the user named.
        reprocess: Whether to redo what is up to date.
        port: Where to start a local server.
        server_dir: Where its data and the logs of what it runs are.
        json: Whether to print one JSON object instead of text.
        serve: Whether to keep the local server running until Ctrl-C.
        s3: Whether input and results are to be on an S3 server that the command starts.
    """

    contracts: str | None
    job_per: str | None
    grain: str
    input_dir: str | None
    output_dir: str | None
    make_sample: bool
    reprocess: bool
    port: int
    server_dir: Path
    json: bool
    serve: bool
    s3: bool


def run_demo(options: DemoOptions) -> int:
    """Make what is missing, run the pipeline, print what came of it; returns the exit code.

    Raises:
        CommandError, TradingError: It could not be started.
    """
    started = time.monotonic()
    selected(options.contracts)  # what is wrong with it is told before anything is started
    named = options.input_dir is not None
    selection = _selection_before_a_server(options)
    with contextlib.ExitStack() as running:
        with progress_display() as display:
            display.phase(STARTING)
            connection = running.enter_context(prefect_connection(options.server_dir, options.port))
            quiet_prefect()
            if options.s3:
                options = on_s3(
                    options, running.enter_context(s3_server(options.server_dir / "s3"))
                )
            settings = installation()
            say_whose_server(connection)
            use_credentials_block(settings, connection)
            default_input = not named and (options.s3 or takes_default_input(settings))
            parameters = orchestrator_parameters(options, settings)
            if options.make_sample or default_input:
                _make_sample(parameters["input_dir"], options.contracts, display)
            parameters |= selection or _checked(parameters, options.contracts)
            pipeline = Pipeline(connection, settings, options.server_dir, display)
            pipeline.prepare()
            orchestration = pipeline.run(parameters, writable=parameters["output_dir"])
        exit_code = tell(
            orchestration,
            parameters["output_dir"],
            connection,
            time.monotonic() - started,
            as_object=options.json,
        )
        point_to_the_ui(connection, serve=options.serve)
        if options.serve and connection.local is not None:
            # With a worker, for what somebody retries in the UI.
            log = pipeline.worker_log
            worker = running.enter_context(
                process_worker(settings.work_pool, log, job_environment())
            )
            children: dict[Path, Child] = {connection.local.log: connection.local.process}
            with contextlib.suppress(KeyboardInterrupt):
                wait_for_end(children | {log: worker})
    return exit_code


def _selection_before_a_server(options: DemoOptions) -> dict[str, Any] | None:
    """The choice of contracts, where the input is there before a server is.

    Raises:
        CommandError, TradingError: A folder or the choice cannot be used.
    """
    early = None if options.s3 else settings_before_a_server()
    if early is None:
        return None
    parameters = orchestrator_parameters(options, early)
    makes_sample = options.make_sample or (options.input_dir is None and takes_default_input(early))
    if makes_sample and needs_sample(parameters["input_dir"]):
        check_writable(open_directory(parameters["output_dir"], "output_dir"), "output_dir")
        return None
    return _checked(parameters, options.contracts)


def selected(contracts: str | None) -> dict[str, Any]:
    """The orchestrator's parameter that selects contracts, if any.

    Raises:
        CommandError: It is neither a positive number nor a list of names.
    """
    if contracts is None:
        return {}
    if one_name := re.fullmatch(r"\s*(\d+)\s*,\s*", contracts):
        return {"contracts": [one_name[1]]}
    names = [name.strip() for name in contracts.split(",")]
    # Python itself reads no number of thousands of digits.
    whole = contracts.strip()
    number = int(whole) if re.fullmatch(r"[+-]?\d{1,1000}", whole) else None
    if not all(names) or (number is not None and number < 1):
        raise CommandError(
            f"contracts={shown(contracts)} is neither a number from 1 nor names; pass e.g. "
            "--contracts 10 or --contracts AAPL,MSFT.",
            USAGE,
        )
    return {"contracts": names} if number is None else {"num_contracts": number}


def chosen(available: Sequence[str], contracts: str | None) -> dict[str, Any]:
    """The orchestrator's parameter that selects contracts of the data: all, unless told otherwise.

    Args:
        available: The contracts of the data.
        contracts: How many, or which.

    Raises:
        CommandError: There are fewer, or it is both a number and a contract's name.
        ParameterError: A name is unknown or repeated.
    """
    selection = selected(contracts) or {"num_contracts": len(available)}
    if "contracts" in selection:
        selected_contracts(available, selection["contracts"], 0)
        return selection
    number, word = selection["num_contracts"], (contracts or "").strip()
    enough = number <= len(available)
    if word in available:
        if not enough or word != str(number):
            return {"contracts": [word]}
        raise CommandError(
            f"contracts={word!r} is both a contract of the data and a number of contracts; pass "
            f"--contracts {word}, with a comma for the contract, or --contracts +{word} for the "
            "number.",
            USAGE,
        )
    if not enough:
        raise CommandError(
            f"contracts={shown(word)} is not between 1 and {len(available)}, the number of "
            f"contracts in the data; pass --contracts {len(available)} or leave it out to take "
            "all.",
            USAGE,
        )
    return selection


def orchestrator_parameters(options: DemoOptions, settings: Settings) -> dict[str, Any]:
    """The orchestrator's parameters for these options, but for the selection of contracts.

    Folders are made absolute: jobs run in other working directories.
    """
    return {
        "job_per": options.job_per or settings.job_per.value,
        "grain": options.grain,
        "reprocess": options.reprocess,
        "input_dir": absolute(options.input_dir or settings.input_dir, "input_dir"),
        "output_dir": absolute(options.output_dir or settings.output_dir, "output_dir"),
    }


def on_s3(options: DemoOptions, server: S3Server) -> DemoOptions:
    """The options with directories on the server, which this process and its children now use."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # a session token or a profile of another store's
    os.environ.update(server.client_settings())
    os.environ.pop("TRADING_AWS_CREDENTIALS_BLOCK", None)
    s3_store().make_bucket(BUCKET)
    return replace(
        options,
        input_dir=options.input_dir or f"s3://{BUCKET}/input",
        output_dir=options.output_dir or f"s3://{BUCKET}/output",
    )


def _make_sample(input_dir: str, contracts: str | None, display: Display) -> None:
    """Make what input is missing, wide enough for the number of contracts asked for."""
    wanted = selected(contracts).get("num_contracts", SAMPLE_CONTRACTS)
    if ensure_market_data(input_dir, max(SAMPLE_CONTRACTS, wanted)):
        display.phase(f"Made sample data in {input_dir}")


def _checked(parameters: Mapping[str, Any], contracts: str | None) -> dict[str, Any]:
    """The choice of contracts; refuses what the folders tell before the server is up."""
    check_market_data(parameters["input_dir"])
    selection = chosen(open_market_data(parameters["input_dir"]).contracts, contracts)
    check_writable(open_directory(parameters["output_dir"], "output_dir"), "output_dir")
    return selection
