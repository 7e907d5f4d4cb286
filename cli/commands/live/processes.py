"""The processes of the live side, by name: what `trading live` starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cli.commands.live.options import ALPACA, POLYGON, LiveOptions


@dataclass(frozen=True, slots=True)
class LiveProcess:
    """A process that runs until it is told to end, and goes on where it was when begun again.

    Attributes:
        name: What people call it, and what its sign of life says.
        arguments: Those of `trading` that start it.
        may_end: Whether it may end by itself with success, as a replay does.
    """

    name: str
    arguments: Sequence[str]
    may_end: bool = False


def live_processes(options: LiveOptions) -> list[LiveProcess]:
    """What `trading live` starts, in the order in which it does; it is ended in the other one."""
    shared = ["--server-dir", str(options.server_dir)]
    # What is made up, or is in the lake already, does not go into it.
    archived = options.stream.source in (ALPACA, POLYGON)
    lake = [] if options.stream.lake_dir is None else ["--lake-dir", options.stream.lake_dir]
    archive = ["--archive", *lake] if archived else []
    return [
        LiveProcess("windows", ["live", "windows", *archive, *shared]),
        LiveProcess("signals", ["live", "signals", *options.signals.arguments(), *shared]),
        LiveProcess(
            "stream", ["live", "stream", *options.stream.arguments(), *shared], may_end=True
        ),
    ]
