"""Commands that messages ask their reader to run."""

from __future__ import annotations

import json
import shlex

from hypothesis import given
from hypothesis import strategies as st

from flows.boundary.parameters import DEFAULT_STRATEGY
from flows.runs.commands import redo_partition, run_command
from trading.strategies.market_model.parameters import StrategyParameters


def parameters_of(command: str) -> dict[str, str]:
    words = shlex.split(command)
    pairs = [words[i + 1] for i, word in enumerate(words) if word == "--param"]
    return dict(pair.split("=", 1) for pair in pairs)


def test_a_partition_is_redone_with_its_own_parameters() -> None:
    command = redo_partition(
        {
            "contract": "AAPL",
            "timestamp": "2024-01-02T09:30:00-05:00",
            "grain": "bar",
            "strategy": DEFAULT_STRATEGY.model_dump(mode="json"),
            "input_dir": "/data/in put",
            "output_dir": "s3://bucket/out",
        }
    )
    assert command.startswith(
        "prefect deployment run analyze-time-partition/analyze-time-partition --param contract=AAPL"
    )
    assert parameters_of(command) == {
        "contract": "AAPL",
        "timestamp": "2024-01-02T09:30:00-05:00",
        "input_dir": "/data/in put",
        "output_dir": "s3://bucket/out",
    }


def test_a_strategy_that_is_not_the_default_is_told() -> None:
    strategy = StrategyParameters(beta_window=5, beta_min_periods=3).model_dump(mode="json")
    told = parameters_of(redo_partition({"contract": "V", "grain": "year", "strategy": strategy}))
    assert json.loads(told["strategy"]) == strategy
    assert told["grain"] == "year"


@given(
    st.text(
        alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40
    )
)
def test_no_value_escapes_its_word(value: str) -> None:
    told = parameters_of(run_command("a/b", {"name": value}))
    assert told == {"name": value}
