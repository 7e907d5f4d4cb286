"""What is due of a dataset: the partitions whose stored result is missing or out of date."""

from __future__ import annotations

from collections.abc import Sequence

from lake.dataset import Dataset, K, R, SymbolStatus, symbol_status
from storage.checks import check_writable
from storage.directory import Directory
from storage.errors import StorageError
from trading.errors import ParameterError


def plan(dataset: Dataset[R, K], request: R) -> list[SymbolStatus[K]]:
    """The status of the partitions of every symbol that a request asks for.

    What is to be computed of each is `status.due(reprocess=request.reprocess)`. Nothing is written.

    Raises:
        ParameterError: A symbol is unknown, or `request.only` names what is no partition's file.
        DataError: The inputs cannot be used.
        StorageError: Inputs or results cannot be accessed.
    """
    plans = [symbol_status(dataset, request, symbol) for symbol in dataset.symbols(request)]
    found = {key.relative_path for planned in plans for key in planned.keys}
    if unknown := set(request.only or ()) - found:
        raise ParameterError(
            "partitions",
            min(unknown),
            f"the result file of a partition of {dataset.name} that is asked for",
            "correct it, or leave partitions out to take all",
        )
    return plans


def still_due(dataset: Dataset[R, K], request: R, symbol: str) -> set[str] | None:
    """Result files of a symbol that are missing or out of date now; those only to be redone not.

    None when that cannot be seen. What is then computed again costs time and is never wrong.
    """
    try:
        status = symbol_status(dataset, request, symbol)
    except StorageError:
        return None
    return {key.relative_path for key in status.due(reprocess=False)}


def make_ready(output: Directory, plans: Sequence[SymbolStatus[K]]) -> None:
    """Make sure that results can be written, and remove what killed writers of them have left.

    The last of the checks, before anything is submitted: what is wrong with the input has been said
    by then without a look at the output.

    Raises:
        LocationError: They cannot be written.
        StorageError: The place failed in a way that may pass.
    """
    check_writable(output, output.parameter)
    remove_leftovers(output, plans)


def remove_leftovers(output: Directory, plans: Sequence[SymbolStatus[K]]) -> None:
    """Remove what writers of these partitions that were killed have left.

    Raises:
        StorageError: A folder cannot be listed.
    """
    files = (key.relative_path for planned in plans for key in planned.keys)
    for folder in dict.fromkeys(file.rpartition("/")[0] for file in files):
        output.remove_leftovers(folder)
