"""Ingestion of market data: from a source into the three input files.

Everything a user can get wrong is refused before the first request; the VIX and the S&P 500 come
before the stocks, because without them there is nothing to write; and nothing is written before
everything is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from adapters.market_data.protocol import CloseInterval, ClosePrices, MarketDataSource, SourceError
from lake.market.ingestion.fetching import fetcher
from lake.market.ingestion.merging import Merged
from lake.market.ingestion.place import Place, place_for
from lake.market.ingestion.request import IngestionRequest, checked_request
from lake.market.ingestion.stored import (
    FILES,
    Market,
    has_files,
    keep_copy,
    read_market,
    replace_market,
)
from lake.market.ingestion.summary import (
    IngestionError,
    IngestionSummary,
    SymbolStatus,
    SymbolSummary,
    failed,
    succeeded,
)
from storage.checks import check_writable
from storage.directory import Directory, open_directory

__all__ = ["IngestionError", "IngestionSummary", "SymbolStatus", "SymbolSummary", "ingest"]

MAX_REASONS = 3
"""Failures told in one error; with the network down every symbol has the same."""


def ingest(  # noqa: PLR0917 - the user's parameters, in the order they know
    source: MarketDataSource,
    symbols: Sequence[str],
    start: date | str | None,
    end: date | str | None,
    interval: CloseInterval | str,
    input_dir: str,
    now: datetime | None = None,
) -> IngestionSummary:
    """Bring the input files up to date with a source.

    Only bars that are over are taken. What an earlier ingestion from the same source stored is
    kept and added to: of each symbol only the missing sessions are fetched, and one stored session
    beside them, which shows restated bars; when there are any, the symbol's whole stored history
    is fetched again. Other files in their place are replaced, after a copy was kept; where they
    hold bars of another interval they stay, and a sub-folder called like the interval is used.

    Args:
        source: Where to fetch from.
        symbols: Contracts, e.g. `AAPL`, `BRK-B` or `BRK.B`, one or more.
        start: First New York date wanted, or None for the last five complete sessions.
        end: Last New York date wanted, included, or None for the latest.
        interval: `1h` or `1d`.
        input_dir: Directory or URL of the input files.
        now: When the ingestion takes place; aware; None for the present.

    Returns:
        What was done. A contract that failed is in it, with the reason.

    Raises:
        ParameterError: A parameter cannot be used; nothing was asked of the source.
        IngestionError: The VIX, the S&P 500 or every contract failed; the files are untouched.
        StorageError: The files cannot be read or written; they are as they were.
    """
    request = checked_request(source, symbols, start, end, interval, now)
    directory = open_directory(input_dir, "input_dir")
    check_writable(directory, "input_dir")
    place = place_for(directory, request.interval)
    directory = place.directory
    stored = _stored(place, source)
    fetched = _fetch(source, request, stored or Market())
    files: tuple[str, ...] = ()
    kept_copy = None
    if fetched.changed:
        # Files that no ingestion from this source wrote may exist nowhere else.
        if stored is None and has_files(directory):
            kept_copy = _kept_copy(directory, request)
        market = fetched.market(stored or Market())
        replace_market(directory, market, source.name, request.interval.value, seen=place.manifest)
        files = tuple(directory.url_of(name) for name in FILES)
    return IngestionSummary(
        source.name,
        request.interval.value,
        *fetched.sessions,
        fetched.summaries(stored or Market()),
        succeeded(source.vix_symbol, fetched.vix),
        succeeded(source.spx_symbol, fetched.spx),
        files,
        kept_copy,
        directory.url,
        place.folder,
    )


def _stored(place: Place, source: MarketDataSource) -> Market | None:
    """What an earlier ingestion from the same source stored, None without one."""
    manifest = place.manifest
    if manifest is None or manifest.source != source.name or not place.ingested:
        return None
    return read_market(place.directory)


def _kept_copy(directory: Directory, request: IngestionRequest) -> str:
    folder = f"replaced-{request.now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    keep_copy(directory, folder)
    return directory.url_of(folder)


@dataclass(frozen=True, slots=True, eq=False)
class _Fetched:
    """What was fetched, merged with what was stored.

    Attributes:
        sessions: First and last session that were wanted.
        vix: The VIX.
        spx: The S&P 500.
        contracts: Each contract asked for, or why it failed.
    """

    sessions: tuple[date, date]
    vix: Merged
    spx: Merged
    contracts: Mapping[str, Merged | SourceError]

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        series = (self.vix, self.spx, *self.contracts.values())
        return any(isinstance(s, Merged) and bool(s.new or s.restated) for s in series)

    def market(self, stored: Market) -> Market:
        """What the files shall hold: new columns after those that are there."""
        fetched = {c: m.prices for c, m in self.contracts.items() if isinstance(m, Merged)}
        return Market({**stored.contracts, **fetched}, self.vix.prices, self.spx.prices)

    def summaries(self, stored: Market) -> tuple[SymbolSummary, ...]:
        """One per contract asked for."""
        return tuple(
            succeeded(contract, outcome)
            if isinstance(outcome, Merged)
            else failed(contract, _series(stored, contract), outcome.reason)
            for contract, outcome in self.contracts.items()
        )


def _fetch(source: MarketDataSource, request: IngestionRequest, stored: Market) -> _Fetched:
    """Fetch the indices and, when both are there, the contracts.

    Raises:
        IngestionError: An index failed, or all the contracts.
    """
    fetch = fetcher(source, request, [stored.vix, stored.spx, *stored.contracts.values()])
    indices = fetch.fetch_all({source.vix_symbol: stored.vix, source.spx_symbol: stored.spx})
    vix, spx = indices.values()
    if isinstance(vix, SourceError) or isinstance(spx, SourceError):
        raise _came_to_nothing(source, indices)
    contracts = fetch.fetch_all({c: _series(stored, c) for c in request.contracts})
    if all(isinstance(outcome, SourceError) for outcome in contracts.values()):
        raise _came_to_nothing(source, contracts)
    return _Fetched(fetch.wanted_range(), vix, spx, contracts)


def _series(stored: Market, contract: str) -> ClosePrices:
    return stored.contracts.get(contract, ClosePrices.empty())


def _came_to_nothing(
    source: MarketDataSource, outcomes: Mapping[str, Merged | SourceError]
) -> IngestionError:
    errors = [error for error in outcomes.values() if isinstance(error, SourceError)]
    reasons = "; ".join(str(error) for error in errors[:MAX_REASONS])
    more = f"; and {len(errors) - MAX_REASONS} more" if len(errors) > MAX_REASONS else ""
    return IngestionError(source.name, reasons + more, transient=any(e.transient for e in errors))
