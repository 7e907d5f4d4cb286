"""What is kept beside the rows of a partition: open gaps, findings, corrections, stray rows.

    bronze/{source}/{interval}/{symbol}/_gaps/20240102.json         while bars are still wanted
    bronze/{source}/{interval}/{symbol}/_checks/20240102.json       what is odd or explained
    bronze/{source}/{interval}/{symbol}/_corrections/20240102-1.parquet
    bronze/{source}/{interval}/{symbol}/_stray/20240102.parquet     rows of days without a session

Each partition has files of its own, so that partitions that are computed at the same time lose
nothing of each other's. That a gap is open is told by its file's being there. It is written before
the rows and removed after them: whenever the process dies, what is missing is asked for again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from lake.bronze.keys import BronzeKey, Stretch, parsed_stretch
from lake.bronze.rows import bars_table, fingerprint
from lake.files import FileLineage, write_file
from storage.directory import Directory
from storage.errors import ContentError
from storage.parquet.arrays import float_column, timestamp_column
from trading.bars.merging import Correction
from trading.bars.model import Bars
from trading.bars.quality.findings import CheckResult, Status
from trading.bars.quality.gaps import GapReason, SessionGap

GAPS, CHECKS, CORRECTIONS, STRAY = "_gaps", "_checks", "_corrections", "_stray"


@dataclass(frozen=True, slots=True)
class GapRecord:
    """What is still wanted of one partition.

    Attributes:
        key: The partition.
        gaps: Its open gaps by session, in order; none where all is there that was to be had, and it
            is to be fetched once more when it is settled.
        detail: What the source or a check said; empty when nothing did.
    """

    key: BronzeKey
    gaps: tuple[SessionGap, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """What the checks of one partition came to.

    Attributes:
        key: The partition.
        checks: Those that found something.
        explained: Gaps that are not open, by session.
    """

    key: BronzeKey
    checks: tuple[CheckResult, ...]
    explained: tuple[SessionGap, ...]


def open_stretches(directory: Directory, folder: str) -> set[Stretch]:
    """The partitions of a symbol's folder that are still wanted; from one listing.

    Raises:
        StorageError: The folder cannot be listed.
    """
    names = directory.list_files(f"{folder}/{GAPS}")
    stems = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return {stretch for stem in stems if (stretch := parsed_stretch(stem)) is not None}


def write_gaps(directory: Directory, record: GapRecord) -> None:
    """Note that a partition is still wanted, and which gaps are open; nothing when that is known.

    Raises:
        StorageError: It cannot be written.
    """
    content = {"detail": record.detail, "gaps": [_gap_object(gap) for gap in record.gaps]}
    _write(directory, _name(record.key, GAPS), content)


def close_gaps(directory: Directory, key: BronzeKey) -> None:
    """Note that nothing of a partition is wanted any more.

    Raises:
        StorageError: The note cannot be removed.
    """
    name = _name(key, GAPS)
    if directory.identity(name) is not None:
        directory.remove(name)


def read_gaps(directory: Directory, key: BronzeKey) -> GapRecord | None:
    """What is still wanted of a partition; None when nothing is.

    Raises:
        ContentError: The record is damaged.
        StorageError: It cannot be read.
    """
    content = _read(directory, _name(key, GAPS))
    if content is None:
        return None
    gaps = tuple(_gap(entry) for entry in content["gaps"])
    return GapRecord(key, gaps, content["detail"])


def write_checks(directory: Directory, record: CheckRecord) -> None:
    """Keep what the checks of a partition found; a record that says nothing is removed.

    Raises:
        StorageError: It cannot be written or removed.
    """
    name = _name(record.key, CHECKS)
    if record.checks or record.explained:
        content = {
            "checks": [dataclasses.asdict(check) for check in record.checks],
            "explained": [_gap_object(gap) for gap in record.explained],
        }
        _write(directory, name, content)
    elif directory.identity(name) is not None:
        directory.remove(name)


def read_checks(directory: Directory, key: BronzeKey) -> CheckRecord | None:
    """What the checks of a partition found; None when they found nothing.

    Raises:
        ContentError: The record is damaged.
        StorageError: It cannot be read.
    """
    content = _read(directory, _name(key, CHECKS))
    if content is None:
        return None
    checks = tuple(
        CheckResult(c["check"], Status(c["status"]), c["message"], c["count"])
        for c in content["checks"]
    )
    return CheckRecord(key, checks, tuple(_gap(entry) for entry in content["explained"]))


def last_revision(directory: Directory, key: BronzeKey) -> int:
    """The highest revision with corrections on record, 0 without any.

    Raises:
        StorageError: The folder cannot be listed.
    """
    prefix = f"{key.stretch.stem}-"
    names = directory.list_files(f"{key.folder}/{CORRECTIONS}")
    numbers = [
        n.removeprefix(prefix).removesuffix(".parquet") for n in names if n.startswith(prefix)
    ]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def write_corrections(
    directory: Directory,
    key: BronzeKey,
    changes: Sequence[Correction],
    *,
    revision: int,
    known_at: datetime,
    flow_run_id: str,
) -> None:
    """Put on record what a delivery changed, before the rows are replaced.

    The file is named by the revision that the rows are about to have: a process that dies between
    the two writes the same file again.

    Raises:
        StorageError: It cannot be written.
    """
    stamps = np.array([c.timestamp for c in changes], "datetime64[ns]")
    known = np.full(
        len(changes), np.datetime64(known_at.astimezone(UTC).replace(tzinfo=None), "ns")
    )
    table = pa.table(
        {
            "timestamp": timestamp_column(stamps, "UTC"),
            "column": pa.array([c.column for c in changes], pa.string()),
            "old": float_column(np.array([c.old for c in changes], np.float64)),
            "new": float_column(np.array([c.new for c in changes], np.float64)),
            "known_at": timestamp_column(known, "UTC"),
        }
    )
    lineage = FileLineage("corrections", key.symbol, str(revision), flow_run_id)
    name = f"{key.folder}/{CORRECTIONS}/{key.stretch.stem}-{revision}.parquet"
    write_file(directory, name, table, lineage)


def write_stray(directory: Directory, key: BronzeKey, stray: Bars, flow_run_id: str) -> None:
    """Keep rows of days that are no session apart; none removes what was kept.

    Raises:
        StorageError: They cannot be written or removed.
    """
    name = f"{key.folder}/{STRAY}/{key.stretch.stem}.parquet"
    if len(stray):
        lineage = FileLineage("stray", key.symbol, fingerprint(key, stray), flow_run_id)
        write_file(directory, name, bars_table(stray), lineage)
    elif directory.identity(name) is not None:
        directory.remove(name)


def _name(key: BronzeKey, kind: str) -> str:
    return f"{key.folder}/{kind}/{key.stretch.stem}.json"


def _write(directory: Directory, name: str, content: Mapping[str, Any]) -> None:
    encoded = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    # Written only when it says something new, as rows are.
    if directory.identity(name) is None or directory.read_bytes(name) != encoded:
        directory.write_bytes(name, encoded)


def _read(directory: Directory, name: str) -> dict[str, Any] | None:
    if directory.identity(name) is None:
        return None
    try:
        content: dict[str, Any] = json.loads(directory.read_bytes(name))
    except ValueError as error:
        url = directory.url_of(name)
        raise ContentError(url, "the record is damaged", "remove it and ingest again") from error
    return content


def _gap_object(gap: SessionGap) -> dict[str, Any]:
    return {
        "session": gap.session.isoformat(),
        "expected": gap.expected,
        "present": gap.present,
        "missing": gap.missing,
        "reason": gap.reason.value,
    }


def _gap(entry: Mapping[str, Any]) -> SessionGap:
    return SessionGap(
        session=date.fromisoformat(entry["session"]),
        expected=entry["expected"],
        present=entry["present"],
        missing=tuple((first, last) for first, last in entry["missing"]),
        reason=GapReason(entry["reason"]),
    )
