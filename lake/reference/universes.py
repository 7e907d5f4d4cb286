"""Universes: named lists of symbols, a text file each with a symbol a line.

    reference/universes/{name}.txt

Blank lines count for nothing, and so does what follows a `#`. Two are there without a file:
`sample`, the ten contracts of the sample, and `sample-419`, as many as the large sample has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from storage.directory import Directory
from storage.errors import ContentError
from trading.bars.synthetic import contract_names
from trading.errors import ParameterError
from trading.instruments.symbols import checked_contract

FOLDER = "reference/universes"

_BUILT_IN = {"sample": 10, "sample-419": 419}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def universe_names(directory: Directory) -> list[str]:
    """The universes that there are, sorted.

    Raises:
        StorageError: The lake cannot be listed.
    """
    files = (name.removesuffix(".txt") for name in directory.list_files(FOLDER) if ".txt" in name)
    return sorted(set(_BUILT_IN) | {name for name in files if _NAME.fullmatch(name)})


def read_universe(directory: Directory, name: str) -> tuple[str, ...]:
    """The symbols of a universe, in the file's order.

    Raises:
        ParameterError: There is none of this name.
        ContentError: A line is no symbol, or one occurs twice, or there are none.
        StorageError: It cannot be read.
    """
    file = f"{FOLDER}/{name}.txt"
    if not _NAME.fullmatch(name) or (name not in _BUILT_IN and directory.identity(file) is None):
        allowed = f"one of the universes {', '.join(universe_names(directory))}"
        next_step = f"choose one, or write its symbols, one a line, to {directory.url}/{FOLDER}/"
        raise ParameterError("universe", name, allowed, next_step)
    if directory.identity(file) is None:
        return tuple(contract_names(_BUILT_IN[name]))
    return _parsed(directory.read_bytes(file), directory.url_of(file))


def write_universe(directory: Directory, name: str, symbols: Sequence[str]) -> None:
    """Write a universe, replacing one of the same name.

    Raises:
        ParameterError: The name or a symbol is malformed.
        StorageError: It cannot be written.
    """
    if not _NAME.fullmatch(name):
        allowed = "a name of letters, digits, - and _"
        raise ParameterError("universe", name, allowed, "choose another, e.g. large-caps")
    lines = [checked_contract(symbol) for symbol in symbols]
    directory.write_bytes(f"{FOLDER}/{name}.txt", "".join(f"{s}\n" for s in lines).encode())


def _parsed(content: bytes, url: str) -> tuple[str, ...]:
    try:
        lines = content.decode("utf-8-sig").splitlines()
        words = [line.partition("#")[0].strip() for line in lines]
        symbols = tuple(checked_contract(word) for word in words if word)
    except UnicodeDecodeError as error:
        raise ContentError(url, "it is no text in UTF-8", "save it as UTF-8") from error
    except ParameterError as error:
        raise ContentError(url, f"a line is no symbol: {error.value}", "correct it") from error
    if not symbols:
        raise ContentError(url, "it names no symbol", "write one a line")
    if len(set(symbols)) != len(symbols):
        twice = next(symbol for symbol in symbols if symbols.count(symbol) > 1)
        raise ContentError(url, f"{twice} is in it twice", "remove one of the two lines")
    return symbols
