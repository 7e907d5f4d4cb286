"""Storage on a real S3 server: what it costs, what it keeps whole, and what its refusals say."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import stamina

from tests.s3 import SessionS3
from tests.trading.conftest import SMALL, Market, random_market, session_timestamps
from trading.aggregation import aggregate
from trading.errors import ParameterError, StorageError
from trading.market_data import MarketData, open_market_data
from trading.parameters import Grain
from trading.partition_run import run_partition
from trading.planning import plan
from trading.results import read_fingerprints, read_rows
from trading.s3 import S3Credentials, S3Store, s3_store, use_credentials
from trading.storage import (
    check_reachable,
    check_readable,
    check_writable,
    open_directory,
)


@pytest.fixture
def bucket(s3_bucket: str) -> Iterator[str]:
    yield s3_bucket
    use_credentials(S3Credentials())


class Traffic:
    """Requests that a client sent, by operation, and the bytes of the bodies it received."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.received = 0

    def begin(self) -> None:
        self.requests.clear()
        self.received = 0


@pytest.fixture
def traffic(bucket: str) -> Iterator[Traffic]:
    """What this test's client sends, seen where botocore sends it."""
    seen, store = Traffic(), s3_store()
    store.filesystem.connect()
    events = store.filesystem.s3.meta.events

    def sent(model: object, **_: object) -> None:
        seen.requests[getattr(model, "name", "?")] += 1

    def answered(parsed: dict[str, object], **_: object) -> None:
        length = parsed.get("ContentLength", 0)
        seen.received += length if "Body" in parsed and isinstance(length, int) else 0

    events.register("before-call.s3.*", sent)
    events.register("after-call.s3.*", answered)
    yield seen
    events.unregister("before-call.s3.*", sent)
    events.unregister("after-call.s3.*", answered)


def test_files_read_back_as_written(bucket: str) -> None:
    directory = open_directory(f"{bucket}/some/prefix/", "output_dir")
    assert (directory.url, directory.is_local) == (f"{bucket}/some/prefix", False)
    directory.write_bytes("AAPL/a.parquet", b"0123456789")
    assert directory.read_bytes("AAPL/a.parquet") == b"0123456789"
    assert directory.read_tail("AAPL/a.parquet", 3) == b"789"
    assert directory.read_tail("AAPL/a.parquet", 300) == b"0123456789"
    with directory.open("AAPL/a.parquet") as file:
        assert (file.readable(), file.seekable(), file.seek(-6, os.SEEK_END)) == (True, True, 4)
        assert file.read(2) == b"45"
        assert file.tell() == 6
        assert file.readlines() == [b"6789"]
    directory.write_bytes("empty", b"")
    assert directory.read_tail("empty", 8) == b""
    assert directory.read_bytes("empty") == b""
    with pytest.raises(StorageError, match=r"nowhere: it cannot be read: .*not exist"):
        directory.read_bytes("nowhere")
    with pytest.raises(StorageError, match=r"nowhere: it cannot be read: .*not exist"):
        directory.open("nowhere")


def test_listings_and_identities_tell_the_same_and_missing_is_none(bucket: str) -> None:
    directory = open_directory(bucket, "output_dir")
    for name in ("B/2", "B/1", "B/.hidden", "A/sub/x", "top"):
        directory.write_bytes(name, name.encode())
    assert directory.list_folders() == ["A", "B"]
    assert directory.list_files("B") == {
        name[2:]: directory.identity(name) for name in ("B/1", "B/2")
    }
    assert directory.identities(["top", "none"]) == {"top": directory.identity("top"), "none": None}
    assert directory.identity("none") is None
    assert not directory.list_files("nowhere")
    before = directory.identity("top")
    directory.write_bytes("top", b"pot")
    assert directory.identity("top") != before
    directory.remove("top")
    assert directory.identity("top") is None


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
    with pytest.raises(ParameterError, match=r"input_dir=.* is not an S3 location; pass s3://"):
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


# What it costs


def test_one_more_partition_costs_one_look_and_one_put(
    bucket: str, market: Market, traffic: Traffic
) -> None:
    source, target = market.write(f"{bucket}/input"), f"{bucket}/output"
    run = _runner(market, source, target)
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
    run = _runner(market, source, f"{bucket}/output")
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


