"""One process changes the lake in the middle of another's work: nothing wrong comes of it.

The other's work is done in this process, before each single look of the first at the lake in
turn, so that every order of the two is tried and none depends on chance.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import lake as lakes
from adapters.market_data.synthetic_bars import SyntheticBarSource
from lake import fingerprint_index
from lake.compaction.compacting import GRACE, compact
from lake.dataset import PartitionStatus, symbol_status
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.grain import Grain
from lake.silver import gathered
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from storage.backends import LocalStore
from storage.directory import open_directory
from tests.lake.bronze.deliveries import Lake
from tests.lake.bronze_files import with_value, write_bronze, write_minutes
from tests.lake.building import build, contents
from trading.bars.intervals import Interval
from trading.bars.model import Bars

FIRST, LAST = date(2024, 1, 30), date(2024, 2, 2)
"""Two sessions of January, two of February."""

LATER = datetime(2024, 6, 3, 12, tzinfo=UTC)
"""When all of them are settled."""

pytestmark = pytest.mark.slow

READS = ("identity", "list", "read", "read_tail")

Work = Callable[[], object]


@pytest.fixture(autouse=True)
def _kept_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of files is kept of few and new ones, too."""
    monkeypatch.setattr(gathered, "WORTHWHILE", 1)
    monkeypatch.setattr(fingerprint_index, "WORTHWHILE_ON_DISK", 1)
    monkeypatch.setattr(LocalStore, "is_settled", lambda *_: True)


@pytest.fixture(scope="module")
def minutes(tmp_path_factory: pytest.TempPathFactory) -> Bars:
    """The minutes of AAPL."""
    return write_minutes(tmp_path_factory.mktemp("minutes"), "AAPL", FIRST, LAST)


@pytest.fixture(scope="module")
def january(minutes: Bars) -> Bars:
    """Those of the first month."""
    return minutes[minutes.timestamps < np.datetime64("2024-02-01")]


def silver_of(lake: Path) -> list[str]:
    return build(SilverDataset(), SilverRequest(lake_dir=str(lake), symbols=("AAPL",)))


def gold_of(lake: Path) -> GoldRequest:
    return GoldRequest(
        lake_dir=str(lake),
        strategy="rsi_reversion",
        intervals=(Interval.MINUTES_5,),
        symbols=("AAPL",),
    )


def restated(bars: Bars) -> Bars:
    """Another high in a minute of the first session, and in one of the third."""
    for stamp in ("2024-01-30T15:00", "2024-02-01T15:00"):
        row = int(np.searchsorted(bars.timestamps, np.datetime64(stamp)))
        bars = with_value(bars, row, high=500.0)
    return bars


def at_each_look(
    template: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, other: Callable[[Path], object]
) -> Iterator[tuple[Path, Callable[[Work], object]]]:
    """Lakes like the template, and how work is run in each with the other's at a look of its own.

    One for every look that the work takes; the last is one in which the other did not come.
    """
    number = 0
    came = True
    while came:
        number += 1
        came = False
        lake = folder / str(number)
        shutil.copytree(template, lake)

        def run(work: Work, lake: Path = lake, number: int = number) -> object:
            nonlocal came
            looks = 0

            def look(original: Any) -> Any:
                def looked(self: LocalStore, path: str, *more: Any) -> Any:
                    nonlocal looks, came
                    if not came and str(lake) in path:
                        looks += 1
                        if looks == number:
                            came = True
                            other(lake)
                    return original(self, path, *more)

                return looked

            with monkeypatch.context() as patched:
                for name in READS:
                    patched.setattr(LocalStore, name, look(getattr(LocalStore, name)))
                return work()

        yield lake, run
        shutil.rmtree(lake)
    assert number > 5, "the work looks at the lake more than a few times"


