from __future__ import annotations

import errno
import os
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from storage.backends import SETTLING_SECONDS
from storage.checks import check_readable, check_writable
from storage.directory import MAX_READERS, Directory, open_directory
from storage.errors import LocationError, StorageError
from storage.faults import without_credentials


@pytest.fixture(params=["local", "memory", "s3"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Directory:
    if request.param == "local":
        return open_directory(str(tmp_path / "data"), "output_dir")
    if request.param == "memory":
        return open_directory(f"memory://{tmp_path.name}/data", "output_dir")
    return open_directory(f"{request.getfixturevalue('s3_bucket')}/some/data/", "output_dir")


def test_a_file_reads_back_as_written(directory: Directory) -> None:
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


def test_a_written_file_replaces_the_one_before(directory: Directory) -> None:
    directory.write_bytes("a", b"a long first version")
    before = directory.identity("a")
    directory.write_bytes("a", memoryview(b"short"))
    assert directory.read_bytes("a") == b"short"
    assert directory.identity("a") != before


def test_the_identity_stays_the_same_while_nothing_is_written(directory: Directory) -> None:
    directory.write_bytes("a", b"12345")
    identity = directory.identity("a")
    assert identity is not None
    assert identity.size == 5
    assert directory.identity("a") == identity


def test_an_identity_is_settled_once_its_file_cannot_change_within_its_time(
    directory: Directory, tmp_path: Path
) -> None:
    """A file that has just been written has no time that can be relied on."""
    directory.write_bytes("a", b"12345")
    if directory.is_local:
        for age, expected in ((-60.0, False), (SETTLING_SECONDS + 1, True)):
            moment = time.time() - age
            os.utime(tmp_path / "data/a", (moment, moment))
            identity = directory.identity("a")
            assert identity is not None
            assert directory.is_settled(identity) == expected
    else:
        identity = directory.identity("a")
        assert identity is not None
        assert directory.is_settled(identity) == directory.store.knows_versions


def test_the_same_size_and_content_written_again_is_another_version(tmp_path: Path) -> None:
    directory = open_directory(str(tmp_path), "output_dir")
    directory.write_bytes("a", b"12345")
    before = directory.identity("a")
    directory.write_bytes("b", b"12345")
    (tmp_path / "b").replace(tmp_path / "a")
    assert directory.identity("a") != before


def test_what_was_written_since_it_was_seen_is_neither_replaced_nor_removed(
    directory: Directory,
) -> None:
    assert directory.write_over("a/b", b"first", None)
    assert not directory.write_over("a/b", b"of one who saw nothing", None)
    seen = directory.identity("a/b")
    assert seen is not None
    if isinstance(directory.filesystem, MemoryFileSystem):
        directory.remove("a/b")  # tells versions by the time at which a file was made
    directory.write_bytes("a/b", b"second, of another")
    assert not directory.write_over("a/b", b"of one who saw the first", seen)
    assert not directory.remove_seen("a/b", seen)
    assert directory.read_bytes("a/b") == b"second, of another"
    now = directory.identity("a/b")
    assert now is not None
    assert directory.write_over("a/b", b"third", now)
    last = directory.identity("a/b")
    assert last is not None
    assert directory.remove_seen("a/b", last)
    assert directory.identity("a/b") is None
    assert not directory.remove_seen("a/b", last)
    assert not directory.write_over("a/b", b"of one who saw the third", last)
    assert list(directory.list_files("a")) == []


def test_a_listing_holds_the_identities_and_what_is_removed_has_none(directory: Directory) -> None:
    for name in ("B/2", "B/1", "top"):
        directory.write_bytes(name, name.encode())
    listed = directory.list_files("B")
    assert {name: identity.size for name, identity in listed.items()} == {"1": 3, "2": 3}
    if directory.is_local or directory.store.knows_versions:
        assert listed == {name[2:]: directory.identity(name) for name in ("B/1", "B/2")}
    assert directory.identities(["top", "none"]) == {"top": directory.identity("top"), "none": None}
    directory.remove("top")
    assert directory.identity("top") is None


def test_what_is_missing_has_no_identity_and_lists_as_empty(directory: Directory) -> None:
    assert directory.identity("nowhere/a") is None
    assert not directory.list_files("nowhere")
    assert directory.list_folders("nowhere") == []
    assert not directory.exists("nowhere")


def test_reading_what_is_missing_names_it(directory: Directory) -> None:
    for read in (directory.read_bytes, directory.open, lambda name: directory.read_tail(name, 8)):
        with pytest.raises(StorageError, match=r"nowhere/a: it cannot be read: .*exist") as error:
            read("nowhere/a")
        assert not error.value.transient


def test_listing_separates_files_from_folders_and_hides_hidden_ones(directory: Directory) -> None:
    for name in ("B/2", "B/1", "B/.1.tmp", "A/sub/x", ".hidden/x", "top"):
        directory.write_bytes(name, b"x")
    assert list(directory.list_files("B")) == ["1", "2"]
    assert not directory.list_files("A")
    assert directory.list_folders() == ["A", "B"]
    assert directory.list_folders("A") == ["sub"]
    assert directory.exists("A/sub")


@pytest.mark.parametrize("name", ["../a", "a/../b", "/a", "a//b", "a/", ".", "a\\b", "a\0b", ""])
def test_no_name_leaves_the_directory(directory: Directory, name: str) -> None:
    with pytest.raises(ValueError, match="relative file name"):
        directory.url_of(name)
    if name:
        with pytest.raises(ValueError, match="relative file name"):
            directory.write_bytes(name, b"x")


@pytest.mark.parametrize("form", ["{}", "file://{}", "{}/", "{}/x/..", "local://{}"])
def test_every_way_to_name_a_local_folder_means_the_same(tmp_path: Path, form: str) -> None:
    assert open_directory(form.format(tmp_path), "input_dir").url == str(tmp_path)


def test_relative_paths_and_the_home_directory_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert open_directory("data", "input_dir").path == str(tmp_path / "data")
    assert open_directory("~/data", "input_dir").path == str(tmp_path / "home/data")


@pytest.mark.parametrize("url", ["", "  ", "a\0b", "nosuch://x", 7, None])
def test_what_is_no_location_is_refused_by_the_parameters_name(url: Any) -> None:
    with pytest.raises(LocationError, match="input_dir=") as error:
        open_directory(url, "input_dir")
    assert "pass" in error.value.next_step


def test_credentials_stay_out_of_urls_and_messages() -> None:
    url = "memory://key:secret@bucket/prefix?X-Amz-Signature=abc"
    assert without_credentials(url) == "memory://bucket/prefix"
    with pytest.raises(LocationError) as error:
        open_directory("nosuch://key:secret@bucket", "input_dir")
    assert "secret" not in str(error.value)


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = open_directory(str(tmp_path), "output_dir")
    directory.write_bytes("a", b"old")
    monkeypatch.setattr(os, "fsync", _raising(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(StorageError, match="no space is left there; free some"):
        directory.write_bytes("a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_the_new_content_is_synced_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = open_directory(str(tmp_path), "output_dir")
    seen: list[tuple[bool, int]] = []

    def fsync(descriptor: int) -> None:
        seen.append(((tmp_path / "a").exists(), os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    directory.write_bytes("a", b"12345")
    assert seen == [(False, 5)]


def test_readers_among_writers_see_whole_files_only(directory: Directory) -> None:
    contents = [bytes([letter]) * 200_000 for letter in b"abcd"]
    directory.write_bytes("a", contents[0])

    def write_often(content: bytes) -> None:
        for _ in range(8):
            directory.write_bytes("a", content)

    threads = [threading.Thread(target=write_often, args=[content]) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert directory.read_bytes("a") in contents
    for thread in threads:
        thread.join()
    assert directory.read_bytes("a") in contents
    if directory.is_local:
        assert [path.name for path in Path(directory.path).iterdir()] == ["a"]


def _raising(*errors: BaseException) -> Callable[..., Any]:
    """A function that raises the errors in turn, the last one for ever."""
    left = list(errors)

    def function(*_: object, **__: object) -> Any:
        raise left.pop(0) if len(left) > 1 else left[0]

    return function


class FlakyFileSystem(MemoryFileSystem):  # type: ignore[misc] # fsspec has no types
    """A remote filesystem whose writes fail a given number of times first."""

    protocol = "flaky"
    cachable = False

    def __init__(self, failures: list[Exception], **options: Any) -> None:
        super().__init__(**options)
        self.failures = failures

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        if self.failures:
            raise self.failures.pop(0)
        super().pipe_file(path, value, **options)


def _flaky(*failures: Exception) -> Directory:
    return Directory("flaky://x", "/flaky", FlakyFileSystem(list(failures)))


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.EBUSY, "slow down"),
        ConnectionResetError("reset"),
        TimeoutError("timed out"),
        OSError(errno.EHOSTUNREACH, "no route"),
    ],
)
def test_what_may_pass_is_tried_again(failure: Exception) -> None:
    directory = _flaky(failure, failure, failure)
    directory.write_bytes("a", b"x")
    assert directory.read_bytes("a") == b"x"


def test_what_does_not_pass_is_raised_as_transient_after_five_attempts() -> None:
    directory = _flaky(*[ConnectionResetError("reset by peer")] * 9)
    with pytest.raises(StorageError, match="cannot be written: reset by peer; run again") as error:
        directory.write_bytes("a", b"x")
    assert error.value.transient
    assert len(directory.filesystem.failures) == 9 - 5


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (PermissionError(errno.EACCES, "Access Denied"), "Access Denied; allow it there"),
        (PermissionError("Forbidden"), "Forbidden; allow it there"),
        (OSError(errno.EROFS, "Read-only file system"), "allow it there"),
        (OSError(errno.EDQUOT, "quota"), "no space is left"),
        (OSError(errno.ENAMETOOLONG, "File name too long"), "check the location"),
    ],
)
def test_what_stays_wrong_is_tried_once(failure: Exception, message: str) -> None:
    directory = _flaky(failure, failure)
    with pytest.raises(StorageError, match=message) as error:
        directory.write_bytes("a", b"x")
    assert not error.value.transient
    assert len(directory.filesystem.failures) == 1


def test_a_bug_is_not_dressed_up_as_a_storage_error() -> None:
    with pytest.raises(ZeroDivisionError):
        _flaky(ZeroDivisionError()).write_bytes("a", b"x")


def test_an_object_stores_own_errors_become_ours() -> None:
    timeout = type("ConnectTimeoutError", (Exception,), {"__module__": "botocore.exceptions"})
    keys = type("NoCredentialsError", (Exception,), {"__module__": "botocore.exceptions"})
    directory = _flaky(timeout("no reply from https://key:secret@host/"))
    directory.write_bytes("a", b"x")
    with pytest.raises(StorageError, match="Unable to locate credentials") as error:
        _flaky(keys("Unable to locate credentials")).write_bytes("a", b"x")
    assert not error.value.transient


def test_check_readable_takes_a_folder_that_exists(directory: Directory) -> None:
    directory.write_bytes("a", b"x")
    check_readable(directory, "input_dir")


def test_check_readable_names_the_parameter_of_a_missing_folder(directory: Directory) -> None:
    with pytest.raises(LocationError, match=r"input_dir=.* is not an existing directory"):
        check_readable(directory, "input_dir")


def test_check_writable_leaves_nothing_behind(directory: Directory) -> None:
    check_writable(directory, "output_dir")
    assert not directory.list_files("")
    assert not directory.is_local or not list(Path(directory.path).parent.iterdir())
    assert not [name for name in fsspec.filesystem("memory").store if ".probe" in name]
    directory.write_bytes("a", b"1")
    check_writable(directory, "output_dir")
    assert list(directory.list_files("")) == ["a"]


def test_check_writable_looks_at_what_a_missing_folder_would_be_made_in(tmp_path: Path) -> None:
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for missing in ("nowhere", "nowhere/deep/down"):
        with pytest.raises(LocationError, match=r"output_dir=.* is not .* written to"):
            check_writable(open_directory(str(tmp_path / missing), "output_dir"), "output_dir")
    check_writable(open_directory(str(tmp_path / "not" / "yet"), "output_dir"), "output_dir")
    assert [path.name for path in tmp_path.iterdir()] == ["nowhere"]


def test_check_writable_names_the_parameter_when_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    directory = open_directory(str(tmp_path / "file" / "out"), "output_dir")
    with pytest.raises(LocationError, match=r"output_dir='.*file/out' is not .* written to"):
        check_writable(directory, "output_dir")


def test_an_error_names_the_parameter_that_mends_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    directory = open_directory(str(tmp_path / "file"), "output_dir")
    with pytest.raises(StorageError, match=r"AAPL/a: it cannot be written: .*correct output_dir"):
        directory.write_bytes("AAPL/a", b"1")
    with pytest.raises(StorageError, match=r"AAPL/a: it cannot be read: .*correct output_dir"):
        directory.read_bytes("AAPL/a")


def test_check_writable_does_not_blame_the_parameter_for_an_outage() -> None:
    with pytest.raises(StorageError) as error:
        check_writable(_flaky(*[TimeoutError("timed out")] * 9), "output_dir")
    assert error.value.transient


def test_many_files_are_read_in_order_and_errors_come_through(directory: Directory) -> None:
    names = [f"{number}" for number in range(3 * MAX_READERS)]
    for name in names:
        directory.write_bytes(name, name.encode())
    assert directory.map(directory.read_bytes, names) == [name.encode() for name in names]
    with pytest.raises(StorageError):
        directory.map(directory.read_bytes, [*names, "missing"])


def test_storage_errors_survive_the_way_between_processes() -> None:
    error = StorageError("s3://b/x", "it cannot be read", "run again", transient=True)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (str(copy), copy.transient) == (str(error), True)


def test_a_location_error_says_the_same_in_every_process() -> None:
    error = LocationError("input_dir", "it's", "a folder", "pass one")
    copy = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(error))))  # noqa: S301 - our own bytes
    assert (str(copy), copy.value) == (str(error), error.value)
