from __future__ import annotations

import io
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import range_reader as object_reader
from storage.range_reader import TAIL_BYTES, ObjectReader

CONTENT = bytes(range(256)) * 2

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 600)),
        st.tuples(st.just("readinto"), st.integers(0, 600)),
        st.tuples(st.just("start"), st.integers(0, 600)),
        st.tuples(st.just("end"), st.integers(-512, 20)),
        st.tuples(st.just("tell"), st.just(0)),
    ),
    max_size=12,
)


def _do(file: io.RawIOBase | io.BytesIO, step: tuple[str, int]) -> object:
    kind, amount = step
    if kind == "read":
        return file.read(amount)
    if kind == "readinto":
        buffer = bytearray(amount)
        count = file.readinto(buffer)
        return count, bytes(buffer)
    if kind == "tell":
        return file.tell()
    return file.seek(amount, os.SEEK_SET if kind == "start" else os.SEEK_END)


@settings(max_examples=150)
@given(STEPS, st.integers(0, len(CONTENT)), st.integers(1, 600))
def test_it_reads_as_a_file_in_memory_does(
    steps: list[tuple[str, int]], size: int, tail: int
) -> None:
    content = CONTENT[:size]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_reader, "TAIL_BYTES", tail)
        reader = ObjectReader(size, lambda start, end: content[start:end])
        expected = io.BytesIO(content)
        for step in steps:
            assert _do(reader, step) == _do(expected, step)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 600)), max_size=8), st.integers(1, 600)
)
def test_no_range_is_empty_or_outside_of_the_object(
    reads: list[tuple[int, int]], tail: int
) -> None:
    def fetch(start: int, end: int) -> bytes:
        assert 0 <= start < end <= len(CONTENT)
        return CONTENT[start:end]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_reader, "TAIL_BYTES", tail)
        reader = ObjectReader(len(CONTENT), fetch)
        for start, size in reads:
            reader.seek(start)
            assert reader.read(size) == CONTENT[start : start + size]


@pytest.mark.parametrize(("rows", "fetches"), [(1_000, 1), (40_000, 2)])
def test_parquet_takes_one_fetch_for_a_small_file_and_one_more_for_a_column_of_a_large_one(
    rows: int, fetches: int
) -> None:
    table = pa.table({name: pa.array(range(rows), pa.float64()) for name in "ab"})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="none", use_dictionary=False)
    content: bytes = sink.getvalue().to_pybytes()
    ranges: list[tuple[int, int]] = []

    def fetch(start: int, end: int) -> bytes:
        ranges.append((start, end))
        return content[start:end]

    file = pq.ParquetFile(ObjectReader(len(content), fetch))
    assert file.read_row_group(0, columns=["a"]).column("a").equals(table.column("a"))
    assert len(ranges) == fetches
    assert sum(end - start for start, end in ranges) <= rows * 8 + TAIL_BYTES + 1_000
