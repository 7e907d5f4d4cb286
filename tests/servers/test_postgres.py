from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from servers.errors import CommandError
from servers.postgres import cluster
from servers.postgres.local import PostgresServer, local_postgres
from servers.postgres.programs import Account
from servers.shared import keeper, locks
from servers.shared.server import environment
from tests.cli.conftest import assert_all_end
from tests.waiting import wait_until

USER = """
import sys
from pathlib import Path
from servers.postgres.local import local_postgres
with local_postgres(Path(sys.argv[1])) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a server's data, made once: `initdb` takes its time."""
    folder = tmp_path_factory.mktemp("postgres") / "made"
    with local_postgres(folder):
        pass
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    subprocess.run(["cp", "--archive", template, tmp_path / "postgres"], check=True)
    return tmp_path / "postgres"


@contextmanager
def another_command(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that uses the server until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", USER, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql://")
        yield process


def ask(server: PostgresServer, sql: str) -> object:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(sql.encode()).fetchone()
    return row[0] if row else None


def runs(process: psutil.Process) -> bool:
    """Whether it still does anything: an orphan's number stays until somebody asks for it."""
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def processes(folder: Path) -> list[psutil.Process]:
    """The keeper and the postmaster."""
    postmaster = psutil.Process(int((folder / "data" / "postmaster.pid").read_text().split()[0]))
    parent = postmaster.parent()
    return [postmaster, *([parent] if parent and parent.pid != 1 else [])]


def test_it_answers_on_a_socket_alone_and_is_gone_with_its_only_user(folder: Path) -> None:
    with local_postgres(folder) as server:
        assert ask(server, "SELECT current_database()") == "trading"
        assert ask(server, "SHOW listen_addresses") == ""
        assert ask(server, "SHOW timezone") == "UTC"
        running = processes(folder)
        assert not psutil.Process(running[0].pid).net_connections("inet")
        assert stat.S_IMODE(server.socket_folder.stat().st_mode) == 0o700
    assert not any(runs(process) for process in running)
    assert not locks.is_held(folder, locks.SERVER)


def test_it_keeps_its_data_and_takes_settings(folder: Path) -> None:
    with local_postgres(folder, {"work_mem": "8MB"}) as server:
        assert ask(server, "SHOW work_mem") == "8MB"
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with local_postgres(folder) as server:
        assert ask(server, "SELECT answer FROM kept") == 42


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs programs as somebody else")
def test_its_programs_may_be_below_a_folder_closed_to_others(tmp_path: Path) -> None:
    """As in root's own folder: `initdb` asks with access(2) whether it may run its companions."""
    companion = tmp_path / "closed" / "postgres"
    companion.parent.mkdir(mode=0o700)
    companion.touch(mode=0o755)
    asked = f"import os, sys; sys.exit(not os.access({str(companion)!r}, os.X_OK))"
    command = Account.for_data(tmp_path / "data").command([sys.executable, "-c", asked])
    assert subprocess.run(command, check=False).returncode == 0


def test_root_starts_it_as_somebody_else_below_folders_closed_to_others(folder: Path) -> None:
    closed = folder.parent
    closed.chmod(0o700)
    with local_postgres(folder):
        user = processes(folder)[0].username()
    assert user != "root"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_a_user_starts_it_as_itself(tmp_path: Path) -> None:
    somebody = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    os.chown(tmp_path, somebody.pw_uid, somebody.pw_gid)
    command = Account(somebody.pw_uid, somebody.pw_gid).command(
        [sys.executable, "-c", USER, tmp_path / "postgres"]
    )
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("postgresql://")
    for made in (tmp_path / "postgres", tmp_path / "postgres" / "data"):
        assert made.owner() == somebody.pw_name


