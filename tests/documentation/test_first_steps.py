"""The README's first commands, typed one after the other as they stand there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from cli.commands.status import INCOMPLETE
from tests.cli.conftest import run, start  # noqa: F401 - fixtures
from tests.documentation.commands import documented_commands
from trading.bars.synthetic import contract_names

SECTION = ("demo", "status", "redo", "redo", "report")


def first_steps() -> list[tuple[str, ...]]:
    """What the README has its reader type of `uv run trading`, in its order."""
    readme = [c.words for c in documented_commands() if c.document == "README.md"]
    typed = [words[3:] for words in readme if words[:3] == ("uv", "run", "trading")]
    return [words for words in typed if words[0] in SECTION and words[1:] != ("--help",)]


def test_the_readme_begins_with_these_commands() -> None:
    assert sorted(words[0] for words in first_steps()) == sorted(SECTION)


@pytest.mark.slow
def test_the_readmes_first_commands_do_what_it_says(
    run: Callable[..., CompletedProcess[str]],  # noqa: F811 - the fixture
    migrated: Callable[[Path], Path],
    tmp_path: Path,
) -> None:
    """Wrong as soon as a documented command fails, or redoes more or less than it says."""
    demo, status, preview, redo, report = first_steps_in_order()
    migrated(tmp_path / "server")
    first = run(*demo, "--port", "0")
    assert first.returncode == 0, first
    assert re.search(r"^Partitions\s+240$", first.stdout, re.MULTILINE)
    results = tmp_path / "output"
    files = sorted(file.relative_to(results).as_posix() for file in results.glob("*/2*"))
    assert files == sorted(
        f"{contract}/{session}_{time}00.parquet"
        for contract in contract_names(10)
        for session in ("20240102", "20240103", "20240104")
        for time in ("0930", "1030", "1130", "1230", "1330", "1430", "1530", "1600")
    )

    assert run(*status).returncode == 0
    gone = [results / name / "20240103_103000.parquet" for name in ("AAPL", "MSFT", "GOOGL")]
    for file in gone:
        file.unlink()
    assert run(*status).returncode == INCOMPLETE
    shown = run(*preview)
    assert shown.returncode == 0, shown
    assert not any(file.exists() for file in gone)
    done = run(*redo, "--port", "0")
    assert done.returncode == 0, done
    assert [file.exists() for file in gone] == [True, True, False], "GOOGL was not asked for"

    opened, browser = tmp_path / "opened", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {shlex.quote(str(opened))}\n')
    browser.chmod(0o700)
    seen = run(*report, BROWSER=str(browser))
    assert seen.returncode == 0, seen
    assert opened.read_text() == (results / "_portfolio" / "report.html").as_uri()


def first_steps_in_order() -> list[Sequence[str]]:
    """The first steps as one takes them: the README speaks of the report before `redo`."""
    return sorted(
        first_steps(), key=lambda words: ["demo", "status", "redo", "report"].index(words[0])
    )