def test_bronze_and_silver_of_other_bars_while_gold_plans_and_computes(
    tmp_path: Path, minutes: Bars, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan is that of before or after; a file that passes for one of after is one."""
    template, after = tmp_path / "template", tmp_path / "after"
    write_bronze(template, minutes, "1m", Grain.SESSION)
    silver_of(template)
    build(GoldDataset(), gold_of(template))
    write_bronze(after, restated(minutes), "1m", Grain.SESSION)
    silver_of(after)
    build(GoldDataset(), gold_of(after))
    expected = contents(after, "gold")
    fingerprints = {name: _fingerprint(after / name) for name in expected}

    def other(lake: Path) -> None:
        own = Lake(lake)
        msft = own.request("synthetic", first=FIRST, last=FIRST, symbols=("MSFT",))
        own.ingest(SyntheticBarSource(), msft)
        write_bronze(lake, restated(minutes), "1m", Grain.SESSION)
        silver_of(lake)

    for lake, run in at_each_look(template, tmp_path / "lakes", monkeypatch, other):
        gold, request = GoldDataset(), gold_of(lake)

        def plan_and_compute(gold: Any = gold, request: Any = request) -> Any:
            status = symbol_status(gold, request, "AAPL")
            gold.compute(request, status.keys[-1], "")
            return status

        status: Any = run(plan_and_compute)
        assert len(status) == 2
        assert set(status.states) <= {PartitionStatus.DONE, PartitionStatus.STALE}
        for name, rows in contents(lake, "gold").items():
            assert rows == expected[name] or _fingerprint(lake / name) != fingerprints[name]
        other(lake)
        build(gold, request)
        assert contents(lake, "gold") == expected


def _fingerprint(file: Path) -> bytes:
    found: bytes = pq.read_metadata(file).metadata[b"fingerprint"]
    return found


def compacted(grace: timedelta) -> Callable[[Path], None]:
    """Another process that compacts a lake, and fails at nothing."""

    def other(lake: Path) -> None:
        found = compact(open_directory(str(lake), "lake_dir"), LATER, grace=grace)
        assert {one.reason for one in found} == {""}

    return other


@pytest.mark.parametrize("grace", [GRACE, timedelta(0)])
def test_compaction_while_silver_is_made(
    tmp_path: Path, january: Bars, monkeypatch: pytest.MonkeyPatch, grace: timedelta
) -> None:
    """Bronze that is put into months in the middle of it is the same bronze."""
    template, plain = tmp_path / "template", tmp_path / "plain"
    for lake in (template, plain):
        write_bronze(lake, january, "1m", Grain.SESSION)
    silver_of(plain)
    expected = contents(plain, "silver")

    for lake, run in at_each_look(template, tmp_path / "lakes", monkeypatch, compacted(grace)):
        silver, request = SilverDataset(), SilverRequest(lake_dir=str(lake))

        def plan_and_compute(silver: Any = silver, request: Any = request) -> Any:
            keys = symbol_status(silver, request, "AAPL").due(reprocess=False)
            silver.compute(request, keys[0], "")
            return len(keys)

        assert run(plan_and_compute) == 2
        silver_of(lake)
        assert contents(lake, "silver") == expected


@pytest.mark.parametrize("grace", [GRACE, timedelta(0)])
def test_compaction_while_silver_is_read(
    tmp_path: Path, january: Bars, monkeypatch: pytest.MonkeyPatch, grace: timedelta
) -> None:
    """By gold, which plans and computes, and by who asks for its rows."""
    template, plain = tmp_path / "template", tmp_path / "plain"
    for lake in (template, plain):
        write_bronze(lake, january, "1m", Grain.SESSION)
        silver_of(lake)
        build(SilverDaysDataset(), SilverRequest(lake_dir=str(lake)))
    build(GoldDataset(), gold_of(plain))
    expected = contents(plain, "gold")
    rows = lakes.read("silver", "AAPL", "13m", lake_dir=str(plain))

    for lake, run in at_each_look(template, tmp_path / "lakes", monkeypatch, compacted(grace)):

        def make_and_read(lake: Path = lake) -> Any:
            build(GoldDataset(), gold_of(lake))
            return lakes.read("silver", "AAPL", "13m", lake_dir=str(lake))

        assert run(make_and_read) == rows
        assert contents(lake, "gold") == expected
