"""What an outage of a real S3 server costs, and what is left of it afterwards."""

from __future__ import annotations

import pytest
import stamina

from lake.market.dataset import RESULTS
from lake.market.results import read_fingerprints
from lake.planning import plan
from storage.directory import open_directory
from storage.errors import StorageError
from storage.s3 import s3_store
from tests.markets import Market, request_of
from tests.s3_wire import Wire
from tests.storage.s3.conftest import runner_of


def test_refusals_for_a_while_are_waited_for(bucket: str, wire: Wire) -> None:
    directory = open_directory(bucket, "output_dir")
    wire.refusals = 3
    directory.write_bytes("a", b"1")
    assert (wire.refusals, wire.in_vain) == (0, 3)
    assert directory.read_bytes("a") == b"1"


def test_an_outage_fails_what_it_meets_and_soon_once_it_has_been_waited_for(
    bucket: str, wire: Wire
) -> None:
    directory = open_directory(bucket, "output_dir")
    directory.write_bytes("a", b"1")
    wire.plug(connected=False)
    with pytest.raises(StorageError, match="b: it cannot be written: the store does not") as error:
        directory.write_bytes("b", b"2")
    assert error.value.transient
    assert s3_store().is_down
    wire.in_vain = 0
    with pytest.raises(StorageError, match="does not answer"):
        directory.read_bytes("a")
    # Three attempts; aiohttp repeats a GET once by itself.
    assert 0 < wire.in_vain <= 2 * 3
    wire.plug(connected=True)
    assert directory.read_bytes("a") == b"1"
    assert not s3_store().is_down
    assert directory.identity("b") is None


def test_a_partition_waits_for_a_store_that_comes_back(
    bucket: str, wire: Wire, market: Market
) -> None:
    run = runner_of(market, market.write(f"{bucket}/input"), f"{bucket}/output")
    run(0)
    wire.plug(connected=False)

    wire.back_after = wire.in_vain + 3
    with stamina.set_testing(False):  # with the pauses that users have
        run(1)
    assert len(read_fingerprints(open_directory(f"{bucket}/output", "x"), "AAPL")) == 2


def test_after_an_outage_only_the_rest_is_due(bucket: str, wire: Wire, market: Market) -> None:
    source, target = market.write(f"{bucket}/input"), f"{bucket}/output"
    run = runner_of(market, source, target)
    for row in range(12):
        if row in (4, 8):
            wire.plug(connected=row == 8)
        if row in range(4, 8):
            with pytest.raises(StorageError, match="the store does not answer"):
                run(row)
        else:
            run(row)
    (planned,) = plan(RESULTS, request_of(source, target))
    due = planned.due(reprocess=False)
    assert [partition.first for partition in due] == [4, 5, 6, 7, *range(12, 24)]
