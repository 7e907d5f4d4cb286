"""A request travels whole: few modules are on the way of a partition, and few arguments."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest

from flows.boundary.settings import project_root
from lake.grain import Grain
from lake.keys import Partition
from lake.market.compute import run_partition
from storage.directory import open_directory
from tests.markets import request_of

FIELDS = {
    "contract", "contracts", "symbol", "timestamp", "grain", "job_per", "strategy", "input_dir",
    "output_dir", "only", "partitions", "reprocess",
}  # fmt: skip
"""What a user may say of a run; functions take it in one request."""

MOST_ARGUMENTS = 5
MOST_MODULES = 5
STAMP = "2024-01-02T11:30:00-05:00"


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def is_flow(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether its parameters are those of a deployment: what the user says, one by one."""
    return any(
        isinstance(d, ast.Call) and isinstance(d.func, ast.Name) and d.func.id == "flow"
        for d in function.decorator_list
    )


def test_no_function_takes_more_than_a_few_arguments_of_a_request() -> None:
    many = {}
    for room in ("lake/market", "flows", "cli/pipeline", "cli/commands"):
        files = (project_root() / room).rglob("*.py")
        for file, function in ((path, f) for path in files for f in functions(path)):
            arguments = [*function.args.args, *function.args.kwonlyargs]
            taken = FIELDS & {argument.arg for argument in arguments}
            if len(taken) > MOST_ARGUMENTS and not is_flow(function):
                many[f"{file.name}:{function.name}"] = sorted(taken)
    assert many == {}


def test_a_timestamp_passes_few_modules_on_its_way_to_the_file(
    input_dir: str, tmp_path: Path
) -> None:
    """Of the flow that takes it, of what turns it into a partition, and of what writes that."""
    request = request_of(input_dir, str(tmp_path / "output"), grain=Grain.SESSION)
    passed = ["flows.analyze_time_partition_flow"]

    def noticed(frame: FrameType, event: str, _: object) -> None:
        module = str(frame.f_globals.get("__name__"))
        if event != "call" or module.partition(".")[0] not in ("lake", "storage", "flows"):
            return
        code = frame.f_code
        given = [
            frame.f_locals[n] for n in code.co_varnames[: code.co_argcount] if n in frame.f_locals
        ]
        if any(value is STAMP or isinstance(value, Partition) for value in given):
            passed.append(module)

    sys.setprofile(noticed)
    try:
        run_partition(request, STAMP, "run-1")
    finally:
        sys.setprofile(None)
    assert (tmp_path / "output/AAPL/20240102.parquet").exists()
    way = [*dict.fromkeys(passed), "storage.directory"]
    assert "lake.market.results" in way
    assert len(way) <= MOST_MODULES, way


def test_a_contracts_part_of_a_request_has_its_files_and_the_same_places(tmp_path: Path) -> None:
    one = request_of(str(tmp_path / "input"), str(tmp_path / "output"))
    both = frozenset(["AAPL/2024.parquet", "V/2024.parquet"])
    whole = replace(one, contracts=("AAPL", "V"), only=both)
    assert whole.of("AAPL") == replace(one, only=frozenset(["AAPL/2024.parquet"]))
    assert replace(whole, only=None).of("AAPL") == one


@pytest.mark.parametrize(
    "place", ["/data/in", "/data/in/", "s3://bucket/in/", "file:///data/in", "memory://in"]
)
def test_another_process_opens_the_place_that_was_named(place: str) -> None:
    directory = open_directory(place, "input_dir")
    assert directory.location == place
    assert open_directory(directory.location, "input_dir") == directory