def test_what_is_up_to_date_is_known_after_two_requests(
    bucket: str, market: Market, traffic: Traffic
) -> None:
    source, target = market.write(f"{bucket}/input"), f"{bucket}/output"
    run = _runner(market, source, target)
    for row in range(16):
        run(row)
    data = open_market_data(source)

    def planned() -> tuple[int, int, Counter[str]]:
        traffic.begin()
        made = plan(data, "AAPL", Grain.BAR, SMALL, target, reprocess=False)
        return made.current, len(made.due), Counter(traffic.requests)

    first = planned()
    assert first[:2] == (16, 8)
    assert first[2]["GetObject"] >= 16
    assert planned() == (16, 8, {"ListObjectsV2": 1, "GetObject": 1})
    run(3)
    # What was written since is looked into, and only that.
    assert planned()[2] == {"ListObjectsV2": 1, "GetObject": 2, "PutObject": 1}
    assert planned() == (16, 8, {"ListObjectsV2": 1, "GetObject": 1})


def _runner(market: Market, source: str, target: str) -> Callable[[int], object]:
    def run(row: int) -> object:
        stamp = f"{market.timestamps[row].astype('datetime64[s]')}+00:00"
        return run_partition("AAPL", stamp, Grain.BAR, SMALL, source, target, "run")

    return run


# What it keeps whole


def test_results_equal_the_local_ones(bucket: str, market: Market, tmp_path: Path) -> None:
    tables, portfolios = [], []
    for place in (str(tmp_path), bucket):
        run = _runner(market, market.write(f"{place}/input"), f"{place}/output")
        for row in range(24):
            run(row)
        tables.append(read_rows(f"{place}/output"))
        portfolios.append(aggregate(f"{place}/output", None, 1.0))
        assert len(read_fingerprints(open_directory(f"{place}/output", "x"), "AAPL")) == 24
    assert tables[0].equals(tables[1])
    assert portfolios[0].portfolio.summary == portfolios[1].portfolio.summary
    assert portfolios[1].files[0] == f"{bucket}/output/_portfolio/portfolio.parquet"


