"""The processes of the live side, by name: what `trading live` starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cli.commands.live.options import ALPACA, POLYGON, LiveOptions, clock_for, paper_account

PREFECT = "prefect"


@dataclass(frozen=True, slots=True)
class LiveProcess:
    """A process that runs until it is told to end, and goes on where it was when begun again.

    Attributes:
        name: What people call it, and what its sign of life says.
        arguments: Those of `trading` that start it.
        environment: Its own variables beside those of all.
        may_end: Whether it may end by itself with success, as a replay does.
        may_refuse: Whether the others go on when it cannot run at all.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    may_end: bool = False
    may_refuse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the processes of one `trading live` are found.

    Attributes:
        symbols: What is traded.
        desk_port: The port of API and desk.
        prefect_url: The API of the Prefect server; None without one.
        prefect_port: The port of one that is started; None where one is there already.
    """

    symbols: Sequence[str]
    desk_port: int
    prefect_url: str | None = None
    prefect_port: int | None = None


def account_of(options: LiveOptions) -> str:
    """The paper account that belongs to the prices."""
    return paper_account(options.stream.source)


def first_processes(options: LiveOptions, places: Places) -> list[LiveProcess]:
    """What prices pass through from the source to the desk, in the order of their start."""
    shared = ["--server-dir", str(options.server_dir)]
    lake = [] if options.stream.lake_dir is None else ["--lake-dir", options.stream.lake_dir]
    # What is made up, or is in the lake already, does not go into it.
    archive = ["--archive", *lake] if _is_real(options) else []
    prefect = {} if places.prefect_url is None else {"PREFECT_API_URL": places.prefect_url}
    return [
        LiveProcess("windows", ["live", "windows", *archive, *shared]),
        LiveProcess("signals", ["live", "signals", *options.signals.arguments(), *shared]),
        LiveProcess("executor", ["live", "executor", *_executor(options, places), *shared]),
        LiveProcess(
            "stream", ["live", "stream", *options.stream.arguments(), *shared], may_end=True
        ),
        # The lake may be one that the archive makes: as the settings' it need not be there yet.
        LiveProcess("api", ["api", *_api(options, places), *shared], prefect | _lake(options)),
    ]


def later_processes(options: LiveOptions, places: Places) -> list[LiveProcess]:
    """What nobody waits for: it starts once prices move."""
    shared = ["--server-dir", str(options.server_dir)]
    prefect = {} if places.prefect_url is None else {"PREFECT_API_URL": places.prefect_url}
    alerts = ["live", "alerts", "--clock", _clock(options), *shared]
    found = [
        LiveProcess("alerts", alerts, prefect),
        LiveProcess("news", ["live", "news", *shared]),
    ]
    if places.prefect_url is not None:
        schedules = ["--schedules"] if options.schedules else []
        own = places.prefect_port is not None
        port = ["--port", str(places.prefect_port)] if own else []
        # One that is started here must not take its own address for somebody else's server.
        where = {} if own else prefect
        found.append(
            LiveProcess(PREFECT, ["up", *port, *schedules, *shared], where, may_refuse=True)
        )
    return found


def _executor(options: LiveOptions, places: Places) -> list[str]:
    signals = options.signals
    return [
        "--symbols", ",".join(places.symbols), "--account", account_of(options),
        "--strategy", signals.strategies.split(",")[0].strip(),
        "--interval", signals.intervals.split(",")[0].strip(),
        "--clock", _clock(options),
    ]  # fmt: skip


def _api(options: LiveOptions, places: Places) -> list[str]:
    return ["--port", str(places.desk_port), "--clock", _clock(options)]


def _lake(options: LiveOptions) -> dict[str, str]:
    named = options.stream.lake_dir
    return {} if named is None else {"TRADING_LAKE_DIR": named}


def _clock(options: LiveOptions) -> str:
    return clock_for(options.stream.source)


def _is_real(options: LiveOptions) -> bool:
    return options.stream.source in (ALPACA, POLYGON)
