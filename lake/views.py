"""The views of `lake.sql` as statements: which files each reads, and which rows of them count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from lake.compaction.month_files import MONTHS, kept_metadata
from lake.files import stored_metadata
from lake.folders import folders_in
from lake.gold.request import GOLD
from lake.gold.table import COMMON_SCHEMA
from lake.reading import BRONZE_SCHEMA
from lake.silver.bronze_rows import BRONZE
from lake.silver.table import SILVER, SILVER_DAYS, schema_of
from lake.stretch import SUFFIX
from storage.directory import Directory

_PATHS = {BRONZE: ("source", "interval", "symbol"), SILVER: ("symbol",),
          SILVER_DAYS: ("symbol",), GOLD: ("strategy", "interval", "symbol")}  # fmt: skip
"""The folders between a dataset's and its files."""

_EMPTY = {BRONZE: BRONZE_SCHEMA, SILVER: schema_of(SILVER), SILVER_DAYS: schema_of(SILVER_DAYS),
          GOLD: COMMON_SCHEMA}  # fmt: skip

_TYPES = {"double": "DOUBLE", "string": "VARCHAR", "int64": "BIGINT", "bool": "BOOLEAN"}

VIEWS = tuple(_PATHS)

_SESSION = "????????" + SUFFIX
_MONTH = "????-??" + SUFFIX

_STEM = "split_part(filename, '/', -1)"

Glob = Callable[[str], Sequence[str]]
"""The names of the files that a pattern has, as DuckDB sees them."""

_NAME_OF_FILE = f"filename[:-{len(SUFFIX) + 1}]"
_MONTH_OF_FILE = f"filename[:-{len(_SESSION) + 1}] || {_STEM}[:4] || '-' || {_STEM}[5:6]"
_FOLDER_OF_MONTH = f"filename[:-{len(f'{MONTHS}/{_MONTH}') + 1}]"
_SESSION_OF_ROW = "strftime(timezone('America/New_York', timestamp), '%Y%m%d')"

_COMPACTED = (BRONZE, SILVER)
"""The views whose session files months may keep."""

_TOLD_APART = ("fingerprint", "written_at")


@dataclass(frozen=True, slots=True)
class _Branch:
    """A view's files of one source or strategy, as they were when the view was made.

    Attributes:
        pattern: Of the files that lie in the symbols' folders; empty when there is none.
        whole_months: Of silver's months made as one file, as `.../AAPL/2024-01`: they stand for
            session files beside them.
        months: The month files that keep session files, by name.
        corrected: The session files that count in place of what a month's keeps of them, as
            `.../AAPL/20240102`.
    """

    pattern: str
    whole_months: tuple[str, ...]
    months: tuple[str, ...]
    corrected: tuple[str, ...]


def statement_of(lake: Directory, view: str, glob: Glob) -> str:
    """The statement that makes a view.

    Sources and strategies have columns of their own, so each is read by itself: those of one are
    alike, and only one of its files is opened to learn them.

    Args:
        lake: The lake.
        view: One of `VIEWS`.
        glob: Lists the files of a pattern.
    """
    parts = [_branch(lake, view, branch, glob) for branch in _branches(lake, view)]
    selects = [select for part in parts for select in _selects(view, part)] or [_nothing(view)]
    return f"CREATE VIEW {view} AS " + " UNION ALL BY NAME ".join(selects)


def _branch(lake: Directory, view: str, branch: str, glob: Glob) -> _Branch:
    below = len(_PATHS[view]) - branch.count("/")
    symbols = quoted(f"{root(lake)}/{branch}") + "/*" * below
    pattern = f"{symbols}/*{SUFFIX}" if _any_file(lake, branch, below) else ""
    months = tuple(sorted(glob(f"{symbols}/{MONTHS}/{_MONTH}"))) if view in _COMPACTED else ()
    whole = glob(f"{symbols}/{_MONTH}") if view == SILVER else ()
    return _Branch(
        pattern=pattern,
        whole_months=tuple(name.removesuffix(SUFFIX) for name in whole),
        months=months,
        corrected=_corrected(lake, months, glob(f"{symbols}/{_SESSION}")) if months else (),
    )


