"""Which runs died with the commands that executed them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from servers.leases import Leases

SERVER = "http://127.0.0.1:4200/api"
HOLDER = """
import sys
from pathlib import Path
from uuid import UUID
from servers.leases import Leases

with Leases(Path(sys.argv[1]), sys.argv[2]).held(UUID(sys.argv[3])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path, server: str, run: UUID) -> subprocess.Popen[str]:
    """A process that holds a run's lease until its input ends, or it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), server, str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def lapsed(folder: Path, server: str = SERVER) -> list[UUID]:
    with Leases(folder, server).lapsed() as found:
        return found


def interrupted(folder: Path) -> None:
    """Find what has lapsed, and fail to deal with it."""
    with Leases(folder, SERVER).lapsed() as found:
        raise ConnectionError(found)


def test_a_lease_lapses_with_its_process_and_is_reported_until_it_is_handled(
    tmp_path: Path,
) -> None:
    """Fails when the lease is a file alone: the living one's would lapse too. Fails when it is
    forgotten before the block ends: a server that is gone would leave the run Running for good."""
    alive, killed, elsewhere = uuid4(), uuid4(), uuid4()
    holders = [holder(tmp_path, SERVER, alive), holder(tmp_path, SERVER, killed)]
    holders.append(holder(tmp_path, "https://another/api", elsewhere))
    assert lapsed(tmp_path) == []
    for process in holders[1:]:
        process.kill()
        process.communicate()
    with pytest.raises(ConnectionError, match=str(killed)):
        interrupted(tmp_path)
    assert lapsed(tmp_path) == [killed]
    assert lapsed(tmp_path) == []
    assert lapsed(tmp_path, "https://another/api") == [elsewhere]
    holders[0].communicate("")
    assert lapsed(tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_two_that_look_at_once_do_not_both_find_a_run(tmp_path: Path) -> None:
    """Fails when what lapsed is not locked while it is dealt with."""
    run = uuid4()
    process = holder(tmp_path, SERVER, run)
    process.kill()
    process.communicate()
    with Leases(tmp_path, SERVER).lapsed() as found:
        assert found == [run]
        assert lapsed(tmp_path) == []


def test_what_is_no_lease_is_passed_over_and_no_folder_is_no_obstacle(tmp_path: Path) -> None:
    """Fails when a strange file or a folder that cannot be made stops the command."""
    (tmp_path / "notes.lease").write_text("x")
    (tmp_path / f"{uuid4()}.lease").mkdir()
    assert lapsed(tmp_path) == []
    assert lapsed(tmp_path / "missing") == []
    with Leases(tmp_path / "notes.lease" / "below", SERVER).held(uuid4()):
        pass
