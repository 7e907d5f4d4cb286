"""Building a lake in a test, as the flows do it: plan, compute what is due, plan again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lake.dataset import Dataset, symbol_status


def due(dataset: Dataset[Any, Any], request: Any) -> list[str]:
    """The files that are not up to date."""
    found = []
    for symbol in dataset.symbols(request):
        status = symbol_status(dataset, request, symbol)
        found += [key.relative_path for key in status.due(reprocess=False)]
    return found


def build(dataset: Dataset[Any, Any], request: Any) -> list[str]:
    """Compute what is due, and return its files."""
    made = []
    for symbol in dataset.symbols(request):
        for key in symbol_status(dataset, request, symbol).due(reprocess=False):
            dataset.compute(request, key, "run")
            made.append(key.relative_path)
    assert due(dataset, request) == []
    return made


def contents(lake: Path, folder: str) -> dict[str, str]:
    """By file below a folder, the hash of its rows and of what its footer says of their inputs."""
    found = {}
    for file in sorted((lake / folder).rglob("*.parquet")):
        table = pq.read_table(file)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema.remove_metadata()) as writer:
            writer.write_table(table.replace_schema_metadata(None).combine_chunks())
        footer = pq.read_metadata(file).metadata
        text = bytes(sink.getvalue()) + footer[b"fingerprint"]
        found[file.relative_to(lake).as_posix()] = hashlib.sha256(text).hexdigest()
    return found
