from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lake.grain import Grain
from lake.keys import partitions
from lake.market.compute import run_partition
from lake.market.inputs import PRICES_FILE, VIX_FILE, open_market_data
from lake.market.results import FLOAT_COLUMNS, read_fingerprints, read_rows
from storage.directory import open_directory
from storage.errors import ContentError, StorageError
from tests.markets import SMALL, Market, bars_of, random_market, request_of, session_timestamps
from trading.errors import ParameterError
from trading.strategies.market_model.signals import analyze

FIRST_BAR = "2024-01-02T09:30:00-05:00"


@pytest.fixture
def output_dir(tmp_path: Path) -> str:
    return str(tmp_path / "output")


@pytest.mark.parametrize("grain", list(Grain))
def test_partition_by_partition_is_all_at_once_to_the_bit(
    tmp_path: Path, output_dir: str, grain: Grain
) -> None:
    market = random_market(session_timestamps(40))
    market.prices[[5, 100, 101], 0] = np.nan
    market.spx[200] = np.nan
    input_dir = market.write(tmp_path / "input")
    whole = analyze(open_market_data(input_dir).bars("AAPL", 0, 320, SMALL), SMALL)
    for part in partitions(market.timestamps, "AAPL", grain):
        run_partition(request_of(input_dir, output_dir, "AAPL", grain), part.timestamp, "run-1")
    table = read_rows(output_dir)
    for name in FLOAT_COLUMNS:
        np.testing.assert_array_equal(
            table.column(name).to_numpy(), getattr(whole, name), err_msg=name
        )
    names = np.array(["sell", "hold", "buy"])[whole.signal + 1]
    assert table.column("signal").to_pylist() == names.tolist()
    assert {"buy", "sell", "hold"} <= set(names.tolist())


def test_the_summary_says_what_is_in_the_file(
    market: Market, input_dir: str, output_dir: str
) -> None:
    summary = run_partition(
        request_of(input_dir, output_dir, "MSFT", Grain.SESSION),
        "2024-01-03T10:30:00-05:00",
        "run-7",
    )
    rows = pq.read_table(summary.url)
    signals = rows.column("signal").to_pylist()
    expected = analyze(bars_of(market, 2), SMALL)[8:16]
    assert asdict(summary) == {
        "partition": "MSFT 2024-01-03",
        "url": f"{output_dir}/MSFT/20240103.parquet",
        "rows": 8,
        "buys": signals.count("buy"),
        "sells": signals.count("sell"),
        "holds": signals.count("hold"),
        "fingerprint": read_fingerprints(open_directory(output_dir, "o"), "MSFT")[
            "MSFT/20240103.parquet"
        ],
        "last_price": expected.price[-1],
        "last_beta": expected.beta[-1],
        "last_signal": signals[-1],
    }
    assert rows.schema.metadata[b"flow_run_id"] == b"run-7"


def test_what_is_not_defined_is_none_in_the_summary(
    market: Market, tmp_path: Path, output_dir: str
) -> None:
    input_dir = market.with_price(0, 0, np.nan).write(tmp_path / "input")
    summary = run_partition(request_of(input_dir, output_dir), FIRST_BAR, "run-1")
    assert (summary.last_price, summary.last_beta, summary.last_signal) == (None, None, "hold")


def test_no_bar_after_the_partition_can_change_it(
    market: Market, tmp_path: Path, output_dir: str
) -> None:
    stamp = "2024-01-03T12:30:00-05:00"
    found = []
    for number, future in enumerate((market, market.with_price(12, 0, 1e6))):
        input_dir = future.write(tmp_path / f"input{number}")
        summary = run_partition(request_of(input_dir, output_dir), stamp, "run-1")
        found.append((summary, pq.read_table(summary.url).to_pylist()))
    assert found[0] == found[1]


def test_two_runs_of_one_partition_leave_one_whole_result(input_dir: str, output_dir: str) -> None:
    def run(name: str) -> None:
        for _ in range(5):
            run_partition(request_of(input_dir, output_dir, "AAPL", Grain.ALL), FIRST_BAR, name)

    threads = [threading.Thread(target=run, args=[f"run-{n}"]) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in Path(output_dir, "AAPL").iterdir()] == ["all.parquet"]
    assert read_rows(output_dir).num_rows == 24


@pytest.mark.parametrize(
    ("contract", "timestamp", "message"),
    [
        ("AAPX", FIRST_BAR, "contract='AAPX' .* the closest are AAPL"),
        ("../AAPL", FIRST_BAR, "contract='../AAPL' is not a contract name"),
        ("AAPL", "2024-01-02T09:30:00", "write 2024-01-02T09:30:00-05:00"),
        ("AAPL", "2024-01-02T09:31:00-05:00", "the nearest bars are 2024-01-02T09:30"),
        ("AAPL", "soon", "is not an ISO 8601 timestamp"),
    ],
)
def test_a_wrong_parameter_is_named_and_nothing_is_written(
    input_dir: str, output_dir: str, contract: str, timestamp: str, message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        run_partition(request_of(input_dir, output_dir, contract), timestamp, "run-1")
    assert not Path(output_dir).exists()


def test_wrong_locations_are_named(input_dir: str, output_dir: str, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    with pytest.raises(ContentError, match=f"nowhere/{PRICES_FILE}: the file does not exist"):
        run_partition(request_of(nowhere, output_dir), FIRST_BAR, "run-1")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"file/out/AAPL/20240102_093000\.parquet: it cannot be"):
        run_partition(request_of(input_dir, str(tmp_path / "file/out")), FIRST_BAR, "run-1")


def test_a_damaged_input_is_a_data_error(input_dir: str, output_dir: str) -> None:
    (Path(input_dir) / VIX_FILE).write_bytes(b"PAR1")
    with pytest.raises(ContentError, match=f"{VIX_FILE}: the file is damaged or not Parquet"):
        run_partition(request_of(input_dir, output_dir), FIRST_BAR, "run-1")


def test_a_partitions_process_loads_nothing_heavy(input_dir: str, output_dir: str) -> None:
    code = (
        "import sys\n"
        "from lake.market.compute import run_partition\n"
        "from lake.planning import plan\n"
        "from lake.market.request import MarketRequest\n"
        "from storage.directory import open_directory\n"
        f"request = MarketRequest(input_dir=open_directory({input_dir!r}, 'input_dir'),\n"
        f"    output_dir=open_directory({output_dir!r}, 'output_dir'), contracts=('AAPL',))\n"
        f"run_partition(request, {FIRST_BAR!r}, 'run-1')\n"
        "heavy = {'pandas', 'scipy', 'yfinance', 'exchange_calendars', 'matplotlib', 's3fs',\n"
        "         'aiohttp', 'prefect', 'pyarrow.compute', 'pyarrow.dataset', 'plotly'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == "[]"
    assert Path(output_dir, "AAPL/20240102_093000.parquet").exists()
