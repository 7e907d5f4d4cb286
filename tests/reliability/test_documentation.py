"""docs/reliability.md names tests that exist, and every row of what breaks wide fan-outs."""

from __future__ import annotations

import ast
import re

import pytest

from flows.boundary.settings import project_root

TEXT = (project_root() / "docs" / "reliability.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_every_test_that_is_named_exists(file: str) -> None:
    """Fails when a test that the document names is renamed."""
    tree = ast.parse((project_root() / file).read_text())
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    there = {node.name for node in tree.body if isinstance(node, functions)}
    assert {name for named, name in NAMED if named == file} <= there


def test_every_row_of_what_breaks_fan_outs_is_there_with_a_test_or_a_reason() -> None:
    """Fails when a row is taken out of the second table, or its last cell emptied."""
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", TEXT, re.MULTILINE)
    assert [int(number) for number, *_ in rows] == list(range(1, 26))
    assert all(test.startswith(("`tests/", "see [")) for *_, test in rows)


def test_every_fault_names_its_test() -> None:
    """Fails when a row of the first table has no test."""
    table = TEXT.partition("## What happens when")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!fault).*", table, re.MULTILINE)
    assert len(rows) > 60
    assert all(re.search(r"`tests/[\w/.]+\.py::\w+` \|$", row) for row in rows)
