"""Contract names: the one gate before a name may become a path, a tag or a label."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Annotated

from pydantic import StringConstraints

from trading.errors import ParameterError

CONTRACT_PATTERN = r"^[A-Z0-9^][A-Z0-9.^=_-]{0,31}$"
"""What a contract may be called, e.g. `AAPL`, `BRK-B`, `^VIX`, `ES=F`."""

CONTRACT_NAMES = "a contract name (1 to 32 of A-Z 0-9 . ^ = _ -, not starting with a sign)"
"""What is allowed, in words."""

SYMBOL_NAMES = CONTRACT_NAMES.replace("contract", "symbol")
"""The same for who does not look at the main pipeline, where symbols are called contracts."""

_CONTRACT = re.compile(CONTRACT_PATTERN.removesuffix("$") + r"\Z")

Contract = Annotated[str, StringConstraints(pattern=CONTRACT_PATTERN, max_length=32)]
"""A contract's name, as a type that Pydantic checks and the Prefect UI shows."""

_BAR_FIELDS = frozenset(
    {"open", "high", "low", "close", "adj close", "adj_close", "volume", "vwap"}
)

ONE_CONTRACT_A_COLUMN = "write a column of closes per contract, named like it, e.g. 'AAPL'"
"""What to do about a price file of another shape."""


def checked_contract(name: object) -> str:
    """Return `name` when it is a well-formed contract name.

    Raises:
        ParameterError: It is not; nothing was read or written.
    """
    if not isinstance(name, str) or not _CONTRACT.match(name):
        raise ParameterError(
            "contract",
            name,
            CONTRACT_NAMES,
            "pass a column of spx_holdings_hourly.parquet such as " + naming_hint(name, "'AAPL'"),
        )
    return name


def checked_symbol(name: object) -> str:
    """Return `name` when it may be a symbol's, for whoever asks for symbols by name.

    Raises:
        ParameterError: It may not; nothing was read or written.
    """
    if not isinstance(name, str) or not _CONTRACT.match(name):
        raise ParameterError(
            "symbol", name, SYMBOL_NAMES, "write it like " + naming_hint(name, "'AAPL'")
        )
    return name


def naming_hint(name: object, otherwise: str, taken: Collection[str] = ()) -> str:
    """What may be meant by something that is no contract's name, e.g. `'BRK-B'` by `BRK/B`.

    Args:
        name: Anything.
        otherwise: The answer when no contract's name is near.
        taken: Names that others have already.
    """
    if not isinstance(name, str):
        return otherwise
    meant = re.sub(r"[\s/]+", "-", name.strip().upper())
    return repr(meant) if _CONTRACT.match(meant) and meant not in taken else otherwise


def one_symbols_bars(columns: Iterable[str]) -> str | None:
    """What columns look like that hold open, high, low and close, of one symbol; else None.

    No market has these four as tickers, though `OPEN` and `LOW` are two.
    """
    fields = [name for name in columns if name.strip().lower() in _BAR_FIELDS]
    if not {"open", "high", "low", "close"} <= {name.strip().lower() for name in fields}:
        return None
    return f"its columns {', '.join(fields)} look like the bars of one symbol, not like contracts"


def known_contract(name: str, available: Iterable[str]) -> str:
    """Return `name` when the data hold it.

    Raises:
        ParameterError: It is unknown; the message names the closest known ones.
    """
    known = sorted(available)
    if checked_contract(name) in known:
        return name
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:3]
    raise ParameterError(
        "contract",
        name,
        f"one of the {len(known)} contracts in the data",
        f"the closest are {', '.join(close)}",
    )


def selected_contracts(
    available: Sequence[str], contracts: Sequence[str] | None, num_contracts: int
) -> list[str]:
    """The contracts to analyse: those named, or the first `num_contracts` of the data.

    Args:
        available: The contracts of the data, in the data's order.
        contracts: Names to analyse, or None for the first `num_contracts`.
        num_contracts: How many to take when none are named.

    Raises:
        ParameterError: A name is unknown or repeated, or there are fewer than asked for.
    """
    if contracts is not None:
        if not contracts or len(set(contracts)) != len(contracts):
            raise ParameterError(
                "contracts",
                list(contracts),
                "a list of one or more different contract names",
                "name each contract once, or leave it out to take the first num_contracts",
            )
        return [known_contract(name, available) for name in contracts]
    if not 1 <= num_contracts <= len(available):
        raise ParameterError(
            "num_contracts",
            num_contracts,
            f"between 1 and {len(available)}, the number of contracts in the data",
            f"pass num_contracts={len(available)} to take all",
        )
    return list(available[:num_contracts])