def test_a_long_path_gets_its_socket_elsewhere(folder: Path, tmp_path: Path) -> None:
    long = tmp_path / ("long" * 20) / "postgres"
    long.parent.mkdir()
    folder.rename(long)
    with local_postgres(long) as server:
        assert ask(server, "SELECT 1") == 1
        assert not server.socket_folder.is_relative_to(long)
    assert not server.socket_folder.exists()
    with local_postgres(long) as again:
        # Who was told the address finds the server there once more.
        assert again.socket_folder == server.socket_folder
        assert ask(again, "SELECT 1") == 1


def test_an_address_that_somebody_else_has_taken_is_given_up(folder: Path, tmp_path: Path) -> None:
    long = tmp_path / ("f" * 100)
    folder.rename(long)
    with local_postgres(long) as server:
        pass
    others = tmp_path / "others"
    others.mkdir()
    (others / "file").touch()
    server.socket_folder.symlink_to(others)
    try:
        with local_postgres(long) as moved:
            assert moved.socket_folder != server.socket_folder
            assert ask(moved, "SELECT 1") == 1
        assert [file.name for file in others.iterdir()] == ["file"]
    finally:
        server.socket_folder.unlink()


def test_a_copy_of_a_folder_takes_no_address_from_the_first(folder: Path, tmp_path: Path) -> None:
    long, copy = tmp_path / ("f" * 100), tmp_path / ("c" * 100)
    folder.rename(long)
    with local_postgres(long):
        pass
    subprocess.run(["cp", "--archive", long, copy], check=True)
    with local_postgres(long) as first, local_postgres(copy) as second:
        assert first.socket_folder != second.socket_folder
        assert ask(first, "SELECT 1") == ask(second, "SELECT 1") == 1


def test_others_share_it_and_it_ends_after_the_last(folder: Path) -> None:
    with ExitStack() as first:
        server = first.enter_context(local_postgres(folder))
        with another_command(folder) as other:
            running = processes(folder)
            first.close()
            assert ask(server, "SELECT 1") == 1
            assert other.stdin is not None
            other.stdin.close()
            assert other.wait() == 0
            assert not any(runs(process) for process in running)


def test_it_does_not_outlive_a_killed_user(folder: Path) -> None:
    with another_command(folder) as other:
        running = processes(folder)
        other.kill()
        assert_all_end(running)
    with local_postgres(folder) as server:
        assert ask(server, "SELECT 1") == 1


def test_it_outlives_a_killed_user_while_another_uses_it(folder: Path) -> None:
    with another_command(folder) as other, local_postgres(folder) as server:
        other.kill()
        other.wait()
        assert ask(server, "SELECT 1") == 1


