"""Parquet files that lie about themselves: refused in one sentence, in bounded memory."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.grain import Grain
from lake.keys import partitions
from lake.market.inputs import PRICES_FILE, MarketData
from lake.market.results import Lineage, read_fingerprints, read_rows, write_result
from storage.directory import open_directory
from storage.errors import ContentError
from storage.parquet.column_file import ColumnFile
from storage.parquet.limits import MAX_FOOTER_BYTES, MAX_ROWS
from tests.markets import SMALL, Market, bars_of, random_market, session_timestamps
from tests.reliability.bounded_reader import SOUND
from trading.errors import DataError
from trading.strategies.market_model.signals import analyze

ALLOWED_MIB = 200
"""Three columns at the bound of 65 MiB each: timestamps, values and the copy with their nulls."""

UTC = pa.timestamp("us", "UTC")
MUTANTS = 400


@pytest.fixture
def market() -> Market:
    return random_market(session_timestamps(3))


@pytest.fixture
def input_dir(market: Market, tmp_path: Path) -> str:
    return market.write(tmp_path / "input")


def stamps(count: int) -> pa.Array:
    return pa.array(np.arange(count, dtype=np.int64) * 3_600_000_000, UTC)


def one_column(values: pa.Array, **options: Any) -> Callable[[Path], None]:
    """Writes a file whose only contract has these values."""
    table = pa.table({"timestamp": stamps(len(values)), "AAPL": values})
    return lambda path: pq.write_table(table, path, **options)


def varint(number: int, length: int) -> bytes:
    """A Thrift integer (zigzag, seven bits a byte), padded to a length."""
    zigzag = number << 1
    digits = [(zigzag >> 7 * i) & 0x7F for i in range(length)]
    return bytes(digit | 0x80 for digit in digits[:-1]) + bytes(digits[-1:])


def page_claiming(unpacked: int) -> Callable[[Path], None]:
    """Writes a column chunk whose page claims to unpack to this many bytes."""

    def write(path: Path) -> None:
        values = pa.array(np.arange(2**19, dtype=np.float64))
        one_column(values, compression="zstd", use_dictionary=False, data_page_size=2**23)(path)
        chunk = pq.ParquetFile(path).metadata.row_group(0).column(1)
        content = bytearray(path.read_bytes())
        # A page's header begins with its type and its size unpacked, each after a 0x15.
        at = chunk.data_page_offset + 3
        content[at : at + 4] = varint(unpacked, 4)
        path.write_bytes(content)

    return write


LIES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a terabyte of text": (
        one_column(
            pa.DictionaryArray.from_arrays(pa.array(np.zeros(2**20, np.int32)), ["x" * 2**20]),
            dictionary_pagesize_limit=2**22,
        ),
        "column 'AAPL' holds ",
    ),
    "lists": (one_column(pa.array([[1.0] * 1_000] * 8)), "column 'element' is nested"),
    "a list by the name of a contract": (
        one_column(pa.array([{"AAPL": 1.0}] * 8)),
        "column 'AAPL' is nested",
    ),
    "more rows than there were": (
        one_column(pa.array(np.zeros(MAX_ROWS + 1)), compression="zstd"),
        "it has 4,194,305 rows, more than 4,194,304",
    ),
    "a page that says 128 MiB": (page_claiming(2**27 - 1), "column 'AAPL' is damaged"),
    "a footer of many words": (
        lambda path: pq.write_table(
            pa.table({"timestamp": stamps(8)}, metadata={"a": "x" * MAX_FOOTER_BYTES}), path
        ),
        "more than 8: it has too many columns or row groups",
    ),
    "times that are text": (
        lambda path: pq.write_table(pa.table({"timestamp": ["now"] * 8}), path),
        "column 'timestamp' holds byte_array values, not times",
    ),
    "times in lists": (
        lambda path: pq.write_table(pa.table({"timestamp": [{"timestamp": 1}] * 8}), path),
        "column 'timestamp' is nested",
    ),
    "an encrypted footer": (
        lambda path: path.write_bytes(b"PARE" + b"\0" * 64 + b"\x10\0\0\0PARE"),
        "the file is damaged or not Parquet",
    ),
    "a footer longer than the file": (
        lambda path: path.write_bytes(b"PAR1" + b"\xff" * 64 + b"\xff\xff\x0f\0PAR1"),
        "the file is damaged or not Parquet",
    ),
}


def run_bounded(folder: Path) -> dict[str, str]:
    """What reading everything in the folder came to; its memory stays in bounds."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.bounded_reader", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    told = json.loads(done.stdout)
    assert told["mib"] < ALLOWED_MIB
    answers: dict[str, str] = told["answers"]
    for text in answers.values():
        assert text.isprintable()
        assert len(text) < 1_000
    return answers


