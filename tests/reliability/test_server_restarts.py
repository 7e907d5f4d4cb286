"""The whole product while its server is killed with SIGKILL and started again."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.load import Load, run_load
from benchmarks.outages import MortalServer

LOADS = [Load("run", 1, "bar", 24), Load("partition", 1, "session", 3)]


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.job_per)
@pytest.mark.slow
def test_nothing_is_lost_or_doubled_while_the_server_is_killed(
    own_server: MortalServer, tmp_path: Path, load: Load
) -> None:
    """Fails when the command's clients do not retry (PREFECT_CLIENT_MAX_RETRIES=0)."""
    ended = run_load(tmp_path, load, own_server, [load.partitions // 3])
    found = ended.tally
    assert ended.kills == 1
    assert (found.results, found.duplicates, found.lost, found.wrong_states) == (
        load.partitions, 0, 0, 0,
    ), found  # fmt: skip
    # The outage is waited out: the command need not be typed again.
    assert (ended.commands, ended.exit_code) == (1, 0)
