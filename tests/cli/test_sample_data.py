from __future__ import annotations

from pathlib import Path

import pytest

from cli.pipeline.sample_data import ensure_market_data
from lake.market.inputs import FILES, open_market_data
from servers.errors import CommandError
from storage.errors import LocationError


def test_the_sample_is_made_once_and_can_be_read(tmp_path: Path) -> None:
    folder = str(tmp_path / "input")
    assert ensure_market_data(folder, 12)
    made = {name: (tmp_path / "input" / name).stat().st_mtime_ns for name in FILES}
    market = open_market_data(folder)
    assert (len(market.contracts), market.rows) == (12, 24)
    assert market.contracts[0] == "AAPL"
    assert not ensure_market_data(folder, 20)
    assert {name: (tmp_path / "input" / name).stat().st_mtime_ns for name in FILES} == made


@pytest.mark.parametrize("present", [FILES[:1], FILES[1:]])
def test_data_of_the_users_own_are_never_replaced(tmp_path: Path, present: list[str]) -> None:
    for name in present:
        (tmp_path / name).write_text("mine")
    with pytest.raises(CommandError) as caught:
        ensure_market_data(str(tmp_path), 10)
    assert all(name in str(caught.value) for name in set(FILES) - set(present))
    assert not any(name in str(caught.value) for name in present)
    assert {path.name for path in tmp_path.iterdir()} == set(present)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match=r"could not be made in .*/file/input: \S") as caught:
        ensure_market_data(str(tmp_path / "file" / "input"), 10)
    assert "\n" not in str(caught.value)


def test_a_location_that_cannot_be_opened_is_told_by_its_parameter() -> None:
    with pytest.raises(LocationError, match="input_dir='nowhere://x'"):
        ensure_market_data("nowhere://x", 10)
