from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.own_strategies import Momentum, Periods, Raises
from tests.trading.backtest.markets import bars_of, clock_of
from trading.backtest.sweep.evaluation import evaluated, source_of
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.errors import DataError
from trading.strategies.protocol import Signals


def some_bars() -> Bars:
    return bars_of("AAPL", clock_of(30), [(10.0 + i, 11.0 + i, 9.0 + i, 10.0 + i, 100.0)
                                          for i in range(30)])  # fmt: skip


def test_the_message_has_the_line_of_the_authors_own_module() -> None:
    with pytest.raises(DataError) as raised:
        evaluated(Raises(), some_bars(), Interval.HOUR, {}, Periods(periods=13))
    text = str(raised.value)
    assert text.startswith("strategy raises: ZeroDivisionError: division by zero in line ")
    assert "of own_strategies.py, `weight = 1 / (periods - 13)  # the line" in text
    assert "\n" not in text


def test_a_deeper_error_is_told_by_the_authors_line_not_by_a_librarys() -> None:
    class Deep(Momentum):
        def evaluate(self, *asked: Any) -> Signals:
            return Signals(np.concatenate([[1], "x"]))

    with pytest.raises(DataError, match=r"of test_evaluation.py, `return Signals\(np.conc"):
        evaluated(Deep(), some_bars(), Interval.HOUR, {}, Periods())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "it returned NoneType"),
        (Signals(np.zeros(29, np.int8)), r"the shape \(29,\) for 30 bars"),
        (Signals(np.full(30, 2, np.int8)), "not all 1, 0 or -1"),
        (Signals(np.zeros(30, np.int8), {}, np.zeros(3)), r"targets have the shape \(3,\)"),
    ],
)
def test_an_answer_that_is_none_is_refused(answer: Any, said: str) -> None:
    class Says(Momentum):
        def evaluate(self, *asked: Any) -> Any:
            return answer

    with pytest.raises(DataError, match=said):
        evaluated(Says(), some_bars(), Interval.HOUR, {}, Periods())


def test_the_source_of_a_strategy_is_its_whole_module() -> None:
    assert "class Raises(Momentum)" in source_of(Momentum())
