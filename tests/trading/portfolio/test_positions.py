from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tests.oracles import NAN, Row
from trading.errors import DataError
from trading.portfolio.positions import trades

START = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def table(rows: list[Row], unit: str = "us", zone: str = "America/New_York") -> pa.Table:
    """Result rows as a table with plain strings."""
    return pa.table(
        {
            "timestamp": pa.array([row.timestamp for row in rows], pa.timestamp(unit, zone)),
            "contract": pa.array([row.contract for row in rows], pa.string()),
            "price": pa.array([row.price for row in rows], pa.float64(), from_pandas=True),
            "beta": pa.array([row.beta for row in rows], pa.float64(), from_pandas=True),
            "signal": pa.array([row.signal for row in rows], pa.string()),
        }
    )


def history(contract: str, prices: list[float], signals: str) -> list[Row]:
    names = {"b": "buy", "s": "sell", ".": "hold"}
    return [
        Row(at(hour), contract, price, names[letter])
        for hour, (price, letter) in enumerate(zip(prices, signals, strict=True))
    ]


def test_a_position_earns_the_contracts_next_price() -> None:
    made = trades(table(history("A", [100, 110, 99, 99, 50], "bs.bs")))
    np.testing.assert_allclose(made.next_return, [0.1, -0.1, 0.0, 50 / 99 - 1, np.nan])
    np.testing.assert_allclose(made.gain(0.0), [0.1, 0.1, 0.0, 50 / 99 - 1, 0.0])
    assert made.quality().tolist() == [1, 1, 0, -1, 0]


def test_a_trade_costs_at_its_own_bar_even_without_a_next_price() -> None:
    made = trades(table(history("A", [100, 100, 100], "b.s")))
    np.testing.assert_allclose(made.gain(25.0), [-0.0025, 0.0, -0.0025])


MISSING = pytest.mark.parametrize("missing", [NAN, 0.0, -1.0, float("inf")])


@MISSING
def test_a_position_is_held_while_its_contract_is_halted(missing: float) -> None:
    made = trades(table(history("A", [100, missing, missing, 120], "s...")))
    np.testing.assert_allclose(made.next_return, [0.2, np.nan, np.nan, np.nan])
    assert made.next_bar.tolist() == [3, 3, 3, 3]
    assert made.priced.tolist() == [True, False, False, True]
    assert made.quality().tolist() == [-1, 0, 0, 0]
    np.testing.assert_allclose(made.gain(0.0), [-0.2, 0.0, 0.0, 0.0])


@MISSING
@pytest.mark.parametrize("others", [0, 1])
def test_a_halt_is_the_same_as_a_row_without_a_price_and_as_no_row(
    missing: float, others: int
) -> None:
    """Whether other contracts trade at the halted bar or not."""
    prices = [98.0, missing, 105.5, 101.0]
    cells = history("A", prices, "b.s.")
    beside = history("B", [1.0, 1.0, 1.0, 1.0], "....") * others
    null = trades(table(cells + beside))
    absent = trades(table([cells[0], *cells[2:], *beside]))
    assert null.gain(1.0)[0] == absent.gain(1.0)[0] == pytest.approx(105.5 / 98 - 1 - 1e-4)
    assert null.gain(1.0)[2] == absent.gain(1.0)[1] == pytest.approx(1 - 101 / 105.5 - 1e-4)


def test_a_halt_that_does_not_end_leaves_no_return() -> None:
    made = trades(table(history("A", [100, NAN], "b.") + history("B", [7, 8], "..")))
    assert made.gain(0.0).tolist() == pytest.approx([0.0, 0.0, 0.0, 0.0])
    assert made.next_bar.tolist() == [0, 1, 1, 1]


def test_a_return_too_large_for_a_float_is_none() -> None:
    made = trades(table(history("A", [1e-300, 1e300, 1e300], "bb.")))
    np.testing.assert_array_equal(made.next_return, [np.nan, 0.0, np.nan])


def test_the_next_price_is_never_another_contracts() -> None:
    made = trades(table(history("A", [100, 200], "bb") + history("B", [10, 5], "bb")))
    np.testing.assert_allclose(made.next_return, [1.0, np.nan, -0.5, np.nan])


