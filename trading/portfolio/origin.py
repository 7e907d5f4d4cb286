"""A portfolio together with where its numbers come from."""

from __future__ import annotations

from dataclasses import dataclass

from trading.portfolio.performance import Portfolio


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


@dataclass(frozen=True, slots=True, eq=False)
class Aggregation:
    """A stored portfolio and where it comes from.

    Attributes:
        output_dir: Where the results are, as an absolute URL.
        portfolio: The portfolio.
        origin: The lineage of the results.
        files: URLs of the files written: `portfolio.parquet` (one row, the summary),
            `contracts.parquet` and `timeseries.parquet`.
    """

    output_dir: str
    portfolio: Portfolio
    origin: Origin
    files: tuple[str, ...]
