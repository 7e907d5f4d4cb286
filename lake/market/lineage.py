"""Where stored results come from: what the metadata of many files say, taken together."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lake.fingerprints import DIGEST_BYTES
from lake.market.results import Metadata


@dataclass(frozen=True, slots=True)
class Origin:
    """The lineage of a set of result files.

    Attributes:
        fingerprint: Hash of the fingerprints of all files: equal for equal inputs, parameters,
            contracts and grain, whoever computed them and when; 32 hexadecimal digits.
        files: How many files there are.
        flow_runs: How many flow runs computed them.
        grains: What one file covers, most frequent first; several after a change of grain.
        strategies: The parameters as JSON, most frequent first; several when only a part of the
            results was made again with others.
        code_versions: Versions of this project that wrote them, most frequent first.
        first_written: When the oldest was written, ISO 8601 in UTC.
        last_written: When the newest was written.
    """

    fingerprint: str
    files: int
    flow_runs: int
    grains: tuple[str, ...]
    strategies: tuple[str, ...]
    code_versions: tuple[str, ...]
    first_written: str
    last_written: str


def origin(metadata: Sequence[Metadata]) -> Origin:
    """The origin of one result file or more, from the metadata of each."""
    written = sorted(_values(metadata, b"written_at"))
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for fingerprint in sorted(_values(metadata, b"fingerprint")):
        digest.update(fingerprint.encode() + b"\n")
    return Origin(
        fingerprint=digest.hexdigest(),
        files=len(metadata),
        flow_runs=len(set(_values(metadata, b"flow_run_id"))),
        grains=_by_frequency(_values(metadata, b"grain")),
        strategies=_by_frequency(_values(metadata, b"parameters")),
        code_versions=_by_frequency(_values(metadata, b"code_version")),
        first_written=written[0],
        last_written=written[-1],
    )


def _values(metadata: Sequence[Metadata], key: bytes) -> list[str]:
    return [entry[key].decode(errors="replace") for entry in metadata if key in entry]


def _by_frequency(values: list[str]) -> tuple[str, ...]:
    return tuple(value for value, _ in Counter(values).most_common())
