"""`ingestion.json`: what the last ingestion says of the three input files beside it.

It is written before the files are replaced and again when all of them are: a reader that finds it
unfinished has new files beside old ones before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from storage.backends import FileIdentity
from storage.directory import Directory
from storage.errors import StorageError

MANIFEST = "ingestion.json"

COMPLETE, REPLACING = "complete", "replacing"

_MOST_BYTES = 65_536
"""What is longer is not ours: a manifest takes about 300 bytes."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `ingestion.json` says of the files beside it.

    Attributes:
        state: `complete` or `replacing`.
        source: Name of the source that the data come from.
        interval: Length of their bars.
        digests: BLAKE2b of each file's content; of the files to be, while replacing.
    """

    state: str
    source: str
    interval: str
    digests: Mapping[str, str]


def read_manifest(directory: Directory, identity: FileIdentity | None = None) -> Manifest | None:
    """What the last ingestion into the directory said of its files, None when there was none.

    Args:
        directory: Where the input files are.
        identity: The manifest's version now, when the caller knows it; one request less.

    Raises:
        StorageError: It cannot be read.
    """
    known = identity or directory.identity(MANIFEST)
    if known is None or known.size > _MOST_BYTES:
        return None
    try:
        return Manifest(**json.loads(directory.read_bytes(MANIFEST)))
    except (ValueError, TypeError, RecursionError):
        return None  # not ours: nor are the files beside it


def write_manifest(directory: Directory, manifest: Manifest) -> None:
    """Write it, whole or not at all.

    Raises:
        StorageError: It cannot be written.
    """
    directory.write_bytes(MANIFEST, json.dumps(asdict(manifest), indent=2).encode())


def check_complete(directory: Directory, identity: FileIdentity | None) -> None:
    """Make sure that the three files belong together.

    Args:
        directory: Where they are.
        identity: The manifest's version now; None when there is no manifest.

    Raises:
        StorageError: An ingestion has replaced some of them and not yet all.
    """
    if identity is None:
        return
    manifest = read_manifest(directory, identity)
    if manifest is not None and manifest.state == REPLACING:
        raise StorageError(
            directory.url,
            "an ingestion is replacing the input files, or was killed while it did",
            "run again when it has ended, or run ingest-market-data, which puts the old ones back",
            transient=True,
        )
