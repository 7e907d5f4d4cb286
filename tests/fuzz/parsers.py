"""A fuzz target: whatever text comes, each parser takes it or refuses it in one sentence of ours.

    uv run python -m tests.fuzz.parsers FOLDER tests/fuzz/seeds -runs=1000000

The first byte chooses the parser, the rest is the text. libFuzzer's coverage leads it into the
branches; what it finds there it keeps in FOLDER. An input that breaks a parser is written to the
working directory: add it to `seeds` under a name that says what it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

import atheris

with atheris.instrument_imports(
    include=[
        "trading.instruments.clock",
        "storage.location",
        "trading.instruments.symbols",
        "cli.commands.demo",
    ]
):
    from cli.commands.demo import selected
    from servers.errors import CommandError
    from storage.location import MAX_LOCATION, checked_location
    from trading.instruments.clock import parse_timestamp
    from trading.instruments.symbols import checked_contract

from pydantic import TypeAdapter, ValidationError

from lake.errors import EXPECTED
from trading.errors import MAX_SHOWN
from trading.instruments.symbols import Contract
from trading.strategies.market_model.parameters import StrategyParameters

LONGEST_SENTENCE = 5 * MAX_SHOWN

_BY_TYPE = TypeAdapter[str](Contract)


def timestamp(text: str) -> None:
    """What is parsed is aware, and parses again to the same instant."""
    moment = parse_timestamp(text)
    require(moment.utcoffset() is not None)
    require(parse_timestamp(moment.isoformat()) == moment)


def location(text: str) -> None:
    """What is taken is one line of bounded length without credentials."""
    require(checked_location(text, "input_dir") == text)
    require(len(text) <= MAX_LOCATION and len(text.splitlines()) == 1)
    require("@" not in text.partition("://")[2])


def contract(text: str) -> None:
    """Our check and the type that the UI uses agree, and no name leaves its folder."""
    try:
        _BY_TYPE.validate_python(text)
        allowed = True
    except ValidationError:
        allowed = False
    with suppress(*EXPECTED):
        require(checked_contract(text) == text)
        require(allowed and not {"/", "\\", "\n"} & set(text) and text not in (".", ".."))
        return
    require(not allowed)


def strategy(text: str) -> None:
    """What is taken is finite and survives a round trip, as parameters make it."""
    try:
        taken = StrategyParameters.model_validate_json(text)
    except ValidationError:
        return
    require(StrategyParameters.model_validate_json(taken.model_dump_json()) == taken)
    require(taken.beta_min_periods <= taken.beta_window)


def contracts_option(text: str) -> None:
    """`--contracts` is a number from 1, or names."""
    try:
        taken = selected(text)
    except CommandError:
        return
    require(taken.get("num_contracts", 1) >= 1)
    require(all(taken.get("contracts", ["x"])))


PARSERS: tuple[Callable[[str], None], ...] = (
    timestamp, location, contract, strategy, contracts_option,
)  # fmt: skip


class BrokenPromiseError(Exception):
    """A parser took what it must not, or refused it otherwise than in a sentence."""


def require(kept: bool) -> None:  # noqa: FBT001 - an assertion that -O does not remove
    """Raise unless the promise was kept."""
    if not kept:
        raise BrokenPromiseError


def one_input(content: bytes) -> None:
    """Give one input to its parser.

    Raises:
        BrokenPromiseError: See there; any other error is one that no user should meet.
    """
    if not content:
        return
    text = content[1:].decode("utf-8", "surrogateescape")
    try:
        PARSERS[content[0] % len(PARSERS)](text)
    except EXPECTED as error:
        sentence = str(error)
        require(sentence.isprintable() and len(sentence) <= LONGEST_SENTENCE)
        require(sentence.endswith("."))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
