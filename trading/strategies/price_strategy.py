"""Strategies that look at prices alone: what they have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from trading.bars.intervals import Interval
from trading.bars.model import PRICES, Bars
from trading.indicators.indicator import has_all
from trading.strategies.protocol import Context, Signals

P = TypeVar("P", bound=BaseModel)

Mask = npt.NDArray[np.bool_]


class StrategyModel(BaseModel):
    """Parameters of a strategy: unchangeable, without unknown names, every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PriceStrategy(ABC, Generic[P]):
    """A strategy to which a missing bar is none: the bar before it is followed by the one after.

    At a missing bar, one without all four prices, it holds and its columns are null.
    """

    name: str
    version: str
    context: tuple[str, ...] = ()

    @property
    @abstractmethod
    def parameters(self) -> type[P]:
        """The model of its parameters."""

    @abstractmethod
    def warm_up_bars(self, parameters: P) -> int:
        """How many bars there must be before the first that can signal."""

    @abstractmethod
    def _of_present(self, bars: Bars, interval: Interval, parameters: P) -> Signals:
        """The signals of bars none of which is missing."""

    def evaluate(
        self,
        bars: Bars,
        interval: Interval,
        context: Context,  # noqa: ARG002 - prices alone
        parameters: P,
    ) -> Signals:
        """The signals of all given bars, as `trading.strategies.protocol.Strategy` has it."""
        present = has_all(bars, PRICES)
        if present.all():
            return self._of_present(bars, interval, parameters)
        found = self._of_present(bars[present], interval, parameters)
        return Signals(
            _spread(found.signal, present),
            {name: _spread(values, present) for name, values in found.columns.items()},
            None if found.target is None else _spread(found.target, present),
        )


def signals_of(buy: Mask, sell: Mask) -> npt.NDArray[np.int8]:
    """BUY where only the first holds, SELL where only the second does, HOLD elsewhere."""
    return buy.astype(np.int8) - sell.astype(np.int8)


def _spread(values: npt.NDArray[Any], present: Mask) -> npt.NDArray[Any]:
    """Values at the places of the present bars; null, false or 0 (HOLD) at the others."""
    missing = {"f": np.nan, "O": None}.get(values.dtype.kind, 0)
    spread_out = np.full(len(present), missing, values.dtype)
    spread_out[present] = values
    return spread_out
