"""`trading prepare-storage`: buckets and sample data that a fresh installation starts with."""

from __future__ import annotations

from urllib.parse import urlsplit

import stamina

from cli.pipeline.credentials import use_credentials_block
from cli.pipeline.sample_data import ensure_market_data
from cli.settings import installation
from servers.connection import REACH_SECONDS, Connection, named_api_url, without_credentials
from servers.errors import CommandError
from servers.prefect import is_healthy
from storage.errors import StorageError
from storage.faults import translated
from storage.s3 import PROTOCOLS, s3_store


def prepare_storage(sample_contracts: int | None, wait_seconds: float) -> list[str]:
    """Make the buckets that the settings name and, if asked, sample market data.

    Existing buckets and data are left unchanged, so it can run again.

    Args:
        sample_contracts: The fewest contracts the sample must have; None makes none.
        wait_seconds: How long to wait for a store that does not answer yet.

    Returns:
        What was done, a sentence each.

    Raises:
        CommandError: The sample could not be made, or the Prefect server that holds the
            credentials does not answer.
        TradingError: The store refuses, or did not answer in time.
    """
    settings = installation()
    if settings.aws_credentials_block is not None:
        use_credentials_block(settings, _prefect_connection())
    directories = (settings.input_dir, settings.output_dir, settings.lake_dir)
    done = []
    for bucket in _buckets(directories):
        _make_bucket(bucket, wait_seconds)
        done.append(f"Bucket {bucket} is there.")
    if sample_contracts is not None:
        made = ensure_market_data(settings.input_dir, sample_contracts)
        happened = f"made for {sample_contracts} contracts" if made else "there already"
        done.append(f"Market data in {settings.input_dir}: {happened}.")
    return done


def _buckets(directories: tuple[str, ...]) -> list[str]:
    """The buckets of those directories that are on S3, each once."""
    urls = [urlsplit(directory) for directory in directories]
    return list(dict.fromkeys(url.netloc for url in urls if url.scheme in PROTOCOLS))


def _make_bucket(bucket: str, wait_seconds: float) -> None:
    retrying = stamina.RetryingCaller(
        attempts=None, timeout=wait_seconds, wait_initial=0.5, wait_max=5.0
    )
    retrying(_is_transient, _make_bucket_once, bucket)


def _make_bucket_once(bucket: str) -> None:
    try:
        s3_store().make_bucket(bucket)
    except Exception as error:
        known = translated(error, f"s3://{bucket}", "created")
        if known is None:
            raise
        raise known from error


def _is_transient(error: Exception) -> bool:
    return isinstance(error, StorageError) and error.transient


def _prefect_connection() -> Connection:
    """The server that holds the block with the credentials."""
    api_url = named_api_url() or ""
    if not is_healthy(api_url, REACH_SECONDS):
        raise CommandError(
            f"PREFECT_API_URL={without_credentials(api_url)} does not answer, and "
            "TRADING_AWS_CREDENTIALS_BLOCK names a block there; start that server, correct the "
            "URL, or unset the variable."
        )
    return Connection(api_url, local=None)
