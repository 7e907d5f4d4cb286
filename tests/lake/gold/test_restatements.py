"""Sessions that come late and are restated in any order: the lake of who had them all at first."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import fingerprint_index
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.grain import Grain
from lake.silver import gathered
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from storage.backends import LocalStore
from tests.lake.bronze_files import with_value, write_bronze
from tests.lake.building import build, contents
from trading.bars.model import Bars, joined
from trading.bars.synthetic_minutes import synthetic_minutes

DAYS = [date(2023, 11, 29), date(2023, 11, 30), date(2023, 12, 4), date(2023, 12, 29),
        date(2024, 1, 2), date(2024, 1, 31)]  # fmt: skip


def write(lake: Path, bars: Bars) -> str:
    """A session of bronze; returns what silver makes of it."""
    (name,) = write_bronze(lake, bars, "1m", Grain.SESSION)
    return f"silver/AAPL/{name.rpartition('/')[2]}"


def made(lake: Path) -> tuple[list[str], list[str]]:
    """What of silver and of gold was due, once it is made."""
    silver = build(SilverDataset(), SilverRequest(lake_dir=str(lake)))
    gold = build(GoldDataset(), GoldRequest(lake_dir=str(lake), strategy="rsi_reversion"))
    return silver, [name.rpartition("/")[2].removesuffix(".parquet") for name in gold]


@pytest.fixture(scope="module")
def history() -> list[Bars]:
    """The minutes of each of the days."""
    return [synthetic_minutes("AAPL", day, day) for day in DAYS]


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(
    late=st.sets(st.integers(0, 5), max_size=2),
    changes=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300)), min_size=1, max_size=3),
)
def test_what_follows_a_change_is_made_again_and_nothing_before_it(
    history: list[Bars], late: set[int], changes: list[tuple[int, int]]
) -> None:
    """However far back it is, and to the bit what a lake makes that never knew other bars."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(gathered, "WORTHWHILE", 1)
        patched.setattr(fingerprint_index, "WORTHWHILE_ON_DISK", 1)
        patched.setattr(LocalStore, "is_settled", lambda *_: True)
        grown, now = Path(folder) / "grown", dict(enumerate(history))
        there = set(now) - late
        for number in sorted(there):
            write(grown, now[number])
        made(grown)
        steps = [(number, now[number]) for number in sorted(late)]
        for volume, (number, minute) in enumerate(changes):
            # Of the session itself: silver is not made of the minutes around it.
            opening = np.datetime64(f"{DAYS[number]}T14:30")
            row = int(np.searchsorted(now[number].timestamps, opening)) + minute
            now[number] = with_value(now[number], row, volume=float(volume))
            steps.append((number, now[number]))
        for number, bars in steps:
            silver = write(grown, bars)
            there.add(number)
            since = DAYS[number].replace(day=1)
            months = {f"{DAYS[n]:%Y-%m}" for n in there if DAYS[n] >= since}
            assert made(grown) == ([silver], sorted(months))
        patched.undo()
        scratch = Path(folder) / "scratch"
        write_bronze(scratch, joined(list(now.values()), "AAPL"), "1m", Grain.SESSION)
        made(scratch)
        for layer in ("silver", "gold"):
            assert contents(grown, layer) == contents(scratch, layer)
        assert len(list(grown.glob("silver/AAPL/.5m-*.gathered"))) == 2
        assert not list(scratch.glob("silver/AAPL/.*"))