def test_two_writers_leave_one_whole_object_and_readers_see_whole_ones(bucket: str) -> None:
    directory = open_directory(bucket, "output_dir")
    contents = [bytes([letter]) * 200_000 for letter in b"abc"]
    directory.write_bytes("a", contents[0])

    def write_often(content: bytes) -> None:
        for _ in range(5):
            directory.write_bytes("a", content)

    threads = [threading.Thread(target=write_often, args=[content]) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert directory.read_bytes("a") in contents
    assert directory.read_bytes("a") in contents


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


# What an outage costs


class Wire:
    """A TCP connection to the server that can be unplugged, or answer 503 by itself."""

    def __init__(self, endpoint_url: str) -> None:
        self.refusals = 0
        self.in_vain = 0
        self.back_after = sys.maxsize
        self._unplugged = False
        host, _, port = endpoint_url.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def plug(self, *, connected: bool) -> None:
        self._unplugged = not connected
        while self._open:
            with suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.plug(connected=False)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.in_vain += self._unplugged or self.refusals > 0
                if self._unplugged:
                    client.close()
                    self._unplugged = self.in_vain < self.back_after
                elif self.refusals:
                    self.refusals -= 1
                    client.recv(65_536)
                    client.sendall(_SLOW_DOWN)
                    client.close()
                else:
                    self._join(client)

    def _join(self, client: socket.socket) -> None:
        server = socket.create_connection(self._target)
        self._open += [client, server]
        for ends in ((client, server), (server, client)):
            threading.Thread(target=_pump, args=ends, daemon=True).start()


_SLOW_DOWN = (
    b"HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: 56\r\n\r\n"
    b"<Error><Code>SlowDown</Code><Message>x</Message></Error>"
)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(65_536):
            target.sendall(content)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(bucket: str, s3_server: SessionS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire(s3_server.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint_url)
    yield wire
    wire.close()


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
    run = _runner(market, market.write(f"{bucket}/input"), f"{bucket}/output")
    run(0)
    wire.plug(connected=False)

    wire.back_after = wire.in_vain + 3
    with stamina.set_testing(False):  # with the pauses that users have
        run(1)
    assert len(read_fingerprints(open_directory(f"{bucket}/output", "x"), "AAPL")) == 2


def test_after_an_outage_only_the_rest_is_due(bucket: str, wire: Wire, market: Market) -> None:
    source, target = market.write(f"{bucket}/input"), f"{bucket}/output"
    run = _runner(market, source, target)
    for row in range(12):
        if row in (4, 8):
            wire.plug(connected=row == 8)
        if row in range(4, 8):
            with pytest.raises(StorageError, match="the store does not answer"):
                run(row)
        else:
            run(row)
    due = plan(open_market_data(source), "AAPL", Grain.BAR, SMALL, target, reprocess=False).due
    assert [partition.first for partition in due] == [4, 5, 6, 7, *range(12, 24)]


# What refusals say


def _refused(input_dir: str, output_dir: str) -> str:
    """What a run says that may read the one and write the other directory, and does nothing yet."""

    def begin() -> None:
        check_reachable(input_dir, "input_dir")
        check_reachable(output_dir, "output_dir")
        check_readable(open_directory(input_dir, "input_dir"), "input_dir")
        check_writable(open_directory(output_dir, "output_dir"), "output_dir")

    with pytest.raises((ParameterError, StorageError)) as error:
        begin()
    message = str(error.value)
    assert message.count("\n") == 0
    assert len(message) < 400
    return message


def test_a_missing_bucket_is_named(bucket: str, market: Market) -> None:
    source = market.write(f"{bucket}/input")
    message = _refused("s3://no-such-bucket-here/input", bucket)
    assert message.startswith("s3://no-such-bucket-here/input: there is no such bucket; create it")
    message = _refused(source, "s3://no-such-bucket-here/output")
    assert message.startswith("s3://no-such-bucket-here/output: there is no such bucket; create it")


def test_an_empty_prefix_is_no_input(bucket: str) -> None:
    assert "is not an existing directory" in _refused(f"{bucket}/nothing", bucket)
    check_writable(open_directory(f"{bucket}/output", "output_dir"), "output_dir")
    assert not open_directory(bucket, "x").list_files("output")


def test_a_wrong_key_or_secret_is_told_without_showing_it(
    bucket: str, market: Market, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = market.write(f"{bucket}/input")
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    with caplog.at_level("DEBUG"):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
        message = _refused(source, bucket)
        assert "the secret key does not fit the access key; check AWS_ACCESS_KEY_ID" in message
        assert "not-the-secret" not in message
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "STRANGER")
        assert "the store does not know the access key" in _refused(source, bucket)
    assert secret not in caplog.text


def test_who_may_only_read_is_told_before_anything_is_written(
    bucket: str, market: Market, s3_server: SessionS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = market.write(f"{bucket}/input")
    for name, value in s3_server.environment(s3_server.reader).items():
        monkeypatch.setenv(name, value)
    check_readable(open_directory(source, "input_dir"), "input_dir")
    message = _refused(source, f"{bucket}/output")
    assert message.startswith(f"output_dir='{bucket}/output' is not a directory that can be writt")
    assert "it may not be written with this access key" in message


def test_no_credentials_at_all_are_told(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    assert "there are no usable AWS credentials" in _refused(bucket, bucket)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "there are no usable AWS credentials" in _refused(bucket, bucket)


def test_an_endpoint_that_is_down_or_no_url_is_told(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    message = _refused(bucket, bucket)
    assert "the store does not answer" in message
    assert "check AWS_ENDPOINT_URL and that the store is up" in message
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1")
    assert "AWS_ENDPOINT_URL is not a URL" in _refused(bucket, bucket)


def test_a_wrong_clock_is_told(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    late = datetime.now(UTC) + timedelta(hours=2)
    signing = "botocore.auth.get_current_datetime"
    monkeypatch.setattr(signing, lambda **_: late.replace(tzinfo=None))
    message = _refused(bucket, bucket)
    assert "this machine's clock differs too much from the store's; set the clock" in message


def test_s3fs_is_not_loaded_for_local_files(input_dir: str) -> None:
    program = (
        "import sys; from trading.storage import *; from trading.market_data import *\n"
        "check_reachable(sys.argv[1], 'x'); open_market_data(sys.argv[1]).timestamps()\n"
        "check_writable(open_directory(sys.argv[1], 'x'), 'x')\n"
        "print([name for name in ('s3fs', 'botocore', 'aiohttp') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, input_dir], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
