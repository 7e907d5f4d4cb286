"""Executor and broker under faults, kills, races and strangers, all at once: the books agree."""

from __future__ import annotations

import itertools
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from database.connection import Database
from database.orders.risk import halt, read_risk, resume
from live.executor.executor import Executor
from tests.adapters.alpaca_trading import Fault, Json, TradingBooks
from tests.live.executor.agreement import assert_agree, exceeded_by
from tests.live.executor.alpaca import Side
from tests.live.executor.test_crashes import STEPS, KilledError
from tests.live.executor.world import (
    Clock,
    World,
    bar_event,
    hours_of,
    policy_of,
    signal_event,
    store_bar,
)
from tests.trading.backtest.markets import HOUR, START
from trading.risk.limits import RiskLimits, TradingState
from trading.units import to_dollars

SYMBOLS = ("AAPL", "MSFT")
PRICE = 100
LIMIT = Decimal("0.8")
NUMBERS = itertools.count()
PARTS = (0, 1, 1, 3)
"""Of what is open within an hour nothing fills, all, or one part of so many."""

GIVEN: dict[str, Database] = {}
"""The database of the running test."""

TALLY: Counter[str] = Counter()
"""What happened in all runs of the running test."""


class Trading(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.database = GIVEN["database"]
        self.clock = Clock(START + HOUR)
        self.account = f"m{next(NUMBERS)}"
        self.row = 0
        self.order_of = 0

    @initialize(
        skew=st.sampled_from([-30, 0, 30]),
        slow=st.booleans(),
        start=st.sampled_from(["up", "up", "up", "down"]),
        signals=st.fixed_dictionaries(
            {symbol: st.sampled_from(["buy", "sell"]) for symbol in SYMBOLS}
        ),
        part=st.sampled_from(PARTS),
    )
    def begin(self, skew: int, slow: bool, start: str, signals: dict[str, str], part: int) -> None:  # noqa: FBT001
        """The broker's clock may be off, its cancels slow, and itself down at the start."""
        TALLY["runs"] += 1
        self.database.rows.execute("DELETE FROM live_bar")  # those of the run before
        theirs = TradingBooks(
            self.clock, skew=timedelta(seconds=skew), cash=Decimal(10_000), slow_cancels=slow,
            refuses=self.refusal, is_down=start == "down",
        )  # fmt: skip
        self.side = Side(theirs, is_down=start == "down")
        policy = policy_of(
            self.account, SYMBOLS, allow_short=True, allocation=Decimal("0.7"),
            limits=RiskLimits(max_position=LIMIT, max_drawdown=Decimal("0.5")),
        )  # fmt: skip
        self.world = World(self.database, policy, hours_of(400), self.clock, self.side.broker)
        self.executor: Executor = self.world.executor()
        self.exceeded: list[str] = []
        self.refusals = 0
        self.hour(signals, PRICE, part)

    # What happens.

    @rule(
        signals=st.dictionaries(
            st.sampled_from(SYMBOLS), st.sampled_from(["buy", "hold", "sell"]), min_size=1
        ),
        price=st.integers(95, 105),
        part=st.sampled_from(PARTS),
    )
    def bar(self, signals: dict[str, str], price: int, part: int) -> None:
        self.hour(signals, price, part)

    @rule(symbol=st.sampled_from(SYMBOLS), part=st.sampled_from(PARTS))
    def turn_around(self, symbol: str, part: int) -> None:
        """What is held, or was wanted last, is wanted the other way."""
        target = self.executor.books.targets.get(symbol)
        long = target is not None and target.target > 0
        self.hour({symbol: "sell" if long else "buy"}, PRICE, part)

    def hour(self, signals: dict[str, str], price: int, part: int) -> None:
        """An hour passes: what is open fills, or a part of it, or nothing; bars, then signals."""
        for order in self.side.theirs.open():
            if part:
                quantity = -(-Decimal(order["qty"]) // part)
                self.side.theirs.fill(order, Decimal(quantity), Decimal(price))
        ts = START + self.row // 7 * 24 * HOUR + self.row % 7 * HOUR
        self.row += 1
        self.clock.at = max(self.clock.at, ts + HOUR)
        self.bars = [bar_event(symbol, ts, (*(float(PRICE),) * 4, 1e6)) for symbol in SYMBOLS]
        self.signals = [signal_event(symbol, ts, s, PRICE) for symbol, s in signals.items()]
        for bar in self.bars:
            store_bar(self.database, bar)
        self.work(lambda: self.executor.handle(self.bars, self.signals))

    @precondition(lambda self: self.row)
    @rule()
    def told_again(self) -> None:
        self.work(lambda: self.executor.handle(self.bars, self.signals))

    @rule(part=st.integers(1, 30), price=st.integers(95, 105), which=st.integers(0, 3))
    def fill(self, part: int, price: int, which: int) -> None:
        for order in self.side.theirs.open()[which : which + 1]:
            self.side.theirs.fill(order, Decimal(part), Decimal(price))

    @rule(status=st.sampled_from(["canceled", "expired", "rejected"]), which=st.integers(0, 3))
    def end(self, status: str, which: int) -> None:
        for order in self.side.theirs.open()[which : which + 1]:
            if status != "rejected" or not Decimal(order["filled_qty"]):
                self.side.theirs.end(order, status)

    @rule(which=st.integers(0, 3))
    def puzzle(self, which: int) -> None:
        """The broker tells a state that nobody documented, and perhaps takes it back."""
        for order in self.side.theirs.open()[which : which + 1]:
            self.side.theirs.puzzle(order)

    @rule()
    def clear_up(self) -> None:
        self.side.theirs.clear_up()

    @rule(times=st.integers(1, 2))
    def refuse(self, times: int) -> None:
        """The broker takes none of the next orders."""
        self.refusals += times

    @rule()
    def settle_cancels(self) -> None:
        self.side.theirs.settle_cancels()

    @rule(faults=st.lists(st.sampled_from(list(Fault)), min_size=1, max_size=4))
    def go_wrong(self, faults: list[Fault]) -> None:
        TALLY["faults"] += len(faults)
        self.side.theirs.faults.extend(faults)

    @rule(how=st.sampled_from(["once", "twice", "backwards"]))
    def hear(self, how: str) -> None:
        mangled = {
            "once": list,
            "twice": lambda messages: [m for m in messages for _ in range(2)],
            "backwards": lambda messages: messages[::-1],
        }
        self.side.mangle = mangled[how]
        self.work(self.executor.receive)

    @rule()
    def lose_the_stream(self) -> None:
        """What it carried is gone."""
        self.break_stream()
        self.work(self.executor.receive)

    @rule()
    def broker_goes_down(self) -> None:
        TALLY["outages"] += 1
        self.side.is_down = self.side.theirs.is_down = True
        self.break_stream()
        self.work(self.executor.receive)

    @rule()
    def broker_is_back(self) -> None:
        self.side.is_down = self.side.theirs.is_down = False
        self.work(self.executor.receive)

    @rule(seconds=st.sampled_from([1, 5, 40]))
    def wait(self, seconds: int) -> None:
        self.clock.tick(seconds)
        self.work(self.executor.tick)

    @rule(step=st.sampled_from([*STEPS, "now"]))
    def kill(self, step: str) -> None:
        """At the next such step, or at once."""
        if step == "now":
            TALLY["kills"] += 1
            self.start_again()
            return

        def at_step(name: str) -> None:
            if name == step:
                TALLY["kills"] += 1
                self.world.at_step = lambda _: None
                raise KilledError

        self.world.at_step = at_step

    @rule()
    def stranger(self) -> None:
        """Somebody trades in the account by hand."""
        body = {
            "symbol": "KO", "qty": "5", "side": "buy", "type": "market", "time_in_force": "day",
            "client_order_id": f"hand-{self.account}-{next(NUMBERS)}",
        }  # fmt: skip
        self.side.theirs.answer("POST", "/v2/orders", {}, body)

    @rule(closes=st.booleans())
    def halt(self, closes: bool) -> None:  # noqa: FBT001
        halt(self.database, self.account, who="a person", why="a test", closes_positions=closes)
        self.work(self.executor.tick)

    @precondition(lambda self: self.row)
    @rule()
    def resume(self) -> None:
        risk = read_risk(self.database, self.account)
        if risk.state is TradingState.HALTED and not risk.is_closing:
            resume(self.database, self.account, who="a person", why="a test")

    # What must hold.

    def refusal(self, body: Json) -> str | None:
        """Called as an order arrives."""
        TALLY["orders"] += 1
        self.watch_limit(body)
        if self.refusals:
            self.refusals -= 1
            return "insufficient buying power"
        return None

    def watch_limit(self, body: Json) -> None:
        """No position could exceed its limit by an order."""
        if body["symbol"] not in SYMBOLS:
            return
        equity = to_dollars(self.executor.books.desk.account.equity)
        worst = exceeded_by(self.side.theirs, body, LIMIT * equity / PRICE)
        if worst is not None:
            self.exceeded.append(f"{body['symbol']}: {worst} shares")

    @invariant()
    def no_order_is_there_twice(self) -> None:
        if not hasattr(self, "side"):
            return
        names = [order["client_order_id"] for order in self.side.theirs.orders.values()]
        assert len(names) == len(set(names))
        assert self.exceeded == []

    def teardown(self) -> None:
        if hasattr(self, "side"):
            self.come_to_rest()
            assert_agree(self.database, self.account, self.side.theirs)
            TALLY["fills"] += self.side.theirs.executions

    def come_to_rest(self) -> None:
        """Nothing goes wrong any more; whatever is on its way arrives."""
        theirs = self.side.theirs
        theirs.faults.clear()
        theirs.slow_cancels = False
        theirs.clear_up()
        self.refusals = 0
        self.side.is_down = theirs.is_down = False
        self.world.at_step = lambda _: None
        self.side.mangle = list
        for _ in range(12):
            theirs.settle_cancels()
            self.clock.tick(31)
            self.executor.receive()
            self.executor.tick()
        assert self.executor.reconcile("command")

    # Helpers of the rules.

    def work(self, deed: Any) -> None:
        try:
            deed()
        except KilledError:
            self.start_again()

    def break_stream(self) -> None:
        if self.side.wire is not None:
            self.side.wire.close()
            self.side.wire.break_off()

    def start_again(self) -> None:
        if self.side.wire is not None:
            self.side.wire.close()
        for _ in range(20):
            try:
                self.executor = self.world.executor()
            except KilledError:
                continue
            return


@contextmanager
def given(database: Database) -> Iterator[None]:
    GIVEN["database"] = database
    TALLY.clear()
    logging.disable(logging.ERROR)  # thousands of lines of what is planted
    yield
    logging.disable(logging.NOTSET)
    GIVEN.clear()


def run_examples(database: Database, examples: int, steps: int) -> None:
    """Run the machine so often, or as often as the profile `thorough` says, and at random then."""
    thorough = settings.get_current_profile_name() == "thorough"
    with given(database):
        run_state_machine_as_test(
            Trading,
            settings=settings(
                max_examples=settings().max_examples if thorough else examples,
                stateful_step_count=steps, deadline=None, derandomize=not thorough,
                database=None, suppress_health_check=list(HealthCheck), print_blob=True,
            ),
        )  # fmt: skip
    sys.stdout.write(f"{json.dumps(TALLY)}\n")
    wanted = ("orders", "fills", "faults", "kills", "outages")
    # What is drawn depends on the modules that are loaded, so between a sixth and a third of the
    # runs have a kill.
    assert min(TALLY[name] for name in wanted) > examples // 10


def test_the_books_agree_whatever_happens(database: Database) -> None:
    run_examples(database, examples=100, steps=25)


@pytest.mark.slow
def test_the_books_agree_whatever_happens_very_often(database: Database) -> None:
    """Ten thousand runs, which take a quarter of an hour: `--hypothesis-profile=thorough -s`."""
    run_examples(database, examples=400, steps=40)
