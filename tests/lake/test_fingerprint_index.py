from __future__ import annotations

from pathlib import Path

import pytest

from lake.fingerprint_index import NAME, known_fingerprints, read_index, write_index
from storage.backends import FileIdentity
from storage.directory import Directory, open_directory
from storage.errors import StorageError


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return open_directory(str(tmp_path), "output_dir")


def test_what_is_written_is_read_and_hidden_among_the_results(directory: Directory) -> None:
    index: dict[str, tuple[str, str | None]] = {"AAPL/a": ("v1", "f" * 32), "AAPL/b": ("v2", None)}
    write_index(directory, "AAPL", index)
    assert read_index(directory, "AAPL") == index
    assert not directory.list_files("AAPL")


def test_an_entry_counts_for_its_version_alone() -> None:
    index: dict[str, tuple[str, str | None]] = {
        "a": ("v1", "x"),
        "b": ("v1", None),
        "gone": ("v", "y"),
    }
    files = {"a": FileIdentity(1, "v1"), "b": FileIdentity(1, "v1"), "new": FileIdentity(1, "v1")}
    assert known_fingerprints(index, files) == {"a": "x", "b": None}
    files["a"] = FileIdentity(1, "v2")
    assert known_fingerprints(index, files) == {"b": None}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'{"a": 1}', b'{"a": ["v"]}', b"\xff\xfe", b"null"]
)
def test_an_index_that_is_none_is_empty(directory: Directory, content: bytes) -> None:
    directory.write_bytes(f"AAPL/{NAME}", content)
    assert read_index(directory, "AAPL") == {}


def test_a_missing_index_is_empty_and_one_that_cannot_be_kept_is_no_error(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_index(directory, "AAPL") == {}
    outage = StorageError("s3://b", "it cannot be read", "run again", transient=True)

    def fail(*_: object) -> None:
        raise outage

    monkeypatch.setattr(Directory, "write_bytes", fail)
    write_index(directory, "AAPL", {})
    monkeypatch.setattr(Directory, "read_bytes", fail)
    with pytest.raises(StorageError):
        read_index(directory, "AAPL")
