"""Run a plan while its processes are killed, and look at everything afterwards."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from benchmarks.week.books import ACCOUNT, check_cash, check_decisions, check_orders
from benchmarks.week.evenings import Evenings
from benchmarks.week.growth import MIB, Growth
from benchmarks.week.killing import Killer, drawn_kills
from benchmarks.week.notices import check_alerts, check_deliveries, write_rules
from benchmarks.week.plan import Plan
from benchmarks.week.platform import Platform, wait_until_drained
from benchmarks.week.prices import Checked, check_bars, check_bus, check_signals
from benchmarks.week.receiver import Received, webhook
from database.connection import open_database
from live.bus.redis_streams.bus import RedisBus
from live.stream.replay import AFTER_CLOSE
from servers.postgres.local import local_postgres
from servers.start_up import bound_port
from servers.valkey import local_valkey
from trading.events import Stream
from trading.instruments.calendar import sessions

SAMPLE_SECONDS = 1.0
DRAIN_SECONDS = 120.0
EVENING_SECONDS = 600.0
LONGEST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        kills: How often each process was killed.
        checks: What was looked at, and what was wrong with it.
    """

    kills: Counter[str]
    checks: list[Checked]

    @property
    def violations(self) -> list[str]:
        """All that was wrong, a sentence each."""
        return [f"{one.what}: {text}" for one in self.checks for text in one.violations]


def run(plan: Plan, kills: int, seed: int, *, prefect: bool) -> Outcome:
    """Make the lake, run the replay with so many kills in each session, and check what came of it.

    Args:
        plan: What is told.
        kills: How many in each session.
        seed: Of the draw of what is killed.
        prefect: Whether each session's silver is made by a flow run whose server and worker are
            killed as well.

    Raises:
        RuntimeError: It did not come to its end.
    """
    plan.make_lake()
    evenings = Evenings(plan) if prefect else None
    if evenings is not None:
        evenings.prepare()
    rules = plan.folder / "rules.yaml"
    write_rules(plan, rules)
    with webhook() as received:
        platform = Platform(plan, bound_port(0), _environment(received, rules))
        killer, growth = Killer(platform, drawn_kills(plan, kills, seed)), Growth()
        _groups_from_the_beginning(plan)
        began = time.monotonic()
        try:
            _replay(platform, killer, growth, evenings)
            waiting = wait_until_drained(platform, DRAIN_SECONDS)
            seconds = time.monotonic() - began
            positions, cash, health = _answers(platform.port)
            if evenings is not None:
                evenings.finish(EVENING_SECONDS)
        finally:
            code = platform.stop()
            if evenings is not None:
                evenings.stop()
        found = [
            Checked("drained", 1, [waiting] if waiting else [], f"in {seconds:.0f} s"),
            Checked("trading live", platform.begun, platform.ended, f"ended with {code}"),
            Checked("API", 1, health),
            *_checks(plan, received, rules, positions, cash),
            *([] if evenings is None else [evenings.checked()]),
            Checked("memory and disk", len(growth.memory), growth.violations(), _told(growth)),
            Checked("left over", 0, _left(platform)),
        ]
    more = Counter[str]() if evenings is None else evenings.kills
    return Outcome(killer.kills + more, found)


def _environment(received: Received, rules: Path) -> dict[str, str]:
    return {
        "TRADING_NOTIFY": received.channel,
        "TRADING_NOTIFY_PER_MINUTE": "600",
        "TRADING_ALERTS_FILE": str(rules),
        "TRADING_NEWS_SOURCE": "synthetic",
    }


def _groups_from_the_beginning(plan: Plan) -> None:
    """Let those who begin with what comes read the first bars, too, whenever they begin."""
    with (
        local_valkey(plan.server_dir / "valkey") as server,
        RedisBus(server.url) as bus,
    ):
        for group in ("alerts", f"executor-{ACCOUNT}"):
            for stream in (Stream.BARS, Stream.SIGNALS):
                bus.consume(stream, group, "benchmark", "first").close()


def _replay(platform: Platform, killer: Killer, growth: Growth, evenings: Evenings | None) -> None:
    """Until all is told and killed; the stream ends with what it tells."""
    plan = platform.plan
    closes = sessions(plan.first, plan.last).closes.astype(np.int64) + AFTER_CLOSE
    sample_at = began = time.monotonic()
    told = 0
    while told < plan.end or killer.has_more:
        platform.look()
        told = platform.told() or told
        killer.look(told)
        if evenings is not None:
            evenings.look(told)
        if time.monotonic() >= sample_at:
            sample_at = time.monotonic() + SAMPLE_SECONDS
            growth.look(platform, int((closes < told).sum()))
        if time.monotonic() - began > LONGEST_SECONDS:
            raise RuntimeError(f"the stream is at {told} of {plan.end}")
        time.sleep(0.1)


def _answers(port: int) -> tuple[list[dict[str, object]], str | None, list[str]]:
    """Positions and cash as the API tells them, and what is wrong with it."""
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/v1", timeout=30) as api:
            positions = api.get("/positions", params={"account": ACCOUNT}).raise_for_status()
            portfolio = api.get("/portfolio", params={"account": ACCOUNT}).raise_for_status()
            (account,) = portfolio.json()["data"]
            return positions.json()["data"], str(account["worth"]["cash"]), []
    except httpx.HTTPError as error:
        return [], None, [f"it does not answer: {error}"]


def _checks(
    plan: Plan, received: Received, rules: Path, positions: list[dict[str, object]],
    cash: str | None,
) -> list[Checked]:  # fmt: skip
    plan.finish_lake()
    with (
        local_postgres(plan.server_dir / "postgres") as postgres,
        local_valkey(plan.server_dir / "valkey") as valkey,
        open_database(postgres.url) as database,
        RedisBus(valkey.url) as bus,
    ):
        return [
            check_bars(plan, database),
            check_signals(plan, database),
            check_bus(plan, bus, database),
            check_orders(database),
            check_decisions(plan, database),
            check_cash(database, positions, cash),
            check_alerts(rules, bus, database),
            check_deliveries(received, database),
        ]


def _left(platform: Platform) -> list[str]:
    return [" ".join(process.info["cmdline"])[:100] for process in platform.left()]


def _told(growth: Growth) -> str:
    most = {name: max(seen.values()) // MIB for name, seen in growth.memory.items() if seen}
    added = [f"{one / MIB:.1f}" for one in growth.added()]
    return f"MiB at most: {most}; a session adds {', '.join(added)} MiB of disk"
