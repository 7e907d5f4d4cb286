"""Parameters as an attacker or a careless script sends them: refused in one sentence, or harmless.

What a flow's own types let through is given to what the flow calls with it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from prefect import Flow
from prefect.exceptions import ParameterTypeError, PrefectException

from flows.aggregate_portfolio_flow import aggregate_portfolio
from flows.analyze_symbol_flow import analyze_symbol
from flows.analyze_time_partition_flow import analyze_time_partition, run_name
from flows.boundary.parameters import PartitionGrain, Strategy
from flows.ingest_market_data_flow import ingest_market_data
from flows.orchestrator_flow import trading_orchestrator
from flows.validate_data_flow import validate_data
from lake.errors import EXPECTED
from lake.grain import Grain
from lake.market.compute import run_partition
from lake.market.dataset import RESULTS
from lake.market.ingestion.request import contract_name
from lake.market.inputs import open_market_data
from lake.market.validation import validate
from lake.planning import plan
from tests.markets import random_market, request_of, session_timestamps
from tests.reliability.test_hostile_locations import assert_one_sentence
from trading.errors import ParameterError
from trading.instruments.clock import parse_timestamp
from trading.instruments.symbols import selected_contracts

UNHURRIED = hypothesis_settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BAR = "2024-01-03T09:30:00-05:00"
HUGE = 10_000_000
AnyFlow = Flow[..., Any]

NAMES = [
    "../../etc/passwd", "..", ".", "", "/", "AAPL/../MSFT", "AAPL\\..\\x", "AAPL\0", "AAPL\n",
    " AAPL", "aapl", "\u0410\u0410\u0420L", "\uff21\uff21\uff30\uff2c", "AAPL\u200b", "\u202eLPAA",
    "-rf", "=1+1", "$(id)", "`id`", "{contract}", "%2e%2e", "A" * 33, "A" * HUGE, "\ud800", "A,B",
]  # fmt: skip
TIMESTAMPS = [
    "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59", "1899-12-31T23:59:59+00:00",
    "2201-01-01T00:00:00+00:00", "2024-01-03T09:30:00", "2024-01-03T24:00:00-05:00",
    "2024-06-30T23:59:60+00:00", "2024-02-30T09:30:00-05:00", "2024-01-03T09:30:00+24:00",
    "2024-01-03T09:30:00.000001-05:00", "2024-03-10T02:30:00-05:00", "2024-11-03T01:30:00-04:00",
    "2024-11-03T01:30:00-05:00", "-2024-01-03T09:30:00-05:00", "now", "", "\0", "2024-01-03T09Z\n",
    "\u0662\u0660\u0662\u0664-01-03T09:30:00-05:00", "1" * HUGE, "\ud800", "../../x", "1704292200",
]  # fmt: skip
NOT_A_NUMBER = [math.nan, math.inf, -math.inf, "NaN", "inf", 10**4000, -(10**4000), None, [], {}]
STRATEGIES: list[object] = [
    *({"base_threshold_pct": value} for value in [*NOT_A_NUMBER, -0.5, 0, 1e308, 5e-324 * 0]),
    *({"vix_baseline": value} for value in [*NOT_A_NUMBER, -1, 0]),
    *({"vix_tolerance_hours": value} for value in [*NOT_A_NUMBER, -1, 1e9]),
    *({"cost_bps": value} for value in [*NOT_A_NUMBER, -1, 1e9]),
    *({"beta_window": value} for value in [*NOT_A_NUMBER, -20, 0, 1, 10**9, 2.5]),
    {"beta_window": 3, "beta_min_periods": 4},
    {"unknown": 1},
    {"__class__": "x"},
    "x" * HUGE,
    [],
    17,
]
GRAINS: list[object] = ["BAR", "", "..", "bar\n", 0, None, ["bar"], "x" * HUGE]


@pytest.fixture(autouse=True)
def _unlogged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect logs what it refuses, whole and in colours: seconds for ten megabytes."""
    monkeypatch.setattr(logging.getLogger("prefect.flows"), "disabled", True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with market data of AAPL and BRK-B; nothing but `output` may be added to it."""
    folder = tmp_path_factory.mktemp("hostile")
    random_market(session_timestamps(3), contracts=2).write(folder / "input")
    yield folder
    assert {path.name for path in folder.iterdir()} <= {"input", "output"}
    assert len(list((folder / "input").iterdir())) == 3


def refused(flow: AnyFlow, **parameters: Any) -> bool:
    """Whether the flow's own types refuse the parameters, in a few words."""
    try:
        flow.validate_parameters(parameters)
    except ParameterTypeError as error:
        return len(str(error)) < 2_000
    return False


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_no_flow_takes_what_is_no_name_of_a_contract(name: str) -> None:
    """Fails for most of them without the pattern of `ContractName`; for the fetching of data,
    whose names are the source's, without `contract_name`."""
    assert refused(analyze_symbol, contract=name)
    assert refused(analyze_time_partition, contract=name, timestamp=BAR)
    for flow in (trading_orchestrator, validate_data, aggregate_portfolio):
        assert refused(flow, contracts=[name])
    with pytest.raises(ParameterError) as caught:
        contract_name(name)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("name", ["BRK-b", "BRK_B", "BRK.B", "BRK-B-", "A" * 32])
def test_a_well_formed_name_that_the_data_do_not_hold_is_not_taken_for_another(
    place: Path, name: str
) -> None:
    """Fails when names are compared without case, or by what they begin with."""
    if refused(analyze_symbol, contract=name):
        assert name != name.upper()
        return
    with pytest.raises(ParameterError, match="one of the 2 contracts in the data") as caught:
        run_partition(
            request_of(str(place / "input"), str(place / "output"), name, Grain.SESSION), BAR, "run"
        )
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("timestamp", TIMESTAMPS, ids=lambda text: ascii(text[:36]))
@pytest.mark.parametrize("grain", [Grain.BAR, Grain.YEAR])
def test_no_timestamp_but_a_bar_of_the_data_is_computed(
    place: Path, grain: Grain, timestamp: str
) -> None:
    """Fails without the bounds of `parse_timestamp`: the years 1 and 9999 have no instant in some
    zones. A name of the run that repeats ten megabytes is refused by no server."""
    if refused(analyze_time_partition, contract="AAPL", timestamp=timestamp):
        return
    with pytest.raises(ParameterError, match=r"^timestamp=") as caught:
        run_partition(
            request_of(str(place / "input"), str(place / "output"), "AAPL", grain), timestamp, "run"
        )
    assert_one_sentence(caught.value)
    name = run_name("AAPL", timestamp, grain)
    assert len(name) < 200
    assert name.isprintable()


@UNHURRIED
@given(st.text(max_size=40) | st.datetimes().map(datetime.isoformat))
@example("2024-01-03T09:30:00-05:00")
@example("1900-01-01T00:00:00+23:59")
@example("2200-12-31T23:59:59.999999-23:59")
def test_any_text_is_an_instant_or_a_sentence(text: str) -> None:
    """Fails without the years' bounds: OverflowError at both ends of the calendar."""
    try:
        assert parse_timestamp(text).utcoffset() is not None
    except ParameterError as error:
        assert_one_sentence(error)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda value: ascii(value)[:40])
