"""`trading prune`, and what `status` and `report` say of what it would remove."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from servers.errors import FAILED, USAGE
from tests.cli.conftest import WHOLE_COMMAND_SECONDS
from tests.cli.results import SmallResults, small_results
from tests.markets import random_market, session_timestamps

GONE = ["AAPL/20240103.parquet", "BRK-B/20240103.parquet"]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallResults:
    """The second of two sessions has left the input."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    made = small_results(tmp_path)
    random_market(session_timestamps(2)[:8], contracts=2).write(made.input)
    return made


def prune_at_a_terminal(results: SmallResults, typed: str) -> int:
    """Run the command with a terminal at which somebody types an answer; its exit code."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", "from cli.app import main; main()", "prune"]
    folders = ["--output-dir", str(results.output), "--input-dir", str(results.input)]
    process = subprocess.Popen(
        [*command, *folders], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    os.close(theirs)
    os.write(ours, f"{typed}\n".encode())
    process.communicate(timeout=WHOLE_COMMAND_SECONDS)
    os.close(ours)
    return process.returncode


def test_status_counts_and_names_what_is_orphaned_with_a_command_that_removes_it(
    results: SmallResults,
) -> None:
    answer = results.answer("status", exit_code=3)
    assert answer["orphaned"] == GONE
    shown = results.command("status")
    assert f"2 results: 2 the input has no such bars\n  {', '.join(GONE)}\n" in shown.stdout
    (command,) = re.findall(r"^  .*?trading (prune .*)$", shown.stdout, re.MULTILINE)
    assert answer["prune_command"].endswith(f"trading {command}")
    done = CliRunner().invoke(app, [*shlex.split(command), "--yes"])
    assert done.exit_code == 0, done.output
    assert results.answer("status", exit_code=3)["orphaned"] == []
    assert set(results.files()) == {"AAPL/20240102.parquet", "BRK-B/20240102.parquet"}


@pytest.mark.slow
def test_nothing_is_removed_without_a_word(results: SmallResults) -> None:
    before = results.files()
    dry = results.command("prune", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert [line.split("  ")[0] for line in dry.stdout.splitlines()[:2]] == GONE
    for arguments in (("prune",), ("prune", "--json")):
        refused = results.command(*arguments)
        assert refused.exit_code == USAGE
        assert "--yes" in refused.stderr
    assert prune_at_a_terminal(results, "n") == FAILED
    assert results.files() == before
    assert prune_at_a_terminal(results, "y") == 0
    assert before.keys() - results.files().keys() == set(GONE)


def test_only_contracts_that_are_named_are_pruned(results: SmallResults) -> None:
    pruned = results.answer("prune", "--yes", "--contracts", "BRK-B")
    assert pruned["removed"] == list(pruned["orphaned"]) == GONE[1:]
    rest = results.answer("prune", "--dry-run")
    assert (list(rest["orphaned"]), rest["removed"]) == (GONE[:1], [])
    assert results.answer("prune", "--yes")["removed"] == GONE[:1]
    nothing = results.command("prune")
    assert nothing.exit_code == 0
    assert nothing.stdout.startswith("Nothing is orphaned")


@pytest.mark.parametrize("command", ["prune", "status"])
def test_a_folder_of_results_that_is_named_and_missing_is_refused(
    results: SmallResults, tmp_path: Path, command: str
) -> None:
    elsewhere = replace(results, output=tmp_path / "nowhere")
    refused = elsewhere.command(command)
    assert refused.exit_code == USAGE
    assert f"output_dir='{elsewhere.output}' is not a folder of results that is" in refused.stderr
    assert not elsewhere.output.exists()


def test_what_is_no_contracts_name_is_refused(results: SmallResults) -> None:
    refused = results.command("prune", "--dry-run", "--contracts", "AAPL,a b")
    assert refused.exit_code == USAGE
    assert "contract='a b' is not a contract name" in refused.stderr


def test_the_report_counts_and_names_them_and_says_that_a_portfolio_mixes(
    results: SmallResults,
) -> None:
    random_market(session_timestamps(2)[:8], contracts=2, seed=8).write(results.input)
    answer = results.answer("report")
    assert answer["bars"] == 8
    mixes, orphaned = answer["notes"]
    assert mixes.startswith("The portfolio mixes: 2 results in it are stale")
    assert orphaned.startswith("2 results in the folder are orphaned")
    page = Path(answer["report"]).read_text()
    assert "2 orphaned" in page
    assert "<strong>2 stale:</strong>" in page
    assert all(f"<code>{file}</code>" in page for file in GONE)
    assert f"trading prune --output-dir {results.output} --input-dir {results.input}" in page
