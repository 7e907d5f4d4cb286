"""What a deployment says of its flow: found by an entrypoint, with a form for its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from prefect import Flow
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema


def flow_of(entrypoint: str) -> Flow[..., Any]:
    """The flow that a deployment's entrypoint names.

    Args:
        entrypoint: `module.function`.
    """
    flow: Flow[..., Any] = load_flow_from_entrypoint(entrypoint)
    return flow


def parameters_of(flow: Flow[..., Any]) -> dict[str, Any]:
    """The schema of a flow's parameters that a deployment carries: the UI's form."""
    return parameter_schema(flow).model_dump_for_openapi()


def describe_parameters(function: Callable[..., object], texts: Mapping[str, str]) -> None:
    """Have the UI's form show a text at each of a function's parameters.

    Prefect takes a parameter's description from the section `Args:` of the docstring alone and
    writes it, or nothing, over that of the parameter's annotation.

    Args:
        function: A function that will be a flow; its docstring gets the section.
        texts: The parameters' names and their texts, each on one line.
    """
    lines = [f"    {name}: {text}" for name, text in texts.items()]
    description = inspect.cleandoc(function.__doc__ or "")
    function.__doc__ = description + "\n\nArgs:\n" + "\n".join(lines) + "\n"
