"""What every dataset has in common: partitions that should exist, and what is there of them.

A dataset is computed partition by partition, each one flow run and one result file. It says which
partitions a request asks for and which fingerprint each should have, which are stored, and how one
is computed. Planning, skipping, status, redo, grids and the fan-out are written once, against this.

A request is one frozen value: what, of which symbols, with which parameters, from where to where.
It is built at the edge and travels whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Generic, Protocol, TypeVar


class PartitionStatus(StrEnum):
    """What is there of one partition."""

    DONE = "done"
    """Its result is there and what the inputs and parameters would give now."""
    UNSETTLED = "unsettled"
    """Its result is there, and its source may still correct it: it is fetched again."""
    STALE = "stale"
    """Its result is there, of other inputs, parameters or another version."""
    MISSING = "missing"
    """There is no result."""
    FAILED = "failed"
    """It is not done, and its last flow run failed."""


COMPLETE = frozenset({PartitionStatus.DONE, PartitionStatus.UNSETTLED})
"""The statuses of a partition that nobody has to worry about."""


class PartitionKey(Protocol):
    """What names one partition of a dataset: a symbol and a stretch of time."""

    @property
    def symbol(self) -> str:
        """The instrument."""

    @property
    def label(self) -> str:
        """What people call it, e.g. `AAPL 2024-01-02`."""

    @property
    def relative_path(self) -> str:
        """Its result file, relative to the dataset's folder."""


class Request(Protocol):
    """What every request says beside its dataset's own fields."""

    @property
    def reprocess(self) -> bool:
        """Whether partitions that are up to date are due as well."""

    @property
    def only(self) -> frozenset[str] | None:
        """Result files to look at, relative to the dataset's folder; None for all."""


K = TypeVar("K", bound=PartitionKey)
R = TypeVar("R", bound=Request)
R_contra = TypeVar("R_contra", bound=Request, contravariant=True)


@dataclass(frozen=True, slots=True)
class Wanted(Generic[K]):
    """One partition that a request asks for.

    Attributes:
        key: The partition.
        fingerprint: What its result's fingerprint should be; None where only its computation can
            tell, so that it is due although it is there.
    """

    key: K
    fingerprint: str | None


class Dataset(Protocol[R_contra, K]):
    """What is computed partition by partition."""

    @property
    def name(self) -> str:
        """What people and paths call it, e.g. `silver`."""

    def symbols(self, request: R_contra) -> Sequence[str]:
        """The symbols that the request asks for, each planned on its own.

        Raises:
            ParameterError: One is unknown, or there are none.
        """

    def wanted(self, request: R_contra, symbol: str) -> Sequence[Wanted[K]]:
        """The partitions of one symbol that should exist, in the order of time."""

    def stored(self, request: R_contra, symbol: str) -> Mapping[str, str]:
        """Fingerprint of each stored result of the symbol, by relative file name."""

    def compute(self, request: R_contra, key: K, flow_run_id: str) -> object:
        """Compute one partition and write its file, whatever is there already."""

    def parameters(self, request: R_contra, key: K) -> Mapping[str, object]:
        """The JSON parameters of the flow run that computes one partition."""


@dataclass(frozen=True, slots=True)
class SymbolStatus(Generic[K]):
    """The status of the partitions of one symbol.

    Attributes:
        symbol: The symbol.
        keys: Its partitions, in the order of time.
        states: The status of each.
        orphans: Result files that nothing asks for, sorted.
    """

    symbol: str
    keys: tuple[K, ...]
    states: tuple[PartitionStatus, ...]
    orphans: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        """How many partitions there are."""
        return len(self.keys)

    def count(self, status: PartitionStatus) -> int:
        """How many partitions have this status."""
        return self.states.count(status)

    def having(self, wanted: Collection[PartitionStatus]) -> list[K]:
        """The partitions with one of these statuses, in the order of time."""
        pairs = zip(self.keys, self.states, strict=True)
        return [key for key, state in pairs if state in wanted]

    def due(self, *, reprocess: bool) -> list[K]:
        """The partitions to compute: all that are not done, or simply all."""
        return list(self.keys) if reprocess else self.having(set(PartitionStatus) - {DONE})

    def with_failures(self, labels: Collection[str]) -> SymbolStatus[K]:
        """The same, knowing of which partitions (by label) the last flow run failed."""
        states = tuple(
            PartitionStatus.FAILED if state not in COMPLETE and key.label in labels else state
            for key, state in zip(self.keys, self.states, strict=True)
        )
        return replace(self, states=states)


DONE = PartitionStatus.DONE


def symbol_status(dataset: Dataset[R, K], request: R, symbol: str) -> SymbolStatus[K]:
    """Compare what a request asks of one symbol with what is stored.

    Raises:
        ParameterError: The symbol is unknown.
        DataError: The inputs cannot be used.
        StorageError: Inputs or results cannot be accessed.
    """
    wanted = dataset.wanted(request, symbol)
    return compared(symbol, wanted, dataset.stored(request, symbol), request.only)


def compared(
    symbol: str,
    wanted: Sequence[Wanted[K]],
    stored: Mapping[str, str],
    only: Collection[str] | None = None,
) -> SymbolStatus[K]:
    """The status of a symbol's partitions, once it is known what is wanted and what is there.

    Args:
        symbol: The symbol.
        wanted: All its partitions, in the order of time.
        stored: Fingerprint of each stored result, by relative file name.
        only: Result files to keep of those wanted; None for all.
    """
    orphans = tuple(sorted(set(stored) - {one.key.relative_path for one in wanted}))
    if only is not None:
        wanted = [one for one in wanted if one.key.relative_path in only]
    states = tuple(_state(stored.get(one.key.relative_path), one.fingerprint) for one in wanted)
    return SymbolStatus(symbol, tuple(one.key for one in wanted), states, orphans)


def _state(stored: str | None, wanted: str | None) -> PartitionStatus:
    if stored is None:
        return PartitionStatus.MISSING
    if wanted is None:
        return PartitionStatus.UNSETTLED
    return PartitionStatus.DONE if stored == wanted else PartitionStatus.STALE