def _corrected(lake: Directory, months: Sequence[str], sessions: Sequence[str]) -> tuple[str, ...]:
    """Of the session files beside months those that say something else than their month's file."""
    kept = set(map(_kept_month, months))
    beside = [name for name in sessions if _month_of(name) in kept]

    def differs(name: str) -> bool:
        within = name[name.index(f"{root(lake)}/") + len(root(lake)) + 1 :]
        dataset, symbol = within.split("/")[0], within.split("/")[-2]
        own, of_month = stored_metadata(lake, within, dataset, symbol), kept_metadata(lake, within)
        return of_month is None or any(own.get(n) != of_month.get(n) for n in _TOLD_APART)

    found = lake.map(differs, beside)
    return tuple(
        name.removesuffix(SUFFIX) for name, is_other in zip(beside, found, strict=True) if is_other
    )


def _kept_month(name: str) -> str:
    """The month that a file keeps the sessions of, as `.../AAPL/2024-01`."""
    folder, _, file = name.rpartition(f"{MONTHS}/")
    return folder + file.removesuffix(SUFFIX)


def _month_of(session: str) -> str:
    """The month of a session file, as `.../AAPL/2024-01`."""
    folder, _, stem = session.removesuffix(SUFFIX).rpartition("/")
    return f"{folder}/{stem[:4]}-{stem[4:6]}"


def _selects(view: str, branch: _Branch) -> Iterator[str]:
    if branch.pattern:
        # What lies beside a month that keeps sessions counts only if it was seen to be another:
        # what comes after the view was made is in none of its rows, rather than in two.
        gone = [*branch.whole_months, *map(_kept_month, branch.months)]
        condition = ""
        if gone:
            beside = f"length({_STEM}) = {len(_SESSION)} AND {_MONTH_OF_FILE} IN ({_texts(gone)})"
            if branch.corrected:
                beside += f" AND {_NAME_OF_FILE} NOT IN ({_texts(branch.corrected)})"
            condition = f" WHERE NOT ({beside})"
        yield _select(view, text(branch.pattern), condition, depth=1)
    if branch.months:
        condition = ""
        if branch.corrected:
            session = f"{_FOLDER_OF_MONTH} || {_SESSION_OF_ROW}"
            condition = f" WHERE {session} NOT IN ({_texts(branch.corrected)})"
        files = f"[{_texts(branch.months)}]"
        yield _select(view, files, condition, depth=2)


def _select(view: str, files: str, condition: str, *, depth: int) -> str:
    """What reads some files, `depth` folders below those of their symbols' parents."""
    names = _PATHS[view]
    paths = ", ".join(
        f"split_part(filename, '/', {at - len(names) - depth}) AS {name}"
        for at, name in enumerate(names)
    )
    # A symbol may have an equals sign, which is no partition of Hive's.
    read = f"read_parquet({files}, filename=true, hive_partitioning=false)"
    return f"SELECT {paths}, * EXCLUDE (filename) FROM {read}{condition}"  # noqa: S608 - quoted


def _branches(lake: Directory, view: str) -> Sequence[str]:
    if len(_PATHS[view]) == 1:
        return [view]
    return [f"{view}/{name}" for name in folders_in(lake, view)]


def _any_file(lake: Directory, folder: str, below: int) -> bool:
    if below == 0:
        return any(name.endswith(".parquet") for name in lake.list_files(folder))
    return any(_any_file(lake, f"{folder}/{name}", below - 1) for name in folders_in(lake, folder))


def _nothing(view: str) -> str:
    columns = [f"NULL::VARCHAR AS {name}" for name in _PATHS[view]]
    columns += [f"NULL::{_type(field.type)} AS {field.name}" for field in _EMPTY[view]]
    return f"SELECT {', '.join(columns)} WHERE false"


def _type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ"
    return "VARCHAR" if pa.types.is_dictionary(kind) else _TYPES[str(kind)]


def root(lake: Directory) -> str:
    """Where the lake is, as DuckDB names it."""
    return lake.path if lake.is_local else lake.url


def quoted(path: str) -> str:
    """A path in which nothing is a pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def text(value: str) -> str:
    """A value as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def _texts(values: Sequence[str]) -> str:
    return ", ".join(map(text, values))
