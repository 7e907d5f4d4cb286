"""`trading live executor`: one account's executor, from options and settings to a process."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Literal

import typer

from adapters.brokers.alpaca.broker import AlpacaBroker, open_alpaca
from adapters.brokers.alpaca.client import LIVE_URL, AlpacaClient
from adapters.brokers.errors import BrokerError
from adapters.brokers.paper import PaperBroker, Terms
from adapters.brokers.protocol import Broker
from cli.commands.live.options import clock_for, paper_account
from cli.commands.live.services.account_lock import alone
from cli.commands.live.services.service import ServiceOptions, running
from cli.commands.live.services.tick_sources import claimed_kind
from cli.settings import settings_in_force
from database.alerts.telling import Addressees
from database.connection import Database
from database.orders.accounts import ensure_account
from live.bus.port import Bus
from live.executor.books import Books
from live.executor.clock import EventClock, ExecutorClock, WallClock
from live.executor.executor import Executor
from live.executor.policy import Policy
from live.executor.process import ExecutorProcess
from live.executor.publishing import Publishing
from live.stream.publishing import last_time_known
from servers.errors import FAILED, CommandError
from trading.backtest.assumptions import Assumptions
from trading.bars.intervals import MINUTE_INTERVALS, Interval
from trading.errors import ParameterError
from trading.execution.hours import TradingHours
from trading.instruments.calendar import sessions
from trading.instruments.clock import moment_of
from trading.instruments.symbols import checked_symbol
from trading.strategies.registry import BUILT_IN, strategy_named

if TYPE_CHECKING:
    from flows.boundary.settings import Settings

HALT_SECONDS = 60.0
"""How long a halt without an executor is followed by the command that asked for it."""

_POLL_SECONDS = 0.5

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorOptions:
    """What the user asked for; numbers as they were typed.

    Attributes:
        account: The account's name here; None for the broker's or, with the clock left out as
            well, for that of the prices.
        broker: Who takes the orders.
        confirm_account: The number of the account with real money.
        symbols: What is traded, separated by commas.
        strategy: Whose signals are followed: a name, or a class as `package.module:Class`.
        fingerprint: Of which version and parameters; None for any.
        interval: Of bars and signals.
        capital: Dollars that a paper account begins with.
        fees_bps: Fee in basis points.
        slippage_bps: Slippage in basis points.
        participation: Share of a bar's volume that fills.
        allocation: Share of equity of each symbol.
        allow_short: Whether a sell signal goes short.
        clock: Whose time it is; None for that of the prices.
        minutes: After how long to end; None for never.
        service: What every process of the live side is asked.
        json: Whether to print one JSON object at the end.
    """

    account: str | None
    broker: Literal["paper", "alpaca"]
    confirm_account: str | None
    symbols: str
    strategy: str
    fingerprint: str | None
    interval: str
    capital: str
    fees_bps: str
    slippage_bps: str
    participation: str
    allocation: str | None
    allow_short: bool
    clock: Literal["wall", "events"] | None
    minutes: float | None
    service: ServiceOptions
    json: bool


def run_executor(options: ExecutorOptions) -> None:
    """Trade until told to stop.

    Raises:
        CommandError: The account is in use, or the broker does not let us in.
        ParameterError: An option cannot be used.
    """
    if options.clock == "events" and options.broker != "paper":
        raise ParameterError(
            "clock", "events", "wall at a broker whose time goes on by itself", "leave it out"
        )
    # What is wrong is said before anything is started.
    policy_of(options, settings_in_force())
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(running("executor", options.service))
        settings, database = service.settings, service.database
        options, time_of = on_prices(options, claimed_kind(database))
        clock = clock_of(time_of, service.bus, database)
        policy = policy_of(options, settings)
        stack.enter_context(alone(database, policy.account))
        hours = trading_hours(time_of)
        broker_of = _broker_of(options, settings, policy, hours, clock)
        ensure_account(
            database, policy.account, options.broker, is_live=_is_live(settings, options)
        )
        publishing = Publishing(database, policy.account, service.bus)
        executor = Executor(
            database, policy, hours, broker_of, clock, addressees=_addressees(settings)
        )
        stack.callback(executor.close)
        executor.start()
        process = ExecutorProcess(
            executor=executor, bus=service.bus, account=policy.account, publishing=publishing,
            clock=clock, report=lambda handled: service.turn(lambda: handled),
        )  # fmt: skip
        typer.echo(
            f"Trading {len(policy.symbols)} symbols in {policy.account} ({options.broker}) on "
            f"{policy.interval} bars and signals of {policy.strategy}.",
            err=True,
        )
        handled = process.run(_after(options.minutes))
    if options.json:
        typer.echo(json.dumps({"account": policy.account, **handled}))


def on_prices(
    options: ExecutorOptions, kind: str | None
) -> tuple[ExecutorOptions, Literal["wall", "events"]]:
    """The options with the account named, and the clock, as `trading live` has them.

    Args:
        options: What the user asked for.
        kind: The kind of prices that the live tables have; None before the first.

    Raises:
        ParameterError: The clock or the broker has another time than the prices.
    """
    is_of_now = clock_for(kind) == "wall"
    if not is_of_now and options.clock == "wall":
        raise ParameterError(
            "clock", "wall", f"events, the time of the {kind} prices here", "leave it out"
        )
    if not is_of_now and options.broker != "paper":
        raise ParameterError(
            "broker", options.broker, f"paper, which can trade on the {kind} prices here",
            "leave it out, or use another --server-dir for a vendor's prices",
        )  # fmt: skip
    is_open = options.account is None and options.clock is None and options.broker == "paper"
    account = paper_account(kind) if is_open else options.account or options.broker
    return replace(options, account=account), options.clock or clock_for(kind)


def clock_of(clock: Literal["wall", "events"], bus: Bus, database: Database) -> ExecutorClock:
    """The executor's clock; one of events begins with the last time that is known.

    With an older one a process that was begun again would take a late decision for a new one.

    Raises:
        BusError, DatabaseError: One of them cannot be read.
    """
    if clock == "wall":
        return WallClock()
    return EventClock(moment_of(last_time_known(bus, database)))


def policy_of(options: ExecutorOptions, settings: Settings) -> Policy:
    """What is traded, and how.

    Raises:
        ParameterError: An option cannot be used.
    """
    names = [name.strip() for name in options.symbols.split(",") if name.strip()]
    symbols = tuple(dict.fromkeys(names))
    if not symbols:
        raise ParameterError("symbols", options.symbols, "one or more symbols", "write AAPL,MSFT")
    for symbol in symbols:
        checked_symbol(symbol)
    account = options.broker if options.account is None else options.account
    if not _ACCOUNT.fullmatch(account):
        allowed = "1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or digit"
        raise ParameterError("account", account, allowed, "call it e.g. paper-2")
    known = {interval.value: interval for interval in MINUTE_INTERVALS}
    if options.interval not in known:
        raise ParameterError(
            "interval",
            options.interval,
            f"one of {', '.join(known)}",
            "pass one that live bars have",
        )
    return Policy(
        account=account,
        strategy=_name_in_signals(options.strategy),
        fingerprint=options.fingerprint,
        interval=known[options.interval],
        symbols=symbols,
        costs=Assumptions(
            fees_bps=_number("fees-bps", options.fees_bps, Decimal(10_000)),
            slippage_bps=_number("slippage-bps", options.slippage_bps, Decimal(10_000)),
            participation=_number("participation", options.participation, Decimal(1)) or None,
        ).costs(),
        limits=settings.risk_limits,
        allow_short=options.allow_short,
        allocation=None
        if options.allocation is None
        else _number("allocation", options.allocation, Decimal(100)),
        capital=_number("capital", options.capital, Decimal(10) ** 12),
    )


def _name_in_signals(strategy: str) -> str:
    """The name that a strategy's signals carry.

    A user's own is given as a class, as to whatever makes the signals: those of a plain name that
    nobody knows would be waited for without an end.

    Raises:
        ParameterError: There is none of that name.
    """
    return strategy if strategy in BUILT_IN else strategy_named(strategy).name


def carry_out_halt(database: Database, account: str, settings: Settings) -> None:
    """Do at Alpaca what a halt asks for, where no executor runs that would.

    Raises:
        CommandError: It is not done after a minute.
        BrokerError: Alpaca does not let us in.
    """
    clock, hours = WallClock(), trading_hours("wall")
    policy = Policy(
        account=account, strategy="", interval=Interval.MINUTE, symbols=(),
        costs=Assumptions().costs(), limits=settings.risk_limits,
    )  # fmt: skip
    # Ending orders and positions takes no confirmation, real money or not.
    executor = Executor(
        database, policy, hours, lambda _: _alpaca(settings), clock,
        addressees=_addressees(settings),
    )  # fmt: skip
    with contextlib.closing(executor):
        executor.start()
        deadline = time.monotonic() + HALT_SECONDS
        while executor.books.risk.is_closing:
            if time.monotonic() > deadline:
                raise CommandError(
                    f"The halt of {account} holds, but the broker has not confirmed that all is "
                    "cancelled and closed; run the same command again.",
                    FAILED,
                )
            executor.receive(_POLL_SECONDS)
            executor.tick()


def trading_hours(clock: Literal["wall", "events"]) -> TradingHours:
    """The exchange's sessions of the years that matter; of a replay, all since 2000."""
    year = datetime.now(UTC).year
    first = 2000 if clock == "events" else year - 1
    return TradingHours.of(sessions(date(first, 1, 1), date(year + 1, 12, 31)))


