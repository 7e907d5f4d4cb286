"""Which of a file's columns are the bars', by the names that vendors use.

Adjusted prices are never taken. Where raw and adjusted ones stand side by side the raw are; where
it cannot be told which is which, the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from trading.bars.model import PRICES
from trading.errors import DataError

TIMES = ("timestamp", "datetime", "windowstart", "date", "time", "ts", "t")
"""Names of the column of bar starts, without case and signs; `window_start` is Polygon's."""

SYMBOLS = ("symbol", "ticker")

_NAMES = {
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "vwap": ("vwap", "vw"),
    "trades": ("trades", "transactions", "tradecount", "numtrades", "numberoftrades", "n"),
}
_NEEDED = (*PRICES, "volume")
_SPELLING = "name the columns timestamp, open, high, low, close, volume"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read.

    Attributes:
        date: Of bar starts, or of their dates.
        time_of_day: Of their times of day, where these stand apart.
        fields: Column by field of `Bars`.
        symbol: Of the symbol, which then is the same in every row.
    """

    date: str
    time_of_day: str | None
    fields: dict[str, str]
    symbol: str | None

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns that are no numbers, or need not be."""
        named = (self.date, self.time_of_day, self.symbol)
        return tuple(name for name in named if name is not None)


def chosen_columns(names: Sequence[str], file: str) -> Columns:
    """The columns of a file that are the bars'; the others are left alone.

    Args:
        names: Its columns.
        file: What to call it in an error.

    Raises:
        DataError: A column lacks, occurs twice, or is there adjusted only.
    """
    known = _by_plain_name(names, file)
    date, time_of_day = _times(known, file)
    symbol = next((known[name] for name in SYMBOLS if name in known), None)
    return Columns(date, time_of_day, _fields(known, file), symbol)


def _by_plain_name(names: Sequence[str], file: str) -> dict[str, str]:
    """Columns by their name in small letters without blanks and signs."""
    known: dict[str, str] = {}
    relevant = {*TIMES, *SYMBOLS, *(n for spelled in _NAMES.values() for n in spelled)}
    for name in names:
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        if plain in known and (plain in relevant or _raw_field(plain)):
            problem = f"it has two columns {known[plain]!r:.40} and {name!r:.40}"
            raise DataError(file, problem, "leave one of them out")
        known[plain] = name
    return known


def _times(known: dict[str, str], file: str) -> tuple[str, str | None]:
    found = [known[name] for name in TIMES if name in known]
    if not found:
        raise DataError(file, "it has no column of times", f"{_SPELLING}, in a first line")
    if len(found) == 1:
        return found[0], None
    if [n for n in TIMES if n in known] == ["date", "time"]:
        return known["date"], known["time"]
    raise DataError(
        file, f"it has {len(found)} columns of times: {', '.join(found)}", "leave one of them"
    )


def _fields(known: dict[str, str], file: str) -> dict[str, str]:
    plain = {
        field: _one([known[name] for name in spelled if name in known], field, file)
        for field, spelled in _NAMES.items()
    }
    raw = {
        field: _one([c for name, c in known.items() if _raw_field(name) == field], field, file)
        for field in _NEEDED
    }
    fields = {field: column for field, column in plain.items() if column is not None}
    named_raw = {field: column for field, column in raw.items() if column is not None}
    if named_raw:
        # Beside unadjusted columns those of the plain name are adjusted.
        adjusted = [f for f in _NEEDED if f in fields and f not in named_raw]
        if adjusted and (set(PRICES) & set(fields)):
            problem = (
                f"it names {_list(named_raw.values())} as unadjusted, but no such {adjusted[0]}"
            )
            raise DataError(file, problem, "add unadjusted columns of all prices and the volume")
        if set(PRICES) & set(fields):
            fields.pop("vwap", None)
        fields |= named_raw
    missing = [field for field in _NEEDED if field not in fields]
    if missing:
        adjusted = [c for name, c in known.items() if "adj" in name and "unadj" not in name]
        beside = f", only the adjusted {_list(adjusted)}" if adjusted else ""
        raise DataError(file, f"it has no column {' and '.join(missing)}{beside}", _SPELLING)
    return fields


def _one(columns: list[str], field: str, file: str) -> str | None:
    if len(columns) > 1:
        raise DataError(
            file, f"it has {len(columns)} columns of {field}: {_list(columns)}", "leave one of them"
        )
    return columns[0] if columns else None


def _raw_field(plain: str) -> str | None:
    """Which field a plain name such as `closeunadj` or `rawclose` names as unadjusted."""
    match = re.fullmatch(
        r"(?:raw|unadj|unadjusted)(open|high|low|close|volume)"
        r"|(open|high|low|close|volume)(?:raw|unadj|unadjusted)",
        plain,
    )
    return match and (match[1] or match[2])


def _list(names: object) -> str:
    return ", ".join(str(name)[:40] for name in names)  # type: ignore[attr-defined]
