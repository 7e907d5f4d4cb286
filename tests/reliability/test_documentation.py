"""docs/reliability.md names tests that are collected, for every fault and every known problem."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from flows.boundary.settings import project_root

TEXT = (project_root() / "docs" / "reliability.md").read_text()
NAMED = {f"{file}::{name}" for file, name in re.findall(r"`(tests/[\w/.]+\.py)::(\w+)`", TEXT)}

COLLECT = """
import json, sys, pytest

class Collected:
    def pytest_collection_finish(self, session):
        self.marks = {}
        for item in session.items:
            names = self.marks.setdefault(item.nodeid.partition("[")[0], [])
            names.extend(mark.name for mark in item.iter_markers())

collected = Collected()
# An empty `-m` takes the fast tests and the slow ones alike, as CI does in two runs.
pytest.main([*sys.argv[2:], "-m", "", "-n", "0", "--collect-only", "-qq"], plugins=[collected])
with open(sys.argv[1], "w") as file:
    json.dump(collected.marks, file)
"""


def test_every_test_that_is_named_is_collected_and_not_marked_to_be_skipped(tmp_path: Path) -> None:
    """Fails when a test that the document names is renamed, removed, or skipped by a mark."""
    answer = tmp_path / "collected.json"
    files = sorted({name.partition("::")[0] for name in NAMED})
    program = [sys.executable, "-c", COLLECT, str(answer), *files]
    done = subprocess.run(program, cwd=project_root(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    marks: dict[str, list[str]] = json.loads(answer.read_text())
    assert len(NAMED) > 80
    assert sorted(NAMED - marks.keys()) == []
    unconditional = {"skip", "skipif", "xfail"}
    assert [name for name in sorted(NAMED) if unconditional & set(marks[name])] == []


def test_every_row_of_what_breaks_fan_outs_is_there_with_a_test_or_a_reason() -> None:
    """Fails when a row is taken out of the second table, or its last cell emptied."""
    table = TEXT.partition("## What is known to break")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", table, re.MULTILINE)
    assert len(rows) >= 25
    assert [int(number) for number, *_ in rows] == list(range(1, len(rows) + 1))
    assert all(test.startswith(("`tests/", "see [")) for *_, test in rows)


def test_every_fault_names_its_test() -> None:
    """Fails when a row of the first table has no test."""
    table = TEXT.partition("## What happens when")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!fault).*", table, re.MULTILINE)
    assert len(rows) > 60
    assert all(re.search(r"`tests/[\w/.]+\.py::\w+` \|$", row) for row in rows)