def test_a_start_waits_for_a_server_that_is_ending(folder: Path) -> None:
    with another_command(folder) as other:
        postmaster, kept_by = processes(folder)
        postmaster.suspend()
        other.kill()
        with locks.opened(folder, locks.USERS) as users:
            wait_until(lambda: not _is_shareable(users), "the keeper is ending the server")
        with subprocess.Popen(
            [sys.executable, "-c", USER, folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as second:
            wait_until(lambda: locks.is_held(folder, locks.START), "the second has begun")
            assert runs(kept_by)
            assert second.poll() is None
            postmaster.resume()
            out, _ = second.communicate()
    assert second.returncode == 0
    assert out.startswith("postgresql://")


def _is_shareable(users: int) -> bool:
    import fcntl  # noqa: PLC0415 - here alone

    try:
        fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(users, fcntl.LOCK_UN)
    return True


def kill_keeper(process: psutil.Process, folder: Path) -> None:
    process.kill()
    wait_until(lambda: not locks.is_held(folder, locks.KEEPER), "the keeper's lock is free")


def test_a_server_whose_keeper_was_killed_is_replaced(folder: Path) -> None:
    with another_command(folder) as other:
        postmaster, kept_by = processes(folder)
        kill_keeper(kept_by, folder)
        other.kill()
        other.wait()
        assert runs(postmaster)
    with local_postgres(folder) as server:
        assert ask(server, "SELECT 1") == 1
        assert processes(folder)[0].pid != postmaster.pid
    assert not runs(postmaster)


def test_a_server_whose_keeper_was_killed_stays_while_others_use_it(folder: Path) -> None:
    with another_command(folder):
        postmaster, kept_by = processes(folder)
        kill_keeper(kept_by, folder)
        with local_postgres(folder) as server:
            assert ask(server, "SELECT 1") == 1
            assert processes(folder)[0].pid == postmaster.pid
        assert runs(postmaster)
    assert_all_end([postmaster])


def test_a_server_that_is_killed_is_started_again_at_the_same_address(folder: Path) -> None:
    with local_postgres(folder) as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE told AS SELECT 7 AS number")
        postmaster, _ = processes(folder)
        postmaster.kill()
        wait_until(lambda: answer(server, "SELECT number FROM told") == 7, "another answers", 60)


def answer(server: PostgresServer, sql: str) -> object:
    try:
        return ask(server, sql)
    except psycopg.OperationalError:
        return None


def test_the_note_of_a_killed_server_stops_no_start(folder: Path) -> None:
    data = folder / "data"
    account = Account.for_data(data)
    note = data / "postmaster.pid"
    # By now the number may be that of another process of the server's user.
    with subprocess.Popen(account.command(["sleep", "600"])) as other:
        note.write_text(f"{other.pid}\n{data}\n0\n5432\n\n\n0 0\n")
        os.chown(note, account.uid, account.gid)
        try:
            with local_postgres(folder) as server:
                assert ask(server, "SELECT 1") == 1
        finally:
            other.kill()


def test_a_server_that_hangs_while_it_ends_is_killed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(keeper, "GRACE_SECONDS", 0.05)
    stubborn = tmp_path / "stubborn.py"
    stubborn.write_text(
        "import signal, sys, time\n"
        "for n in (signal.SIGINT, signal.SIGQUIT): signal.signal(n, signal.SIG_IGN)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, stubborn], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert keeper._ended(process) == -signal.SIGKILL


def test_an_interrupted_first_start_is_repeated(tmp_path: Path) -> None:
    left = tmp_path / "postgres" / ".data.unfinished"
    left.mkdir(parents=True)
    (left / "PG_VERSION").write_text("18\n")
    with local_postgres(tmp_path / "postgres") as server:
        assert ask(server, "SELECT 1") == 1
    assert not left.exists()


def test_data_of_another_version_are_refused_and_left_alone(folder: Path) -> None:
    version = folder / "data" / "PG_VERSION"
    version.write_text("17\n")
    with (
        pytest.raises(CommandError, match=r"holds a database of Postgres 17.* 18 is installed"),
        local_postgres(folder),
    ):
        pass
    assert version.read_text() == "17\n"


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    with (
        pytest.raises(CommandError, match="data holds no database; remove that folder"),
        local_postgres(tmp_path / "postgres"),
    ):
        pass


def test_a_file_in_place_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "postgres").touch()
    with (
        pytest.raises(CommandError, match="postgres, where the local database keeps its data"),
        local_postgres(tmp_path / "postgres"),
    ):
        pass


def test_a_server_that_ends_while_starting_shows_its_log(folder: Path) -> None:
    with (
        pytest.raises(CommandError, match=r"ended while starting(.|\n)*no_such_setting"),
        local_postgres(folder, {"no_such_setting": "1"}),
    ):
        pass
    assert not locks.is_held(folder, locks.SERVER)


def test_a_database_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "ROLE", "pg_not_allowed")
    with (
        pytest.raises(CommandError, match=r"could not be made in .*pg_"),
        local_postgres(tmp_path / "postgres"),
    ):
        pass
    assert not (tmp_path / "postgres" / "data").exists()


def test_the_server_gets_no_secret_of_who_starts_it() -> None:
    surroundings = {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "PGDATA": "/elsewhere"}
    assert environment(surroundings) == {"PATH": "/bin", "LC_ALL": "C"}
