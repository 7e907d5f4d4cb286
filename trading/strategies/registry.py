"""The strategies that there are by name, and those of a user's own by `package.module:Class`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from trading.errors import ParameterError
from trading.strategies.protocol import Strategy

BUILT_IN = {
    "bollinger_reversion": "trading.strategies.bollinger_reversion:BollingerReversionStrategy",
    "macd_cross": "trading.strategies.macd_cross:MACDCrossStrategy",
    "market_model": "trading.strategies.market_model.strategy:MarketModelStrategy",
    "news_sentiment": "trading.strategies.news_sentiment:NewsSentimentStrategy",
    "regime": "trading.strategies.regime:RegimeStrategy",
    "rsi_reversion": "trading.strategies.rsi_reversion:RSIReversionStrategy",
    "vegas_channel": "trading.strategies.vegas_channel.strategy:VegasChannelStrategy",
    "vegas_tunnel": "trading.strategies.vegas_tunnel:VegasTunnelStrategy",
}
"""Where each is, by name; a module is imported when its strategy is asked for."""

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

_PARAMETER = "strategy"


@cache
def strategy_named(name: str) -> Strategy[Any]:
    """The strategy of that name, or of a class that is given as `package.module:Class`.

    Args:
        name: One of `BUILT_IN`, or a reference to a class that is made without arguments and has
            what `trading.strategies.protocol.Strategy` asks for. Its module is imported, so its
            code runs.

    Raises:
        ParameterError: There is none, or it is no strategy.
    """
    if name in BUILT_IN:
        return _made(BUILT_IN[name])
    if not _REFERENCE.fullmatch(name):
        raise ParameterError(
            _PARAMETER,
            name,
            f"one of {', '.join(BUILT_IN)}",
            "pass one of them, or a class of your own as 'package.module:Class'",
        )
    strategy = _made(name)
    if strategy.name in BUILT_IN and name != BUILT_IN[strategy.name]:
        raise _refusal(
            name, "a strategy with a name of its own", f"rename it, {strategy.name} is taken"
        )
    return strategy


def checked_parameters(strategy: Strategy[Any], values: Mapping[str, Any]) -> BaseModel:
    """The strategy's parameters, those that are not given at their defaults.

    Raises:
        ParameterError: A name is unknown, or a value is not allowed.
    """
    try:
        return strategy.parameters.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise ParameterError(
            f"parameters of {strategy.name}" + f", {name}" * bool(name),
            first["input"],
            f"valid: {problem[:1].lower()}{problem[1:]}",
            f"its parameters are {', '.join(strategy.parameters.model_fields)}",
        ) from error


def _made(reference: str) -> Strategy[Any]:
    module_name, class_name = reference.split(":")
    try:
        made = getattr(importlib.import_module(module_name), class_name)()
    except ModuleNotFoundError as error:
        raise _refusal(
            reference,
            f"a class that can be imported (no module {error.name})",
            "check the spelling, and that its folder is on PYTHONPATH",
        ) from error
    except AttributeError as error:
        raise _refusal(
            reference,
            f"a class that can be imported ({error})",
            f"name a class of {module_name}",
        ) from error
    except Exception as error:
        raise _refusal(
            reference,
            f"a class that can be made without arguments ({type(error).__name__}: {error})",
            "mend what its module or its constructor does",
        ) from error
    missing = _lacks(made)
    if missing:
        raise _refusal(
            reference,
            f"a strategy ({missing})",
            "give it what trading.strategies.protocol.Strategy describes",
        )
    strategy: Strategy[Any] = made
    return strategy


def _lacks(made: object) -> str:
    """What keeps an object from being a strategy; empty when nothing does."""
    attributes = {name: getattr(made, name, None) for name in ("name", "version", "context")}
    name, version, context = attributes.values()
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"its name {name!r} is not 1 to 64 of a-z 0-9 _, beginning with a letter"
    if not isinstance(version, str) or not version:
        return f"its version {version!r} is not a text"
    if not isinstance(context, tuple) or not all(isinstance(series, str) for series in context):
        return f"its context {context!r} is not a tuple of names of series"
    model = getattr(made, "parameters", None)
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        return "its parameters are not a Pydantic model"
    lacking = [
        what for what in ("warm_up_bars", "evaluate") if not callable(getattr(made, what, None))
    ]
    return f"it has no {' and no '.join(lacking)}" if lacking else ""


def _refusal(reference: str, allowed: str, next_step: str) -> ParameterError:
    return ParameterError(_PARAMETER, reference, allowed, next_step)
