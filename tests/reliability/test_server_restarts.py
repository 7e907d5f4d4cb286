"""The whole product while its server is killed with SIGKILL and started again."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.load import Load, run_load

LOADS = [Load("run", 2, "bar", 48), Load("partition", 1, "session", 3)]


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.job_per)
def test_nothing_is_lost_or_doubled_while_the_server_is_killed_twice(
    tmp_path: Path, load: Load
) -> None:
    """Fails when the command's clients do not retry (PREFECT_CLIENT_MAX_RETRIES=0)."""
    ended = run_load(tmp_path, load)
    found = ended.tally
    assert ended.kills == 2
    assert (found.results, found.duplicates, found.lost, found.wrong_states) == (
        load.partitions, 0, 0, 0,
    ), found  # fmt: skip
    # The outage is waited out: the command need not be typed again.
    assert (ended.commands, ended.exit_code) == (1, 0)
