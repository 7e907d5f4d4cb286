"""Locations as an attacker or a careless script writes them: one sentence, nothing touched."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from fsspec.registry import known_implementations
from hypothesis import example, given
from hypothesis import strategies as st

from lake.market.inputs import PRICES_FILE, MarketData
from lake.market.manifest import read_manifest
from lake.market.results import read_fingerprints
from storage.directory import open_directory
from storage.errors import LocationError, StorageError
from storage.location import MAX_LOCATION, checked_location

CANARY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY"
"""Shaped like a secret key of AWS: with a slash."""


def assert_one_sentence(error: Exception) -> None:
    message = str(error)
    assert message.isprintable(), "nothing in it moves a cursor or begins a line"
    assert len(message) < 1_000
    assert message.endswith(".")


@pytest.mark.parametrize(
    "url",
    [
        "x" * 10_000_000,
        "s3://bucket/" + "x" * 10_000_000,
        "a\nb",
        "out\x1b[2J",
        "out\u202egpj.exe",
        "s3://bucket/a\u2028b",
        "\ud800",
        "a\0b",
        "zip://a::http://host/x.zip",
        "simplecache::s3://bucket/x",
        "s3://bucket/../other-bucket/x",
        "s3://bucket/./x",
        "s3://..",
    ],
    ids=lambda url: ascii(url[:30]),
)
def test_what_no_directory_is_called_is_refused_in_one_sentence(url: str) -> None:
    """Without `checked_location` most of these open."""
    with pytest.raises(LocationError, match=r"^output_dir=") as caught:
        open_directory(url, "output_dir")
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"s3://AKIAIOSFODNN7EXAMPLE:{CANARY}@bucket/prefix",
        f"s3://:{CANARY}@bucket",
        f"https://user:{CANARY}@host/x",
        f"https://host/x?X-Amz-Signature={CANARY}",
        f"nosuch://{CANARY}:@host",
        f"s3://{CANARY[:8]}:{CANARY}",
    ],
)
def test_credentials_in_a_location_are_refused_and_not_repeated(url: str) -> None:
    """With a pattern like `[^/@]*@`, a key with a slash stays in the message."""
    with pytest.raises(LocationError, match="without user, password and query") as caught:
        open_directory(url, "input_dir")
    assert CANARY not in str(caught.value)
    assert CANARY[:8] not in str(caught.value)
    assert CANARY not in repr(caught.value.__reduce__())
    assert_one_sentence(caught.value)


# Those two ask a host of the internet as soon as they are opened.
@pytest.mark.parametrize("protocol", sorted({*known_implementations} - {"ftp", "gist"}))
def test_every_protocol_opens_or_says_why_not(protocol: str) -> None:
    """Each raises errors of its own, e.g. hdfs and ftp."""
    try:
        open_directory(f"{protocol}://localhost/x", "input_dir")
    except LocationError as error:
        assert_one_sentence(error)


@given(st.text(max_size=60))
@example("s3://b" + "/" * 5)
@example("file://~")
@example("://")
def test_any_text_is_a_location_or_a_sentence(text: str) -> None:
    """Without the test for `::`, `"::"` splits into nothing."""
    try:
        assert checked_location(text, "input_dir") == text
    except LocationError as error:
        assert_one_sentence(error)
    else:
        assert len(text) <= MAX_LOCATION
        assert "\n" not in text


def test_a_link_out_of_the_output_directory_is_not_written_through(tmp_path: Path) -> None:
    """Without `_check_inside` the file appears in `elsewhere`."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "output").mkdir()
    (tmp_path / "output/AAPL").symlink_to(elsewhere)
    directory = open_directory(str(tmp_path / "output"), "output_dir")
    with pytest.raises(StorageError, match="/AAPL: it is a link that leads out of the directory"):
        directory.write_bytes("AAPL/20240102.parquet", b"x")
    assert not list(elsewhere.iterdir())
    (elsewhere / "mine").write_bytes(b"mine")
    with pytest.raises(StorageError, match="leads out of the directory"):
        directory.remove("AAPL/mine")
    assert (elsewhere / "mine").exists()


def test_a_link_in_the_place_of_a_result_is_replaced_and_its_target_is_not(tmp_path: Path) -> None:
    """It is when opened with mode `wb` instead of written beside and renamed."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    directory = open_directory(str(tmp_path / "output"), "output_dir")
    directory.write_bytes("AAPL/other.parquet", b"x")
    link = tmp_path / "output/AAPL/20240102.parquet"
    link.symlink_to(precious)
    directory.write_bytes("AAPL/20240102.parquet", b"result")
    assert precious.read_bytes() == b"mine"
    assert link.read_bytes() == b"result"
    assert not link.is_symlink()


def test_links_inside_the_tree_and_a_linked_root_are_used(tmp_path: Path) -> None:
    """With every link refused, a disk that is mounted by a link cannot be used."""
    (tmp_path / "disk/real").mkdir(parents=True)
    (tmp_path / "output").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/AAPL").symlink_to(tmp_path / "disk/real")
    directory = open_directory(str(tmp_path / "output"), "output_dir")
    directory.write_bytes("AAPL/20240102.parquet", b"x")
    assert (tmp_path / "disk/real/20240102.parquet").read_bytes() == b"x"


def test_pipes_devices_and_loops_among_the_results_are_no_results(tmp_path: Path) -> None:
    """With `is_dir` alone the pipe is opened and read for ever."""
    folder = tmp_path / "AAPL"
    folder.mkdir()
    os.mkfifo(folder / "20240102_093000.parquet")
    (folder / "20240102_103000.parquet").symlink_to("/dev/zero")
    (folder / "20240102_113000.parquet").symlink_to("20240102_113000.parquet")
    (folder / "20240102_123000.parquet").symlink_to("nowhere")
    directory = open_directory(str(tmp_path), "output_dir")
    assert read_fingerprints(directory, "AAPL") == {}
    assert not directory.list_files("AAPL")


@pytest.mark.parametrize("name", [PRICES_FILE, "ingestion.json"])
def test_a_pipe_in_the_place_of_an_input_is_named(tmp_path: Path, name: str) -> None:
    """Without the test for a regular file, reading `ingestion.json` never ends."""
    os.mkfifo(tmp_path / name)
    directory = open_directory(str(tmp_path), "input_dir")
    read = MarketData if name == PRICES_FILE else read_manifest
    with pytest.raises(StorageError, match=f"/{name}: .*it is not a regular file; ") as caught:
        read(directory)
    assert_one_sentence(caught.value)


def test_a_component_that_no_filesystem_takes(tmp_path: Path) -> None:
    """With the limit of a location lifted, the message is as long as the path."""
    directory = open_directory(str(tmp_path / ("x" * 300)), "output_dir")
    with pytest.raises(StorageError, match=os.strerror(errno.ENAMETOOLONG)) as caught:
        directory.write_bytes("AAPL/all.parquet", b"x")
    assert_one_sentence(caught.value)
