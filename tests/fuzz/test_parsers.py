"""Some thousand inputs from the kept seeds on; always the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flows.boundary.settings import project_root

SEEDS = Path(__file__).parent / "seeds"


@pytest.mark.slow
def test_no_input_breaks_a_parser(tmp_path: Path) -> None:
    """Failed on `--contracts ++0`, then on a number with a control character that only `str.strip`
    takes for space: both were a ValueError with a stack trace. In a process of its own, which
    libFuzzer ends."""
    arguments = [f"-artifact_prefix={tmp_path}/", "-seed=1", "-runs=20000", "-max_len=300"]
    (tmp_path / "found").mkdir()
    fuzzed = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fuzz.parsers",
            str(tmp_path / "found"),
            str(SEEDS),
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=project_root(),
    )
    assert fuzzed.returncode == 0, fuzzed.stderr[-3_000:]
    assert "Done 20000 runs" in fuzzed.stderr