def _broker_of(
    options: ExecutorOptions,
    settings: Settings,
    policy: Policy,
    hours: TradingHours,
    clock: ExecutorClock,
) -> Callable[[Books], Broker]:
    if options.broker == "paper":
        terms = Terms(
            costs=policy.costs, interval=policy.interval, hours=hours, increments=policy.increments
        )
        return lambda books: PaperBroker(
            books.ledger, books.desk.working.values(), terms, clock(), books.seen
        )
    try:
        broker = open_alpaca(
            settings.alpaca_key_id,
            settings.alpaca_secret_key,
            settings.alpaca_trading_url,
            allow_live=settings.allow_live == "yes",
            confirmed_account=options.confirm_account,
        )
    except BrokerError as error:
        raise CommandError(f"{error}", FAILED) from None
    return lambda _: broker


def _alpaca(settings: Settings) -> AlpacaBroker:
    client = AlpacaClient(
        settings.alpaca_key_id, settings.alpaca_secret_key, settings.alpaca_trading_url
    )
    return AlpacaBroker(client)


def _addressees(settings: Settings) -> Addressees:
    return Addressees.of(settings.notify, settings.notify_quiet)


def _is_live(settings: Settings, options: ExecutorOptions) -> bool:
    return options.broker == "alpaca" and settings.alpaca_trading_url.rstrip("/") == LIVE_URL


def _after(minutes: float | None) -> Callable[[], bool]:
    if minutes is None:
        return lambda: False
    end = time.monotonic() + 60 * minutes
    return lambda: time.monotonic() >= end


def _number(name: str, text: str, most: Decimal) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(-1)
    if not number.is_finite() or not 0 <= number <= most:
        raise ParameterError(name, text, f"a number from 0 to {most:,}", "correct it")
    return number
