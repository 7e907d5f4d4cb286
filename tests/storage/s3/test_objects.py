"""Storage on a real S3 server: what it keeps, and keeps whole."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lake.market.aggregate import AggregationRequest, aggregate
from lake.market.inputs import MarketData, open_market_data
from lake.market.results import read_fingerprints, read_rows
from storage.directory import open_directory
from storage.errors import LocationError, StorageError
from storage.s3 import S3Store, s3_store
from tests.markets import Market, random_market, session_timestamps
from tests.storage.s3.conftest import runner_of


def test_a_listing_goes_on_where_a_page_ends(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = open_directory(bucket, "output_dir")
    for name in "abcde":
        directory.write_bytes(name, b"x")
        directory.write_bytes(f"folder-{name}/x", b"x")
    request = S3Store._request
    pages: list[object] = []

    def of_three(store: S3Store, method: str, **arguments: object) -> dict[str, object]:
        pages.append(method)
        return request(store, method, MaxKeys=3, **arguments)

    monkeypatch.setattr(S3Store, "_request", of_three)
    assert list(directory.list_files("")) == list("abcde")
    assert len(pages) == 4
    assert directory.list_folders() == [f"folder-{name}" for name in "abcde"]


@pytest.mark.parametrize("rest", ["", "//", "UPPER/x", "b", "bucket//x", "a b/x"])
def test_what_is_no_s3_location_is_refused_without_asking(rest: str) -> None:
    with pytest.raises(LocationError, match=r"input_dir=.* is not an S3 location; pass s3://"):
        open_directory(f"s3://{rest}", "input_dir")


def test_one_client_serves_all_threads_and_another_environment_gets_its_own(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores: list[object] = [s3_store()]
    threads = [threading.Thread(target=lambda: stores.append(s3_store())) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    assert len({id(store) for store in stores}) == 1
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    assert s3_store() is not stores[0]


def test_results_equal_the_local_ones(bucket: str, market: Market, tmp_path: Path) -> None:
    tables, portfolios = [], []
    for place in (str(tmp_path), bucket):
        run = runner_of(market, market.write(f"{place}/input"), f"{place}/output")
        for row in range(24):
            run(row)
        tables.append(read_rows(f"{place}/output"))
        portfolios.append(
            aggregate(AggregationRequest(input_dir=f"{place}/input", output_dir=f"{place}/output"))
        )
        assert len(read_fingerprints(open_directory(f"{place}/output", "x"), "AAPL")) == 24
    assert tables[0].equals(tables[1])
    assert portfolios[0].portfolio.summary == portfolios[1].portfolio.summary
    assert portfolios[1].files[0] == f"{bucket}/output/_portfolio/portfolio.parquet"


def test_a_file_replaced_between_two_reads_is_never_mixed(bucket: str) -> None:
    market = random_market(session_timestamps(5_000), contracts=5)
    data = MarketData(open_directory(market.write(f"{bucket}/input"), "input_dir"))
    data.prices.values("AAPL", 0, 10)
    replace(market, prices=market.prices * 2).write(f"{bucket}/input")
    with pytest.raises(StorageError, match="it changed while it was being read; run again"):
        data.prices.values("MSFT", 0, 10)
    assert not data.is_current()
    again = open_market_data(f"{bucket}/input").prices.values("MSFT", 0, 10)
    np.testing.assert_array_equal(again, 2 * market.prices[:10, 2])


def test_s3fs_is_not_loaded_for_local_files(input_dir: str) -> None:
    program = (
        "import sys; from storage.directory import *; from lake.market.inputs import *; "
        "from storage.checks import *\n"
        "check_reachable(sys.argv[1], 'x'); open_market_data(sys.argv[1]).timestamps()\n"
        "check_writable(open_directory(sys.argv[1], 'x'), 'x')\n"
        "print([name for name in ('s3fs', 'botocore', 'aiohttp') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, input_dir], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