def mutants(content: bytes) -> list[bytes]:
    """Copies with a few bytes changed, most of them in the footer, and cut-off ones; always the
    same."""
    choose = random.Random(1)  # noqa: S311 - reproducible, not secret
    made = []
    for _ in range(MUTANTS):
        mutant = bytearray(content)
        for _ in range(choose.randint(1, 4)):
            first = choose.choice([0, len(content) // 2])
            mutant[choose.randrange(first, len(content))] = choose.choice([0, 1, 0x7F, 0xFF, 0x15])
        made.append(bytes(mutant[: choose.choice([None, None, None, choose.randrange(12, 400)])]))
    return made


def stored_result(folder: Path, market: Market) -> Path:
    """A sound result of AAPL below an output directory."""
    part = partitions(market.timestamps, "AAPL", Grain.ALL)[0]
    directory = open_directory(str(folder), "output_dir")
    analysis = analyze(bars_of(market), SMALL)
    return Path(write_result(directory, part, analysis, Lineage("f" * 32, SMALL, "run")))


def test_files_that_lie_are_refused_in_bounded_memory(tmp_path: Path) -> None:
    """Each bound of `storage.parquet.limits` left out lets its case read on, the text and the rows
    beyond the memory allowed."""
    one_column(pa.array(np.arange(8.0)))(tmp_path / SOUND)
    for name, (write, _) in LIES.items():
        write(tmp_path / f"{name}.parquet")
    answers = run_bounded(tmp_path)
    assert answers[SOUND] == "read 8 rows"
    for name, (_, problem) in LIES.items():
        assert problem in answers[f"{name}.parquet"]


@pytest.mark.slow
def test_damaged_copies_are_read_or_refused_in_bounded_memory(
    tmp_path: Path, market: Market
) -> None:
    """Eight hundred damaged copies of a sound file and of a sound result, in one process: each is
    read, or refused by an error of ours."""
    one_column(pa.array(np.arange(8.0)))(tmp_path / SOUND)
    for number, content in enumerate(mutants((tmp_path / SOUND).read_bytes())):
        (tmp_path / f"mutant-{number}.parquet").write_bytes(content)
    sound = stored_result(tmp_path / "sound", market)
    for number, content in enumerate(mutants(sound.read_bytes())):
        copy = tmp_path / f"output-{number}" / "AAPL" / sound.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(content)
    answers = run_bounded(tmp_path)
    assert answers[SOUND] == "read 8 rows"
    assert answers["sound"] == "read 24 rows"
    refused = [text for text in answers.values() if not text.startswith("read")]
    assert len(refused) > MUTANTS / 2, "most of the damage is noticed"
    assert len({text.partition(": ")[2] for text in refused}) > 5


def test_statistics_that_point_elsewhere_are_not_believed(tmp_path: Path) -> None:
    """Believed, they make a partition of other bars than its timestamp says."""
    file = pa.BufferOutputStream()
    pq.write_table(
        pa.table({"timestamp": stamps(8), "AAPL": np.arange(8.0)}), file, row_group_size=4
    )
    content = file.getvalue().to_pybytes()
    footer = len(content) - int.from_bytes(content[-8:-4], "little")
    first, later = np.int64(14_400_000_000).tobytes(), np.int64(18_000_000_000).tobytes()
    lying = content[:footer] + content[footer:].replace(first, later)
    assert lying != content
    for name, stored in (("sound", content), ("lying", lying)):
        directory = open_directory(str(tmp_path), "input_dir")
        directory.write_bytes(name, stored)
    sound = ColumnFile(directory, "sound")
    assert sound.lower_bound(np.datetime64(14_400, "s")) == 4
    columns = ColumnFile(directory, "lying")
    with pytest.raises(ContentError, match="the statistics of column 'timestamp' are wrong"):
        columns.timestamps(columns.lower_bound(np.datetime64(14_400, "s")), 8)


def test_a_contract_that_is_there_twice_is_refused(input_dir: str) -> None:
    """Unnoticed, one contract is analysed twice at once into the same files."""
    path = Path(input_dir) / PRICES_FILE
    table = pq.read_table(path)
    pq.write_table(table.append_column("AAPL", table.column("AAPL")), path)
    with pytest.raises(DataError, match="two columns have the same name; write each contract once"):
        MarketData(open_directory(input_dir, "input_dir"))


ABSENT: list[str] = []
CURRENT = ["AAPL/all.parquet"]


def changed(column: str, value: Any) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        position = table.schema.get_field_index(column)
        kind = table.schema.field(column).type
        values = pa.array([value, *table.column(column).to_pylist()[1:]]).cast(kind)
        return table.set_column(position, table.schema.field(column), values)

    return change


def relabelled() -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.replace_schema_metadata(
        {**table.schema.metadata, b"contract": b"MSFT"}
    )


def without(key: bytes) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        kept = {k: v for k, v in table.schema.metadata.items() if k != key}
        return table.replace_schema_metadata(kept)

    return change


@pytest.mark.parametrize(
    ("lie", "current"),
    [
        (relabelled(), ABSENT),
        (without(b"fingerprint"), ABSENT),
        (without(b"written_at"), CURRENT),
        (changed("contract", "MSFT"), CURRENT),
        (changed("contract", None), CURRENT),
        (changed("signal", "BUY NOW"), CURRENT),
        (changed("timestamp", None), CURRENT),
        (lambda table: table.drop_columns(["beta"]), CURRENT),
        (lambda table: table.set_column(2, "price", pa.array(["x"] * len(table))), CURRENT),
        (lambda table: table.set_column(2, "price", pa.array([[1.0]] * len(table))), CURRENT),
        (lambda table: table.slice(0, 0), CURRENT),
    ],
    ids=[
        "contract in the metadata", "no fingerprint", "no time of writing", "contract in a row",
        "no contract in a row", "unknown signal", "no timestamp", "column missing",
        "text for numbers", "lists for numbers", "no rows",
    ],
)  # fmt: skip
def test_a_result_that_is_not_what_it_says_enters_no_portfolio(
    tmp_path: Path, market: Market, lie: Callable[[pa.Table], pa.Table], current: list[str]
) -> None:
    """Without the check of names, rows of MSFT count as AAPL's; without that of the
    timestamp, a bar of the year 1677 enters the portfolio. Whether a result is current is read
    from its metadata alone; one that says so and lies is named when rows are read."""
    path = stored_result(tmp_path, market)
    pq.write_table(lie(pq.read_table(path)), path)
    found = read_fingerprints(open_directory(str(tmp_path), "output_dir"), "AAPL")
    assert list(found) == current
    with pytest.raises(
        DataError, match=r"all\.parquet: the file is damaged or not a result of AAPL"
    ):
        read_rows(str(tmp_path))
