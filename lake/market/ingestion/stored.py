"""The three input files as one set: read together, replaced together or not at all.

No store renames three files at once, so a replacement is a small transaction with an undo record:

1. the new files are made elsewhere and read back;
2. the present ones are copied to `.previous/`;
3. `ingestion.json` says `replacing`;
4. the files are written, each one atomically;
5. `ingestion.json` says `complete`, with a digest of each file.

A failure in 3 to 5 puts the copies back at once; a killed process leaves `replacing`, and the
next ingestion puts them back before anything else. Who opens the files between 3 and 5 is refused.
What remains: a reader that looked at `ingestion.json` just before 3 can meet new index files beside
the old prices. The prices are written last, so when bars were only added every such mix is valid:
the old prices find what they found.
Of two ingestions into one directory the later one notices before step 2 that it read what is no
longer there; only when both write at the same moment do the digests not fit, and then the next
ingestion takes the files for foreign ones.

The digests tell data that an ingestion wrote from data that someone put there. The latter are
never merged with, only replaced, after a copy was put into a folder that nothing overwrites.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from adapters.market_data.protocol import ClosePrices
from lake.market.ingestion.merging import aligned
from lake.market.inputs import PRICES_FILE, SPX_FILE, VIX_FILE, MarketData, write_market_data
from lake.market.manifest import (
    COMPLETE,
    MANIFEST,
    REPLACING,
    Manifest,
    read_manifest,
    write_manifest,
)
from storage.directory import Directory, open_directory
from storage.errors import StorageError
from trading.bars.context import SPX, VIX

FILES = (VIX_FILE, SPX_FILE, PRICES_FILE)
"""In the order in which they are replaced."""

PREVIOUS = ".previous"


@dataclass(frozen=True, slots=True)
class Market:
    """Closes of the three input files, by series.

    Attributes:
        contracts: Of each contract, in the order of the columns.
        vix: Of the VIX.
        spx: Of the S&P 500.
    """

    contracts: Mapping[str, ClosePrices] = field(default_factory=dict)
    vix: ClosePrices = field(default_factory=ClosePrices.empty)
    spx: ClosePrices = field(default_factory=ClosePrices.empty)


def is_ingested(directory: Directory, manifest: Manifest | None) -> bool:
    """Whether the directory holds exactly what the ingestion with this manifest wrote.

    Raises:
        StorageError: A file cannot be read.
    """
    if manifest is None:
        return False
    present = _present(directory)
    return manifest.digests == {name: _digest(content) for name, content in present.items()}


def read_market(directory: Directory) -> Market:
    """The closes that the three files hold.

    Raises:
        DataError: A file is missing or unusable; the message names it.
        StorageError: A file cannot be read.
    """
    data = MarketData(directory)
    stamps = data.timestamps()

    def series(contract: str) -> ClosePrices:
        return _present_bars(ClosePrices(stamps, data.prices.values(contract, 0, data.rows)))

    rows = (data.vix.rows, data.spx.rows)
    vix, spx = (
        _present_bars(ClosePrices(file.timestamps(0, n), file.values(column, 0, n)))
        for file, column, n in zip((data.vix, data.spx), (VIX, SPX), rows, strict=True)
    )
    return Market({contract: series(contract) for contract in data.contracts}, vix, spx)


def replace_market(
    directory: Directory, market: Market, source: str, interval: str, *, seen: Manifest | None
) -> None:
    """Make the three files hold `market`: all of them, or none.

    Args:
        directory: Where the files are.
        market: What they shall hold; one contract or more, and none of the series empty.
        source: Name of the source that the data come from.
        interval: Length of the bars.
        seen: What `read_manifest` said when `market` was derived from the files.

    Raises:
        DataError: The closes do not make readable files.
        StorageError: Another ingestion came in between, or a file cannot be written; the files
            are as they were.
    """
    contents = _encoded(market)
    digests = {name: _digest(content) for name, content in contents.items()}
    if read_manifest(directory) != seen:
        problem = "another ingestion replaced the files while this one fetched"
        raise StorageError(directory.url, problem, "run again", transient=True)
    keep_copy(directory, PREVIOUS)
    try:
        write_manifest(directory, Manifest(REPLACING, source, interval, digests))
        for name in FILES:
            directory.write_bytes(name, contents[name])
        write_manifest(directory, Manifest(COMPLETE, source, interval, digests))
    except BaseException:
        # When even this fails the next ingestion does it: `replacing` is still there.
        with suppress(StorageError, OSError):
            _put_previous_back(directory)
        raise


def has_files(directory: Directory) -> bool:
    """Whether any of the three files is there.

    Raises:
        StorageError: The directory cannot be asked.
    """
    return any(directory.identity(name) is not None for name in FILES)


def finish_interrupted(directory: Directory) -> None:
    """Put the previous files back when an ingestion was killed while it replaced them.

    Raises:
        StorageError: They cannot be put back.
    """
    manifest = read_manifest(directory)
    if manifest is not None and manifest.state == REPLACING:
        _put_previous_back(directory)


def _encoded(market: Market) -> dict[str, bytes]:
    """The files' contents, read back once so that nothing unreadable replaces what is readable."""
    stamps = np.unique(np.concatenate([prices.timestamps for prices in market.contracts.values()]))
    columns = [aligned(prices, stamps) for prices in market.contracts.values()]
    with tempfile.TemporaryDirectory(prefix="ingestion-") as folder:
        write_market_data(
            folder,
            stamps,
            np.column_stack(columns),
            list(market.contracts),
            market.vix.timestamps,
            market.vix.close,
            market.spx.timestamps,
            market.spx.close,
        )
        staged = open_directory(folder, "input_dir")
        read_market(staged)
        return {name: staged.read_bytes(name) for name in FILES}


def keep_copy(directory: Directory, folder: str) -> None:
    """Copy the present files and their manifest to `folder`, which then holds nothing else of them.

    Raises:
        StorageError: A file cannot be read or written.
    """
    for name in (*FILES, MANIFEST):
        if directory.identity(name) is None:
            _remove(directory, f"{folder}/{name}")
        else:
            directory.write_bytes(f"{folder}/{name}", directory.read_bytes(name))


def _put_previous_back(directory: Directory) -> None:
    for name in (*FILES, MANIFEST):
        if directory.identity(f"{PREVIOUS}/{name}") is None:
            _remove(directory, name)
        else:
            directory.write_bytes(name, directory.read_bytes(f"{PREVIOUS}/{name}"))


def _present(directory: Directory) -> dict[str, bytes]:
    return {
        name: directory.read_bytes(name) for name in FILES if directory.identity(name) is not None
    }


def _present_bars(prices: ClosePrices) -> ClosePrices:
    return prices[~np.isnan(prices.close)]


def _remove(directory: Directory, name: str) -> None:
    if directory.identity(name) is not None:
        directory.remove(name)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
