"""`trading` in the process of the test."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner, Result

from cli.app import app


def run(*words: str) -> Result:
    """Run it to its end."""
    return CliRunner().invoke(app, list(words))


def answer(*words: str, exit_code: int = 0) -> Any:
    """What it prints with `--json`."""
    done = run(*words, "--json")
    assert done.exit_code == exit_code, done.output
    return json.loads(done.stdout)
