"""The data of a local Postgres server: made once, and checked before each start."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from servers.errors import CommandError
from servers.postgres.programs import Account, program
from servers.shared.server import environment

ROLE = "postgres"
DATABASE = "trading"

_FAULT = re.compile(r"could not|FATAL|PANIC|error:")
_NOT_FOUND = "?"
_MAP = "owner"


def prepare_data(data: Path) -> Account:
    """Make the data folder when there is none, and say who runs the server on it.

    The caller holds the server's lock: nobody runs on this data now.

    Args:
        data: The data folder, in a folder that exists.

    Raises:
        CommandError: It cannot be made, is of another version of Postgres or somebody else's.
    """
    account = Account.for_data(data)
    unfinished = data.with_name(f".{data.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    if data.exists():
        _check_version(data)
    else:
        _initialise(unfinished, account)
        unfinished.rename(data)
    # Of a server that was killed; by now its number may be another process's.
    (data / "postmaster.pid").unlink(missing_ok=True)
    _allow_owner(data, account)
    return account


def _initialise(folder: Path, account: Account) -> None:
    """A cluster with the one database."""
    folder.mkdir(mode=0o700)
    os.chown(folder, account.uid, account.gid)
    initdb = [
        str(program("initdb")), f"--pgdata={folder}", f"--username={ROLE}", "--encoding=UTF8",
        # The built-in locale does not depend on the system's C library, so an upgrade of that
        # leaves the indexes valid.
        "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
        "--auth=reject", "--no-instructions",
    ]  # fmt: skip
    _run(account.command(initdb), folder.parent)
    single = [str(program("postgres")), "--single", "-D", str(folder), "postgres"]
    _run(account.command(single), folder.parent, f"CREATE DATABASE {DATABASE};\n")


def _run(command: Sequence[str], folder: Path, text: str = "") -> None:
    done = subprocess.run(  # noqa: S603 - our own programs, no shell
        command, input=text, capture_output=True, text=True, check=False, cwd=folder,
        env=environment(os.environ),
    )  # fmt: skip
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
        # What it says last may be how it tidied up.
        said = next((line for line in lines if _FAULT.search(line)), lines[-1])
        raise CommandError(
            f"The local database could not be made in {folder} ({said}); give that folder space "
            "and write access, or set TRADING_DATABASE_URL to a server of your own."
        )


def _check_version(data: Path) -> None:
    version = data / "PG_VERSION"
    theirs = version.read_text().strip() if version.is_file() else _NOT_FOUND
    ours = _installed_version()
    if theirs != ours:
        problem = (
            "holds no database"
            if theirs == _NOT_FOUND
            else f"holds a database of Postgres {theirs}, and Postgres {ours} is installed"
        )
        raise CommandError(
            f"{data} {problem}; remove that folder and run the command again: the "
            "database is filled again from the lake."
        )


def _installed_version() -> str:
    told = subprocess.run(  # noqa: S603 - our own program
        [program("postgres"), "--version"], capture_output=True, text=True, check=True
    )
    return told.stdout.split()[-1].partition(".")[0]


def _allow_owner(data: Path, account: Account) -> None:
    """Let the owner of the data and who starts the server in, over the socket, and nobody else."""
    (data / "pg_hba.conf").write_text(f"local all all peer map={_MAP}\n")
    (data / "pg_ident.conf").write_text(
        "".join(f"{_MAP} {name} {ROLE}\n" for name in sorted(_names({account.uid, os.geteuid()})))
    )


def _names(uids: set[int]) -> set[str]:
    return {f'"{pwd.getpwuid(uid).pw_name}"' for uid in uids}
