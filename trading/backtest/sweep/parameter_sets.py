"""The parameter sets of a sweep: every combination of a grid, or a random sample."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import product
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from trading.errors import ParameterError
from trading.strategies.protocol import Strategy
from trading.strategies.registry import checked_parameters

MOST_SETS = 100_000
"""Most sets of one sweep."""

NEAR = 2
"""A random number lies between its default divided and multiplied by this, within its limits."""

_DRAWS = 50
"""Draws for each set that is asked for, until a sample counts as exhausted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which parameter sets are tried; those of the defaults alone when nothing is said.

    Attributes:
        grid: Values to try by parameter; every combination is a set.
        sample: How many random sets to try instead.
        seed: Of the random sets: the same seed draws the same ones.
    """

    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    sample: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """The sets that a search comes to.

    Attributes:
        sets: Different ones, in order.
        left_out: Combinations of a grid that the strategy refuses as a whole, such as a fast
            average that is slower than the slow one, each with the reason.
    """

    sets: tuple[BaseModel, ...]
    left_out: tuple[str, ...] = ()


def parameter_sets(strategy: Strategy[Any], search: Search) -> ParameterSets:
    """All sets to try.

    Raises:
        ParameterError: A value, or every combination, is not allowed, or there are too many.
    """
    if search.sample is not None and search.grid:
        raise ParameterError(
            "sample", search.sample, "combined with grid", "pass a grid or a sample, not both"
        )
    if search.sample is not None:
        return ParameterSets(tuple(_sampled(strategy, search.sample, search.seed)))
    return _combined(strategy, search.grid)


def set_text(parameters: BaseModel) -> str:
    """What a set is called: the parameters that are not the defaults, or `defaults`."""
    given = parameters.model_dump(mode="json", exclude_defaults=True)
    return " ".join(f"{name}={value}" for name, value in given.items()) or "defaults"


def _combined(strategy: Strategy[Any], grid: Mapping[str, Sequence[Any]]) -> ParameterSets:
    for name, values in grid.items():
        if not isinstance(values, list | tuple) or not values:
            raise ParameterError(
                f"grid, {name}", values, "a list of values", f'write e.g. {{"{name}": [10, 20]}}'
            )
    count = math.prod(len(values) for values in grid.values())
    if count > MOST_SETS:
        raise ParameterError(
            "grid", f"{count:,} combinations", f"at most {MOST_SETS:,}", "pass fewer values, or "
            "try a random sample",
        )  # fmt: skip
    sets: list[BaseModel] = []
    left_out: list[str] = []
    for values in product(*grid.values()):
        given = dict(zip(grid, values, strict=True))
        if reason := _refused_as_a_whole(strategy, given):
            left_out.append(f"{_text(given)}: {reason}")
        else:
            sets.append(checked_parameters(strategy, given))
    if not sets:
        raise ParameterError(
            "grid", dict(grid), f"one with a valid combination ({left_out[0]})", "correct it"
        )
    return ParameterSets(tuple(_different(sets)), tuple(left_out))


def _refused_as_a_whole(strategy: Strategy[Any], given: Mapping[str, Any]) -> str:
    """Why values that are each allowed are not together; empty when they are, or one is wrong."""
    try:
        strategy.parameters.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if not first["loc"]:
            return first["msg"].removeprefix("Value error, ")
    return ""


def _different(sets: Iterable[BaseModel]) -> list[BaseModel]:
    return list({one.model_dump_json(): one for one in sets}.values())


def _sampled(strategy: Strategy[Any], count: int, seed: int) -> list[BaseModel]:
    if not 1 <= count <= MOST_SETS:
        raise ParameterError("sample", count, f"from 1 to {MOST_SETS:,}", "pass another number")
    found: dict[str, BaseModel] = {}
    for given in _draws(strategy, count, seed):
        try:
            one = strategy.parameters.model_validate(given)
        except ValidationError:
            continue  # values that do not go together are drawn again
        found.setdefault(one.model_dump_json(), one)
        if len(found) == count:
            return list(found.values())
    raise ParameterError(
        "sample", count, f"one that {strategy.name} has enough different sets for: {len(found)} "
        "were found", "pass a smaller number, or a grid",
    )  # fmt: skip


def _draws(strategy: Strategy[Any], count: int, seed: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(seed)  # noqa: S311 - for a search, not for secrets
    fields, defaults = strategy.parameters.model_fields, strategy.parameters()
    for _ in range(_DRAWS * count):
        drawn = {name: _drawn(f, getattr(defaults, name), chance) for name, f in fields.items()}
        yield {name: value for name, value in drawn.items() if value is not None}


def _drawn(about: FieldInfo, default: Any, chance: random.Random) -> Any:  # noqa: ANN401
    """A value of one parameter; None leaves it at its default."""
    if isinstance(default, bool):
        return chance.choice([False, True])
    if get_origin(about.annotation) is Literal:
        return chance.choice(get_args(about.annotation))
    if isinstance(about.annotation, type) and issubclass(about.annotation, Enum):
        return chance.choice(list(about.annotation))
    if isinstance(default, int):
        low, high = _range(about, default)
        return chance.randint(math.ceil(low), math.floor(high))
    if isinstance(default, float):
        return float(f"{chance.uniform(*_range(about, default)):.4g}")
    return None


def _range(about: FieldInfo, default: float) -> tuple[float, float]:
    """From where to where a number is drawn; limits that are excluded may be drawn and refused."""
    low, high = sorted((default / NEAR, default * NEAR))
    for limit in about.metadata:
        for name in ("ge", "gt"):
            low = max(low, getattr(limit, name, low))
        for name in ("le", "lt"):
            high = min(high, getattr(limit, name, high))
    return low, max(low, high)


def _text(given: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in given.items())
