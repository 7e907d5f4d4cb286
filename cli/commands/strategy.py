"""`trading strategy list` and `show`: the strategies there are, and their parameters."""

from __future__ import annotations

import json
from typing import Any

import typer

from trading.strategies.protocol import Strategy
from trading.strategies.registry import BUILT_IN, strategy_named


def run_list(*, as_object: bool) -> None:
    """Print every built-in strategy with what it does."""
    found = [(name, _summary(strategy_named(name))) for name in BUILT_IN]
    if as_object:
        typer.echo(json.dumps([{"name": name, "summary": text} for name, text in found]))
        return
    width = max(len(name) for name, _ in found)
    typer.echo("\n".join(f"{name:<{width}}  {text}" for name, text in found))


def run_show(name: str, *, as_object: bool) -> None:
    """Print one strategy with its parameters.

    Raises:
        ParameterError: There is none of the name.
    """
    strategy = strategy_named(name)
    described = describe(strategy)
    if as_object:
        typer.echo(json.dumps(described))
        return
    lines = [
        f"{described['name']}, version {described['version']}",
        described["summary"],
        "",
        f"Needs beside the bars: {', '.join(described['context']) or 'nothing'}",
        f"Bars before the first signal: {described['warm_up_bars']} by default",
        "",
        "Parameters",
    ]
    for parameter in described["parameters"]:
        default = json.dumps(parameter["default"])
        lines += [f"  {parameter['name']} = {default}", f"      {parameter['description']}"]
    typer.echo("\n".join(lines))


def describe(strategy: Strategy[Any]) -> dict[str, Any]:
    """What a strategy is, as JSON can hold it."""
    defaults = strategy.parameters()
    values = defaults.model_dump(mode="json")
    return {
        "name": strategy.name,
        "version": strategy.version,
        "summary": _summary(strategy),
        "context": list(strategy.context),
        "warm_up_bars": strategy.warm_up_bars(defaults),
        "parameters": [
            {"name": name, "default": values[name], "description": field.description or ""}
            for name, field in strategy.parameters.model_fields.items()
        ],
    }


def _summary(strategy: Strategy[Any]) -> str:
    return (type(strategy).__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
