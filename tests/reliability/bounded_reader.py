"""Reads hostile files in a process of its own, so that its peak memory is theirs.

`python -m tests.reliability.bounded_reader FOLDER` reads each Parquet file directly in FOLDER as
market data and each folder below as the output directory of results, and prints what each came to
and by how many MiB the peak memory grew over that of reading `sound.parquet`.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from lake.errors import EXPECTED
from lake.market.results import read_fingerprints, read_rows
from storage.directory import open_directory
from storage.parquet.column_file import ColumnFile

SOUND = "sound.parquet"


def read_input(file: Path) -> str:
    """Read all columns of a file of market data."""
    columns = ColumnFile(open_directory(str(file.parent), "input_dir"), file.name)
    columns.timestamps(0, columns.rows)
    for name in columns.columns:
        columns.values(name, 0, columns.rows)
    return f"read {columns.rows} rows"


def read_output(folder: Path) -> str:
    """Plan with the results of AAPL, then read them."""
    current = read_fingerprints(open_directory(str(folder), "output_dir"), "AAPL")
    try:
        return f"read {read_rows(str(folder)).num_rows} rows"
    except EXPECTED as error:
        return f"{len(current)} current; {error}"


def answer(read: Callable[[Path], str], path: Path) -> str:
    """What reading came to: our own error's sentence, or how much was read."""
    try:
        return read(path)
    except EXPECTED as error:
        return str(error)


def peak_mib() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(folder: Path) -> None:
    """Read everything in `folder`; anything but an error of ours ends the process."""
    read_input(folder / SOUND)
    before = peak_mib()
    files, folders = (
        sorted(folder.glob("*.parquet")),
        sorted(p for p in folder.iterdir() if p.is_dir()),
    )
    answers = {path.name: answer(read_input, path) for path in files}
    answers |= {path.name: answer(read_output, path) for path in folders}
    print(json.dumps({"answers": answers, "mib": peak_mib() - before}))  # noqa: T201 - its output


if __name__ == "__main__":
    main(Path(sys.argv[1]))
