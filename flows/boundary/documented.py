"""What the Prefect UI's form says of a flow's parameters."""

import json
from collections.abc import Callable
from typing import Annotated, TypeVar, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from fanout.prefect_engine.deployments import describe_parameters

F = TypeVar("F", bound=Callable[..., object])


def documented(function: F) -> F:
    """Have the form show the descriptions of the function's annotated parameters.

    The form shows no examples, so that the first one becomes a part of the text.
    """
    hints = get_type_hints(function, include_extras=True)
    texts = {name: text for name, hint in hints.items() if (text := _description(hint))}
    describe_parameters(function, texts)
    return function


def _description(hint: object) -> str:
    if get_origin(hint) is not Annotated:
        return ""
    fields = [extra for extra in get_args(hint) if isinstance(extra, FieldInfo)]
    return next((_with_example(field) for field in fields if field.description), "")


def _with_example(field: FieldInfo) -> str:
    """The description and one of the examples as a user types it."""
    if not field.examples:
        return str(field.description)
    example = field.examples[0]
    typed = example if isinstance(example, str) else json.dumps(example)
    return f"{field.description} Example: {typed}"
