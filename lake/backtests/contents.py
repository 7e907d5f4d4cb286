"""The files of backtests: the ledger, one row an event, and what it came to in the footer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from lake.backtests.request import BACKTEST, WALK_FORWARD, BacktestKey
from lake.files import FileLineage, read_file, stored_metadata, write_file
from storage.directory import Directory
from storage.errors import ContentError
from trading.backtest.result import Result
from trading.backtest.sweep.folds import Fold, FoldResult, Walked
from trading.backtest.sweep.parameter_sets import set_text
from trading.backtest.sweep.ranking import Parts, SetResult, metrics_of, values
from trading.portfolio.ledger import LedgerEvent, from_table


def write_set(
    lake: Directory,
    key: BacktestKey,
    result: Result,
    parts: Parts,
    *,
    about: Mapping[str, str],
    flow_run_id: str,
) -> str:
    """Write one parameter set's ledger, and return its file's URL.

    Args:
        lake: The lake.
        key: The partition.
        result: The run.
        parts: Its metrics.
        about: What else the footer says.
        flow_run_id: The run that computed it.

    Raises:
        StorageError: It cannot be written.
    """
    if key.parameters is None:
        raise ValueError(f"{key.label} has no parameters")
    outcome = {
        "final_equity": str(result.final_equity),
        "fills": len(result.fills),
        "fees": str(result.fees),
        "denials": result.denials(),
        "parts": parts.as_json(),
    }
    more = _about(key.parameters, about) | {"result": json.dumps(outcome)}
    lineage = FileLineage(BACKTEST, key.symbol, key.fingerprint, flow_run_id, more)
    return write_file(lake, key.relative_path, result.table(), lineage)


def write_fold(
    lake: Directory,
    key: BacktestKey,
    fold: Fold,
    walked: Walked,
    *,
    about: Mapping[str, str],
    flow_run_id: str,
) -> str:
    """Write the ledger of a fold's second part, and return its file's URL.

    Args:
        lake: The lake.
        key: The partition.
        fold: Its rows.
        walked: What it came to.
        about: What else the footer says.
        flow_run_id: The run that computed it.

    Raises:
        StorageError: It cannot be written.
    """
    stamps = walked.result.timestamps
    outcome = {
        "fold": fold.number,
        "first": str(walked.first),
        "split": str(stamps[0]),
        "last": str(stamps[-1]),
        "trained": values(walked.trained),
        "traded": values(walked.traded),
        "final_equity": str(walked.result.final_equity),
        "fills": len(walked.result.fills),
        "fees": str(walked.result.fees),
    }
    more = _about(walked.chosen, about) | {"result": json.dumps(outcome)}
    lineage = FileLineage(WALK_FORWARD, key.symbol, key.fingerprint, flow_run_id, more)
    return write_file(lake, key.relative_path, walked.result.table(), lineage)


def read_set(lake: Directory, key: BacktestKey) -> SetResult:
    """What one parameter set came to on one account, from its file's footer.

    Raises:
        ContentError: There is no result.
        StorageError: It cannot be read.
    """
    found, parameters, name = _footer(lake, key, BACKTEST)
    return SetResult(
        parameters=parameters,
        name=name,
        final_equity=Decimal(found["final_equity"]),
        fills=found["fills"],
        fees=Decimal(found["fees"]),
        parts=Parts.of_json(found["parts"]),
    )


def read_fold(lake: Directory, key: BacktestKey) -> FoldResult:
    """What one fold came to, from its file's footer.

    Raises:
        ContentError: There is no result.
        StorageError: It cannot be read.
    """
    found, parameters, name = _footer(lake, key, WALK_FORWARD)
    moments = {part: np.datetime64(found[part]) for part in ("first", "split", "last")}
    return FoldResult(
        symbol=key.symbol,
        number=found["fold"],
        parameters=parameters,
        name=name,
        trained=metrics_of(found["trained"]),
        traded=metrics_of(found["traded"]),
        **moments,
    )


def read_ledger(lake: Directory, key: BacktestKey, dataset: str = BACKTEST) -> list[LedgerEvent]:
    """All events of one partition's account.

    Raises:
        ContentError: The file is damaged.
        StorageError: It cannot be read.
    """
    return from_table(read_file(lake, key.relative_path, dataset, key.symbol).table)


def _about(parameters: BaseModel, about: Mapping[str, str]) -> dict[str, str]:
    return {
        **about,
        "parameters": parameters.model_dump_json(),
        "name": set_text(parameters),
    }


def _footer(
    lake: Directory, key: BacktestKey, dataset: str
) -> tuple[dict[str, Any], dict[str, Any], str]:
    metadata = stored_metadata(lake, key.relative_path, dataset, key.symbol)
    try:
        return json.loads(metadata["result"]), json.loads(metadata["parameters"]), metadata["name"]
    except (KeyError, ValueError, pa.ArrowException) as error:
        raise ContentError(
            lake.url_of(key.relative_path),
            f"the file is missing, damaged or no {dataset} of {key.symbol}",
            "remove it and run the backtest again, which computes what is missing",
        ) from error
