"""Where stored results come from: what the metadata of many files say, taken together."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from lake.fingerprints import DIGEST_BYTES
from lake.market.results import Metadata
from trading.portfolio.origin import Origin


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
