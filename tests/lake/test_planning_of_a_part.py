"""Planning some days of a lake asks for the files of those days, however many others there are."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lake import fingerprint_index, listing
from lake.dataset import Dataset, symbol_status
from lake.files import stored_fingerprints
from lake.fingerprint_index import NAME, read_index
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.listing import files_with
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from storage.backends import LocalStore
from storage.directory import Directory, open_directory
from tests.lake.bronze.deliveries import NOW, Lake
from tests.lake.bronze_files import write_minutes
from tests.lake.building import build
from trading.bars.intervals import Interval

FIRST, LAST = date(2023, 12, 20), date(2024, 2, 2)
DAY = date(2024, 1, 31)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Thirty sessions of two years, with gold of every month."""
    folder = str(tmp_path_factory.mktemp("lake"))
    write_minutes(folder, "AAPL", FIRST, LAST)
    for dataset in (SilverDataset(), SilverDaysDataset()):
        build(dataset, SilverRequest(lake_dir=folder))
    build(GoldDataset(), GoldRequest(lake_dir=folder, strategy="rsi_reversion"))
    return folder


@pytest.fixture
def looked_into(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose footers have been read since."""
    names: list[str] = []
    read_tail = Directory.read_tail

    def noted(self: Directory, name: str, *more: Any) -> Any:
        names.append(name)
        return read_tail(self, name, *more)

    monkeypatch.setattr(Directory, "read_tail", noted)
    return names


def planned(dataset: Dataset[Any, Any], request: Any) -> list[str]:
    return [key.relative_path for key in symbol_status(dataset, request, "AAPL").keys]


def test_silver_of_a_day_reads_its_month_of_bronze_and_one_file_of_its_own(
    lake: str, looked_into: list[str]
) -> None:
    request = SilverRequest(lake_dir=lake, first=DAY, last=DAY)
    assert planned(SilverDataset(), request) == ["silver/AAPL/20240131.parquet"]
    january = [name for name in looked_into if name.startswith("bronze/synthetic/1m/AAPL/202401")]
    assert sorted(looked_into) == sorted([*january, "silver/AAPL/20240131.parquet"])
    assert len(january) == 21


def test_days_of_a_year_read_no_year_before_it(lake: str, looked_into: list[str]) -> None:
    request = SilverRequest(lake_dir=lake, first=DAY, last=DAY)
    assert planned(SilverDaysDataset(), request) == ["silver_days/AAPL/2024.parquet"]
    assert not [name for name in looked_into if "/2023" in name]
    # The last bars of a year end in the next one.
    looked_into.clear()
    year = SilverRequest(lake_dir=lake, first=date(2023, 12, 29), last=date(2023, 12, 29))
    assert planned(SilverDaysDataset(), year) == ["silver_days/AAPL/2023.parquet"]
    assert [name for name in looked_into if "/2024" in name]


def test_what_is_planned_of_a_part_is_what_is_planned_of_all(lake: str) -> None:
    for dataset in (SilverDataset(), SilverDaysDataset()):
        every = {
            wanted.key.relative_path: wanted.fingerprint
            for wanted in dataset.wanted(SilverRequest(lake_dir=lake), "AAPL")
        }
        for day in (date(2023, 12, 20), date(2023, 12, 29), date(2024, 1, 2), DAY, LAST):
            request = SilverRequest(lake_dir=lake, first=day, last=day)
            (one,) = dataset.wanted(request, "AAPL")
            assert every[one.key.relative_path] == one.fingerprint
            assert dataset.stored(request, "AAPL") == {one.key.relative_path: one.fingerprint}


@pytest.mark.parametrize(
    ("first", "last"),
    [(DAY, DAY), (FIRST, LAST), (date(2024, 2, 1), None), (None, DAY), (date(2020, 1, 1), LAST)],
)
def test_files_are_the_same_asked_for_by_name_or_found_in_the_folders_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: date | None, last: date | None
) -> None:
    for name in ("2023", "2024-01", "2024-03", "20231220", "20240131", "20240201", "20240202"):
        (tmp_path / "AAPL").mkdir(exist_ok=True)
        (tmp_path / "AAPL" / f"{name}.parquet").touch()
    (tmp_path / "AAPL" / "notes.parquet").touch()
    lake = open_directory(str(tmp_path), "lake_dir")
    asked = files_with(lake, "AAPL", first, last)
    monkeypatch.setattr(listing, "MOST_ASKED", 0)
    assert files_with(lake, "AAPL", first, last) == asked
    assert list(asked) == sorted(asked)
    assert "2024-03.parquet" not in asked or last is None
    assert ("20240131.parquet" in asked) == (first is None or first <= DAY)


def test_a_day_of_silver_and_bronze_is_planned_without_listing_a_folder(
    lake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(self: Directory, folder: str) -> Any:
        # What is open is a list of its own, and short; daily bars have a file a year.
        assert folder.endswith("/_gaps") or "/1d/" in folder, folder
        return {}

    monkeypatch.setattr(Directory, "list_files", listed)
    request = SilverRequest(lake_dir=lake, first=DAY, last=DAY)
    for dataset in (SilverDataset(), SilverDaysDataset()):
        (key,) = symbol_status(dataset, request, "AAPL").keys
        dataset.compute(request, key, "")
    own = Lake(Path(lake))
    (state,) = own.states(own.request("synthetic", first=DAY, last=DAY))
    assert state != "missing"


def test_gold_of_a_month_reads_no_other_gold(lake: str, looked_into: list[str]) -> None:
    request = GoldRequest(
        lake_dir=lake,
        strategy="rsi_reversion",
        intervals=(Interval.MINUTES_5,),
        first=DAY,
        last=DAY,
    )
    assert planned(GoldDataset(), request) == ["gold/rsi_reversion/5m/AAPL/2024-01.parquet"]
    of_gold = [name for name in looked_into if name.startswith("gold/")]
    assert of_gold == ["gold/rsi_reversion/5m/AAPL/2024-01.parquet"]


def test_bronze_of_a_day_reads_its_file(lake: str, looked_into: list[str]) -> None:
    own = Lake(Path(lake))
    own.due(own.request("synthetic", first=DAY, last=DAY), NOW)
    assert looked_into == ["bronze/synthetic/1m/AAPL/20240131.parquet"]


def test_an_index_of_a_part_grows_to_that_of_all(
    lake: str, looked_into: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint_index, "WORTHWHILE_ON_DISK", 16)
    monkeypatch.setattr(LocalStore, "is_settled", lambda *_: True)
    directory, folder = open_directory(lake, "lake_dir"), "silver/AAPL"
    days = {"first": date(2024, 1, 1), "last": date(2024, 1, 31)}
    january = set(stored_fingerprints(directory, folder, "silver", "AAPL", **days))
    assert january == set(read_index(directory, folder))
    assert len(january) == 21
    looked_into.clear()
    every = stored_fingerprints(directory, folder, "silver", "AAPL")
    assert len(looked_into) == len(every) - len(january) > 0
    assert read_index(directory, folder).keys() == every.keys()
    looked_into.clear()
    assert stored_fingerprints(directory, folder, "silver", "AAPL") == every
    assert set(stored_fingerprints(directory, folder, "silver", "AAPL", **days)) == january
    assert read_index(directory, folder).keys() == every.keys(), "a part takes nothing from it"
    assert looked_into == []
    Path(lake, folder, NAME).unlink()
