"""One partition of bronze: fetched, checked, merged with what is stored, written, accounted for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import stamina

from adapters.market_data.bar_source import BarSource, Delivery
from adapters.market_data.protocol import LONGEST_RETRY_AFTER, SourceError
from lake.bronze import records
from lake.bronze.keys import BronzeKey
from lake.bronze.records import CheckRecord, GapRecord
from lake.bronze.rows import (
    DATASET,
    StoredBars,
    fingerprint,
    read_bars,
    write_bars,
)
from lake.bronze.settlement import settlement_start
from lake.bronze.sittings import Sittings
from lake.files import stored_metadata
from storage.directory import Directory
from storage.errors import ContentError
from trading.bars.merging import corrections, merged
from trading.bars.model import Bars
from trading.bars.quality import ohlc
from trading.bars.quality.findings import CheckResult, Status
from trading.bars.quality.gaps import GapReason, SessionGap, failed_gaps, session_gaps
from trading.errors import DataError
from trading.instruments.clock import to_datetime64


@dataclass(frozen=True, slots=True)
class PartitionSummary:
    """What a run of one partition came to.

    Attributes:
        label: The partition.
        rows: Bars that are stored now.
        written: Whether the file was written: identical bars leave it as it is.
        corrected: Values that the source said differently than before.
        missing: Bars of the calendar that are still wanted.
        warnings: What the checks found, a sentence each.
        url: The file.
    """

    label: str
    rows: int
    written: bool
    corrected: int
    missing: int
    warnings: tuple[str, ...]
    url: str

    @property
    def sentence(self) -> str:
        """For the log."""
        what = "written" if self.written else "unchanged" if self.rows else "nothing to store"
        more = f", {self.corrected} values corrected" if self.corrected else ""
        open_ = f", {self.missing} bars still missing" if self.missing else ""
        return f"{self.label}: {self.rows} bars, {what}{more}{open_}"


def _worth_retrying(error: Exception) -> bool | float:
    """Whether to ask again, or after how many seconds when the source says so."""
    if not isinstance(error, SourceError) or not error.transient:
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER else False


ATTEMPTS = 5

_RETRYING = stamina.RetryingCaller(
    attempts=ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=30.0, wait_jitter=1.0
).on(_worth_retrying)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PartitionRun:
    """The computation of one partition.

    Attributes:
        directory: The lake.
        source: Where the bars are from.
        key: The partition.
        expected: The dates on which the instrument was listed; None for all.
        now: The time: what ends later is not stored yet.
        flow_run_id: The run that computes it.
    """

    directory: Directory
    source: BarSource
    key: BronzeKey
    expected: Callable[[date], bool] | None
    now: datetime
    flow_run_id: str

    def run(self) -> PartitionSummary:
        """Fetch, check and store.

        Raises:
            SourceError: The source did not deliver; a gap is open.
            DataError: What it delivered is refused; nothing was stored, a gap is open.
            StorageError: The lake cannot be read or written.
        """
        stored = self._stored()
        before = stored.bars if stored else Bars.empty(self.key.symbol)
        sittings = Sittings.of(self.key, self.now, self.expected)
        try:
            delivery = self._delivered()
        except (SourceError, DataError) as error:
            transient = isinstance(error, SourceError) and error.transient
            refused = isinstance(error, DataError)
            reason = GapReason.FAILED if transient or refused else GapReason.NOT_SERVED
            self._open(self._gaps(before, sittings, reason), str(error))
            raise
        closed = sittings.closed(delivery.bars)
        kept, stray = sittings.split(closed)
        checks = self._checks(kept, stray, before, delivery, sittings)
        if ohlc.worst(checks) is Status.FAIL:
            self._refuse(checks, kept, before, sittings)
        return self._keep(merged(before, kept), stray, stored, checks, sittings)

    def _stored(self) -> StoredBars | None:
        try:
            return read_bars(self.directory, self.key)
        except ContentError:
            name, symbol = self.key.relative_path, self.key.symbol
            if stored_metadata(self.directory, name, DATASET, symbol):
                raise
            return None  # no result of ours, as planning sees it: it is made again

    def _delivered(self) -> Delivery:
        stretch = self.key.stretch
        end = min(stretch.end, self.now)
        return _RETRYING(self.source.bars, self.key.symbol, self.key.interval, stretch.start, end)

    def _checks(
        self, kept: Bars, stray: Bars, before: Bars, delivery: Delivery, sittings: Sittings
    ) -> tuple[CheckResult, ...]:
        reach = self.source.capability.reach[self.key.interval].earliest(self.now)
        first = np.datetime64("1678-01-01", "ns") if reach is None else to_datetime64(reach)
        every = (
            *ohlc.check_bars(kept),
            ohlc.repeated_rows(self.key.symbol, delivery.repeated),
            ohlc.stray_rows(stray),
            ohlc.off_grid(kept, sittings.grid, sittings.inside(kept)),
            ohlc.withdrawn_rows(before, kept, first),
        )
        return tuple(check for check in every if check.status.severity)

    def _refuse(
        self, checks: tuple[CheckResult, ...], kept: Bars, before: Bars, sittings: Sittings
    ) -> None:
        """Store nothing of a delivery that cannot be true.

        Raises:
            DataError: Always.
        """
        failed = [check for check in checks if check.status is Status.FAIL]
        problem = "; ".join(check.message.rstrip(".") for check in failed)
        gaps = self._gaps(before, sittings, GapReason.FAILED)
        if not gaps:
            # All bars are there from before; what came now is still not settled.
            gaps = tuple(
                SessionGap(day, count, count, (), GapReason.FAILED)
                for day, count in sittings.counts(kept)
            )
        self._open(gaps, problem)
        records.write_checks(self.directory, CheckRecord(self.key, checks, ()))
        what = f"{self.key.label} of {self.source.name}"
        raise DataError(what, problem, "nothing of it is stored; correct the source, or ask again")

    def _keep(
        self,
        bars: Bars,
        stray: Bars,
        stored: StoredBars | None,
        checks: tuple[CheckResult, ...],
        sittings: Sittings,
    ) -> PartitionSummary:
        gaps = session_gaps(
            bars.timestamps, sittings.within, self.key.interval, to_datetime64(self.now)
        )
        open_gaps = tuple(gap for gap in gaps if gap.is_open)
        settled = self.key.stretch.last < settlement_start(self.now)
        # The order counts, see `records`: that something is missing is said before the rows.
        if open_gaps or not settled:
            records.write_gaps(self.directory, GapRecord(self.key, open_gaps))
        explained = tuple(gap for gap in gaps if not gap.is_open)
        records.write_checks(self.directory, CheckRecord(self.key, checks, explained))
        records.write_stray(self.directory, self.key, stray, self.flow_run_id)
        changed = len(bars) > 0 and (
            stored is None or stored.fingerprint != fingerprint(self.key, bars)
        )
        corrected = self._write(bars, stored, sittings) if changed else 0
        if settled and not open_gaps:
            records.close_gaps(self.directory, self.key)
        return PartitionSummary(
            label=self.key.label,
            rows=len(bars),
            written=changed,
            corrected=corrected,
            missing=sum(gap.expected - gap.present for gap in open_gaps),
            warnings=tuple(f"{check.check}: {check.message}" for check in checks),
            url=self.directory.url_of(self.key.relative_path),
        )

    def _write(self, bars: Bars, stored: StoredBars | None, sittings: Sittings) -> int:
        revision, changed = records.last_revision(self.directory, self.key), 0
        if stored is not None:
            revision, changes = stored.revision + 1, corrections(stored.bars, bars)
            changed = len(changes)
            records.write_corrections(
                self.directory,
                self.key,
                changes,
                revision=revision,
                known_at=self.now,
                flow_run_id=self.flow_run_id,
            )
        write_bars(
            self.directory,
            self.key,
            bars,
            sessions=sittings.prices(bars),
            revision=revision,
            flow_run_id=self.flow_run_id,
        )
        return changed

    def _gaps(self, before: Bars, sittings: Sittings, reason: GapReason) -> tuple[SessionGap, ...]:
        now = to_datetime64(self.now)
        gaps = session_gaps(before.timestamps, sittings.within, self.key.interval, now)
        return failed_gaps(gaps, reason)

    def _open(self, gaps: tuple[SessionGap, ...], detail: str) -> None:
        records.write_gaps(self.directory, GapRecord(self.key, gaps, detail))
