"""A portfolio together with where its numbers come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

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


class LeftOut(Protocol):
    """A stored result that no portfolio counts, because the input does not ask for it."""

    @property
    def file(self) -> str:
        """Its file, relative to the output directory."""

    @property
    def reason(self) -> StrEnum:
        """Why, in words."""


class AskedFor(Protocol):
    """What the input asks for."""

    @property
    def input_dir(self) -> str:
        """Where the input is."""

    @property
    def grain(self) -> StrEnum:
        """What one result covers."""


class StoredPortfolio(Protocol):
    """A portfolio made of stored results, and how those stand; `lake` makes it."""

    @property
    def output_dir(self) -> str:
        """Where the results are, as an absolute URL."""

    @property
    def portfolio(self) -> Portfolio:
        """The portfolio."""

    @property
    def origin(self) -> Origin:
        """The lineage of the results."""

    @property
    def wanted(self) -> AskedFor:
        """What the input asks for."""

    @property
    def metrics(self) -> Mapping[str, object]:
        """The portfolio's metrics by name, and how the results stand that it was made of."""

    @property
    def orphaned(self) -> Sequence[LeftOut]:
        """What lies beside the results, and was left out."""
