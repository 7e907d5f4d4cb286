"""How many requests and bytes a partition and a plan cost on a real S3 server."""

from __future__ import annotations

from collections import Counter

from lake.dataset import DONE
from lake.market.dataset import RESULTS
from lake.planning import plan
from storage.directory import open_directory
from tests.markets import Market, random_market, request_of, session_timestamps
from tests.storage.s3.conftest import Traffic, runner_of


def test_one_more_partition_costs_one_look_and_one_put(
    bucket: str, market: Market, traffic: Traffic
) -> None:
    source, target = market.write(f"{bucket}/input"), f"{bucket}/output"
    run = runner_of(market, source, target)
    traffic.begin()
    run(20)
    # A new process: one listing tells the three versions, one GET each has the whole small file.
    assert traffic.requests == {"ListObjectsV2": 1, "GetObject": 3, "PutObject": 1}
    total = sum(identity.size for identity in open_directory(source, "x").list_files("").values())
    assert traffic.received == total
    traffic.begin()
    run(21)
    assert traffic.requests == {"ListObjectsV2": 1, "PutObject": 1}
    assert traffic.received == 0


def test_of_a_long_history_only_the_ranges_of_the_window_are_read(
    bucket: str, traffic: Traffic
) -> None:
    market = random_market(session_timestamps(9_000), contracts=5)  # 72,000 bars
    source = market.write(f"{bucket}/input")
    sizes = open_directory(source, "x").list_files("")
    run = runner_of(market, source, f"{bucket}/output")
    traffic.begin()
    run(40_000)
    whole = sum(identity.size for identity in sizes.values())
    assert traffic.requests["PutObject"] == 1
    # The footers' ends; then times and values of one row group each, of one contract alone.
    assert traffic.requests["GetObject"] == 3 + 6
    assert traffic.received < 3 * 65_536 + 2 * 32_768 * 8 + 4 * 4_096 * 8 + 10_000 < whole / 3
    traffic.begin()
    run(40_001)
    assert traffic.requests == {"ListObjectsV2": 1, "PutObject": 1}


def test_what_is_up_to_date_is_known_after_four_requests(
    bucket: str, market: Market, traffic: Traffic
) -> None:
    source, target = market.write(f"{bucket}/input"), f"{bucket}/output"
    run = runner_of(market, source, target)
    for row in range(16):
        run(row)

    def planned() -> tuple[int, int, Counter[str]]:
        traffic.begin()
        (made,) = plan(RESULTS, request_of(source, target))
        return made.count(DONE), len(made.due(reprocess=False)), Counter(traffic.requests)

    first = planned()
    assert first[:2] == (16, 8)
    assert first[2]["GetObject"] >= 16
    # The input is looked at for the contracts and again for each, the results once; and the index.
    assert planned() == (16, 8, {"ListObjectsV2": 3, "GetObject": 1})
    run(3)
    # What was written since is looked into, and only that.
    assert planned()[2] == {"ListObjectsV2": 3, "GetObject": 2, "PutObject": 1}
    assert planned() == (16, 8, {"ListObjectsV2": 3, "GetObject": 1})
