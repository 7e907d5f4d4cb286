"""What the orchestrator's runs are called."""

from __future__ import annotations

from typing import Any

import pytest

from flows.orchestrator_flow import run_name, trading_orchestrator


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "10 contracts by bar"),
        ({"num_contracts": 1, "grain": "session"}, "1 contract by session"),
        ({"contracts": ["AAPL", "MSFT"]}, "2 contracts by bar"),
        ({"run_ingestion": True, "ingestion_symbols": ["AAPL", "MSFT"]}, "2 contracts by bar"),
        ({"run_ingestion": True, "num_contracts": 3}, "10 contracts by bar"),
        (
            {"run_ingestion": True, "ingestion_symbols": ["A", "B"], "contracts": ["A"]},
            "1 contract by bar",
        ),
        ({"ingestion_symbols": ["AAPL"], "num_contracts": 3}, "3 contracts by bar"),
        ({"partitions": ["AAPL/all.parquet"], "run_ingestion": True}, "1 partition by bar"),
    ],
)
def test_a_run_is_named_after_what_it_computes(given: dict[str, Any], name: str) -> None:
    assert run_name(trading_orchestrator.validate_parameters(given)) == name
