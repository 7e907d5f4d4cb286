"""A backtest as a plain loop over Decimals, written from the definitions and sharing no code.

It knows nothing of units, books or states: a list of dictionaries, one after another, bar by bar.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

CENT, NINE = Decimal("0.01"), Decimal("1e-9")


@dataclass
class Costs:
    fees_bps: Decimal = Decimal(0)
    per_share: Decimal = Decimal(0)
    slippage_bps: Decimal = Decimal(0)
    participation: Decimal | None = None


@dataclass
class PlainRun:
    """Bars by symbol as rows of (open, high, low, close, volume) or None; orders by row."""

    bars: dict[str, list[tuple[float, ...] | None]]
    increment: Decimal
    costs: Costs
    ends_session: list[bool]
    splits: dict[tuple[int, str], Fraction] = field(default_factory=dict)
    position: dict[str, Decimal] = field(default_factory=dict)
    fills: list[tuple[int, str, str, Decimal, Decimal, Decimal]] = field(default_factory=list)
    resting: list[dict[str, Any]] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    cash: Decimal = Decimal(0)
    marks: dict[str, Decimal] = field(default_factory=dict)
    between: dict[str, Decimal] = field(default_factory=dict)
    equity: list[Decimal] = field(default_factory=list)

    def run(self, orders: dict[int, list[dict[str, Any]]], capital: Decimal) -> None:
        self.cash = capital
        for row in range(len(self.ends_session)):
            for symbol in self.bars:
                self._split(row, symbol)
            for symbol, bars in self.bars.items():
                if bars[row] is not None:
                    self._bar(row, symbol, tuple(Decimal(repr(v)) for v in bars[row] or ()))
            if self.ends_session[row]:
                self.resting = [o for o in self.resting if o["tif"] == "gtc"]
            for symbol, bars in self.bars.items():
                if bars[row] is not None:
                    self.marks[symbol] = Decimal(repr((bars[row] or ())[3]))
                    self.between.pop(symbol, None)
            worth = [self.between.get(s, q * self.marks[s]) for s, q in self.position.items() if q]
            self.equity.append(self.cash + sum(worth, Decimal(0)))
            for order in orders.get(row, []):
                self._accept(row, dict(order))

    def _accept(self, row: int, order: dict[str, Any]) -> None:
        """Refuse what has no price or would trade with an order of our own."""
        if order["type"] == "cancel":
            self.resting = [o for o in self.resting if o["symbol"] != order["symbol"]]
            return
        for other in self.resting:
            if (
                other["symbol"] == order["symbol"]
                and other["side"] != order["side"]
                and other["quantity"]
            ):
                any_price = "market" in (order["type"], other["type"]) or order["type"] == "stop"
                if other["type"] != "stop" and (
                    any_price or order["side"] * (order["price"] - other["price"]) >= 0
                ):
                    self.denied.append(order["id"])
                    return
        if self.bars[order["symbol"]][row] is None:
            self.denied.append(order["id"])
            return
        order |= {"filled": Decimal(0), "parent": None, "leg": ""}
        self.resting.append(order)
        for leg, kind in (("stop_loss", "stop"), ("take_profit", "limit")):
            if order[leg] is not None:
                self.resting.append(
                    order | {"id": f"{order['id']}:{leg}", "side": -order["side"], "type": kind,
                             "price": order[leg], "quantity": Decimal(0), "tif": "gtc",
                             "stop_loss": None, "take_profit": None, "parent": order, "leg": leg}
                )  # fmt: skip

    def _bar(self, row: int, symbol: str, bar: tuple[Decimal, ...]) -> None:
        opened, high, low, _, volume = bar
        left = None
        if self.costs.participation is not None:
            left = self._floor(volume * self.costs.participation)
        filled_at: dict[str, Decimal] = {}
        for order in [o for o in self.resting if o["symbol"] == symbol]:
            if order not in self.resting or order["quantity"] == 0:
                continue
            start = filled_at.get(order["parent"]["id"]) if order["parent"] else None
            if start is not None and start != opened and order["leg"] == "take_profit":
                continue
            price = self._price(order, opened if start is None else start, high, low)
            if price is None:
                continue
            passive = order["type"] == "limit"
            if order["type"] == "stop":
                order["type"] = "market"
            wanted = order["quantity"]
            if order["parent"] or order["reduce_only"]:
                held = self.position.get(symbol, Decimal(0))
                wanted = min(wanted, max(-held * order["side"], Decimal(0)))
                if not wanted:
                    self._drop(order)
                    continue
            quantity = wanted if left is None else min(wanted, left)
            if not quantity:
                continue
            filled_at[order["id"]] = price
            left = None if left is None else left - quantity
            self._fill(row, order, quantity, price if passive else self._slip(price, order["side"]))

    def _price(self, order: dict[str, Any], o: Decimal, h: Decimal, low: Decimal) -> Decimal | None:
        kind, buy, at = order["type"], order["side"] > 0, order["price"]
        if kind == "market":
            return o
        if kind == "limit":
            return (min(o, at) if low <= at else None) if buy else (max(o, at) if h >= at else None)
        return (max(o, at) if h >= at else None) if buy else (min(o, at) if low <= at else None)

    def _slip(self, price: Decimal, side: int) -> Decimal:
        slipped = price * (1 + side * self.costs.slippage_bps / 10_000)
        return slipped.quantize(NINE, ROUND_CEILING if side > 0 else ROUND_FLOOR)

    def _fill(self, row: int, order: dict[str, Any], quantity: Decimal, price: Decimal) -> None:
        notional = quantity * price
        fee = notional * self.costs.fees_bps / 10_000 + quantity * self.costs.per_share
        fee = fee.quantize(CENT, ROUND_HALF_UP)
        signed, symbol = order["side"] * quantity, order["symbol"]
        self.cash -= signed * price + fee
        self.position[symbol] = self.position.get(symbol, Decimal(0)) + signed
        self.fills.append((row, symbol, order["id"], signed, price, fee))
        order["quantity"] -= quantity
        order["filled"] += quantity
        for leg in [o for o in self.resting if o["parent"] is order]:
            leg["quantity"] += quantity
        if order["parent"]:
            self._drop(order["parent"], legs=False)
            for leg in [o for o in self.resting if o["parent"] is order["parent"]]:
                if leg is not order:
                    leg["quantity"] -= quantity
                if not leg["quantity"]:
                    self._drop(leg)
        elif not order["quantity"]:
            self._drop(order, legs=False)

    def _drop(self, order: dict[str, Any], *, legs: bool = True) -> None:
        gone = [order, *([o for o in self.resting if o["parent"] is order] if legs else [])]
        self.resting = [o for o in self.resting if all(o is not g for g in gone)]

    def _floor(self, quantity: Decimal) -> Decimal:
        return math.floor(Fraction(quantity) / Fraction(self.increment)) * self.increment

    def _split(self, row: int, symbol: str) -> None:
        ratio = self.splits.get((row, symbol))
        if ratio is None:
            return
        for order in [o for o in self.resting if o["symbol"] == symbol]:
            had = order["quantity"]
            order["quantity"] = self._floor(
                Decimal(math.floor(Fraction(had) * 10**9 * ratio)).scaleb(-9)
            )
            if order["price"] is not None:
                order["price"] = _rounded(Fraction(order["price"]) / ratio)
            if had and not order["quantity"]:
                self._drop(order, legs=not order["filled"])
        held = self.position.get(symbol, Decimal(0))
        if not held:
            return
        exact = Fraction(held) * ratio
        size = math.floor(abs(exact) / Fraction(self.increment)) * self.increment
        after = size if held > 0 else -size
        rest = Fraction(held) * Fraction(self.marks[symbol]) * (exact - Fraction(after)) / exact
        self.position[symbol] = after
        self.cash += Decimal(math.floor(rest * 100)) / 100
        # Until the next close the shares are worth what they were, less what was paid out.
        self.between[symbol] = held * self.marks[symbol] - Decimal(math.floor(rest * 100)) / 100
        if not after:
            self.between[symbol] = Decimal(0)


def _rounded(price: Fraction) -> Decimal:
    return Decimal(math.floor(price * 10**9 + Fraction(1, 2))).scaleb(-9)