def test_a_return_spans_bars_whose_results_are_missing() -> None:
    rows = history("A", [100, 110, 121], "b..")
    made = trades(table([rows[0], rows[2], *history("B", [1, 1, 1], "...")]))
    np.testing.assert_allclose(made.next_return[:2], [0.21, np.nan])


def test_rows_in_any_order_make_the_same_trades() -> None:
    rows = history("B", [10, 11, 12], "bs.") + history("A", [5, 4, 6, 5], ".bsb")
    right = trades(table(rows))
    assert right.contracts == ["A", "B"]
    assert right.bar.tolist() == [0, 1, 2, 3, 0, 1, 2]
    assert right.position.tolist() == [0, 1, -1, 1, 1, -1, 0]
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(rows))
        shuffled = trades(table([rows[i] for i in order]))
        assert shuffled.contracts == right.contracts
        for name in ("contract", "bar", "position", "next_return", "timestamps"):
            np.testing.assert_array_equal(getattr(shuffled, name), getattr(right, name))


def test_dictionaries_that_differ_by_chunk_are_one() -> None:
    parts = [table(history(name, [1, 2], signals)) for name, signals in (("B", "sb"), ("A", "b."))]
    encoded = [
        part.set_column(1, "contract", part["contract"].dictionary_encode()).set_column(
            4, "signal", part["signal"].dictionary_encode()
        )
        for part in parts
    ]
    made = trades(pa.concat_tables(encoded))
    plain = trades(pa.concat_tables(parts))
    assert made.contracts == plain.contracts == ["A", "B"]
    assert made.position.tolist() == plain.position.tolist() == [1, 0, -1, 1]


def test_a_contract_that_only_the_dictionary_knows_is_not_traded() -> None:
    rows = table(history("A", [1, 2], "b.") + history("B", [1, 2], "s."))
    rows = rows.set_column(1, "contract", rows["contract"].dictionary_encode())
    made = trades(rows.slice(2))
    assert made.contracts == ["B"]
    assert made.contract.tolist() == [0, 0]


@pytest.mark.parametrize(("unit", "zone"), [("s", "UTC"), ("ms", "UTC"), ("ns", "Asia/Tokyo")])
def test_timestamps_of_any_unit_and_zone_are_instants(unit: str, zone: str) -> None:
    made = trades(table(history("A", [1, 2], ".."), unit, zone))
    assert made.timestamps.dtype == np.dtype("datetime64[ns]")
    assert made.timestamps.astype(str).tolist() == [
        "2024-01-02T14:30:00.000000000",
        "2024-01-02T15:30:00.000000000",
    ]


def test_a_null_signal_is_hold_and_a_null_beta_is_nan() -> None:
    rows = table([Row(at(0), "A", 1.0, "buy", 1.5), Row(at(1), "A", 2.0, "buy")])
    rows = rows.set_column(4, "signal", pa.array([None, "buy"], pa.string()))
    made = trades(rows)
    assert made.position.tolist() == [0, 1]
    np.testing.assert_array_equal(made.beta, [1.5, np.nan])


def test_rows_that_make_no_sense_are_refused() -> None:
    good = table(history("A", [1, 2], ".."))
    with pytest.raises(DataError, match="results: there are no rows; run trading-orchestrator"):
        trades(good.slice(0, 0))
    with pytest.raises(DataError, match=r"1 rows repeat a timestamp of a contract, e\.g\. A"):
        trades(pa.concat_tables([good, good.slice(1)]))
    with pytest.raises(DataError, match="signal 'short' is none of buy, hold, sell"):
        trades(good.set_column(4, "signal", pa.array(["hold", "short"])))
    with pytest.raises(DataError, match="1 rows have no contract"):
        trades(good.set_column(1, "contract", pa.array(["A", None])))
    with pytest.raises(DataError, match="2 rows have no timestamp"):
        trades(good.set_column(0, "timestamp", pa.nulls(2, pa.timestamp("us", "UTC"))))