def test_a_strategy_that_makes_no_sense_is_refused_by_every_flow_that_takes_one(
    strategy: object,
) -> None:
    """Fails without the bounds of `StrategyParameters`, or when it allows what it does not know."""
    for flow in (trading_orchestrator, analyze_symbol, analyze_time_partition):
        assert signature(flow.fn).parameters["strategy"].annotation is Strategy
    assert refused(analyze_time_partition, contract="AAPL", timestamp=BAR, strategy=strategy)


@pytest.mark.parametrize("grain", GRAINS, ids=lambda value: ascii(value)[:20])
def test_what_is_no_grain_is_refused(grain: object) -> None:
    """Fails when the grain is text: it becomes part of no path, but of no partition either."""
    for flow in (trading_orchestrator, analyze_symbol, analyze_time_partition):
        assert signature(flow.fn).parameters["grain"].annotation is PartitionGrain
    assert refused(analyze_time_partition, contract="AAPL", timestamp=BAR, grain=grain)


@pytest.mark.parametrize(
    "file",
    [
        "../AAPL/20240102_093000.parquet", "/etc/passwd", "AAPL/../../x.parquet", "", "AAPL",
        "AAPL/", "AAPL/20240102_093000.parquet/..", "BRK-B/20240102_093000.parquet", "AAPL/" * HUGE,
        "AAPL/\0", "AAPL/20240102_093000.parquet\n", "AAPL/20240102.parquet", "\ud800",
    ],
    ids=lambda file: ascii(file[:36]),
)  # fmt: skip
def test_only_files_of_partitions_are_planned_for(place: Path, file: str) -> None:
    """Fails when files are joined to the output directory before they are compared."""
    request = request_of(str(place / "input"), str(place / "output"))
    with pytest.raises(ParameterError, match=r"^partitions=") as caught:
        plan(RESULTS, replace(request, reprocess=True, only=frozenset([file])))
    assert_one_sentence(caught.value)
    contracts = sorted({file.partition("/")[0]})
    if contracts not in (["AAPL"], ["BRK-B"]):
        with pytest.raises(ParameterError, match=r"^contract=") as caught:
            selected_contracts(request.market().contracts, contracts, 10)
        assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    "number", [*NOT_A_NUMBER, -1, 0, 1e308, True, "x" * HUGE], ids=lambda value: ascii(value)[:20]
)
def test_numbers_of_contracts_thresholds_and_costs_are_bounded_or_harmless(
    place: Path, number: object
) -> None:
    """Fails without the bounds of the parameters: no contract, or a million, would be analysed."""
    market = open_market_data(str(place / "input"))
    if not refused(trading_orchestrator, num_contracts=number):
        wanted = trading_orchestrator.validate_parameters({"num_contracts": number})
        try:
            assert selected_contracts(market.contracts, None, wanted["num_contracts"]) == ["AAPL"]
        except ParameterError as error:
            assert_one_sentence(error)
    for parameter in ("z_threshold", "robust_z_threshold", "stale_bars"):
        if refused(validate_data, **{parameter: number}):
            continue
        taken = validate_data.validate_parameters({parameter: number})[parameter]
        thresholds = {"z_threshold": 3.0, parameter: taken}
        try:
            validate(str(place / "input"), None, **thresholds)
        except EXPECTED as error:
            assert_one_sentence(error)
    assert refused(aggregate_portfolio, cost_bps=number) or number in (0, True)


def test_dates_outside_the_calendar_are_refused_before_anything_is_fetched() -> None:
    """Fails when the source is asked first."""
    for text in ("0000-00-00", "2024-13-01", "yesterday", "x" * HUGE, "2024-01-01\0"):
        assert refused(ingest_market_data, start_date=text)
        assert refused(trading_orchestrator, ingestion_end_date=text)


@UNHURRIED
@given(
    st.dictionaries(
        st.sampled_from(["contract", "timestamp", "grain", "strategy", "input_dir", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )
)
def test_any_json_is_taken_or_refused_by_the_flows_types(parameters: dict[str, Any]) -> None:
    """Fails when a validator of ours raises anything but a ValueError."""
    with suppress(PrefectException):
        assert analyze_time_partition.validate_parameters(parameters)
