from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.orders.history import (
    LATE_FILL,
    OVERFILL,
    UNKNOWN_STATE,
    OrderEvent,
    OrderStatus,
    order_status,
)
from trading.orders.history import OrderEventKind as K
from trading.orders.states import TRANSITIONS, TransitionError, transition
from trading.orders.states import OrderState as S

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


def event(
    kind: K, seconds: int = 0, shares: int = 0, price: str = "0", name: str = ""
) -> OrderEvent:
    at = NOON + timedelta(seconds=seconds)
    return OrderEvent(
        kind=kind, at=at, execution_id=name, quantity=Decimal(shares), price=Decimal(price)
    )


SENT = [event(K.INITIALIZED), event(K.SUBMITTED, 1), event(K.ACCEPTED, 2)]
PART = event(K.FILL, 3, 40, "100", "x1")
REST = event(K.FILL, 4, 60, "101", "x2")


def status(*events: OrderEvent) -> OrderStatus:
    return order_status("o", Decimal(100), events)


@pytest.mark.parametrize(
    ("events", "state", "filled", "flags"),
    [
        ([], S.INITIALIZED, 0, ()),
        ([event(K.INITIALIZED), event(K.DENIED, 1)], S.DENIED, 0, ()),
        (SENT, S.ACCEPTED, 0, ()),
        ([*SENT, event(K.REJECTED, 3)], S.REJECTED, 0, ()),
        ([*SENT, PART], S.PARTIALLY_FILLED, 40, ()),
        ([*SENT, PART, REST], S.FILLED, 100, ()),
        ([PART, REST], S.FILLED, 100, ()),
        ([*SENT, PART, event(K.CANCEL_REQUESTED, 4)], S.PENDING_CANCEL, 40, ()),
        ([*SENT, event(K.CANCEL_REQUESTED, 3), event(K.CANCEL_REFUSED, 4)], S.ACCEPTED, 0, ()),
        ([*SENT, event(K.CANCEL_REQUESTED, 3), event(K.CANCELED, 5)], S.CANCELED, 0, ()),
        ([*SENT, event(K.CANCEL_REQUESTED, 3), event(K.EXPIRED, 5)], S.EXPIRED, 0, ()),
        # Our clock is 30 s ahead of the broker's: the request looks later than the end.
        ([*SENT, event(K.CANCEL_REQUESTED, 35), event(K.CANCELED, 5)], S.CANCELED, 0, ()),
        ([event(K.SUBMITTED, 31), event(K.ACCEPTED, 1), PART], S.PARTIALLY_FILLED, 40, ()),
        # The fill wins the race against the cancel; the cancel then finds nothing to end.
        ([*SENT, PART, event(K.CANCEL_REQUESTED, 3), REST, event(K.CANCELED, 6)],
         S.FILLED, 100, ()),
        # A fill after the end is booked and flagged.
        ([*SENT, event(K.CANCELED, 2), PART], S.CANCELED, 40, (LATE_FILL,)),
        ([*SENT, event(K.EXPIRED, 2), PART], S.EXPIRED, 40, (LATE_FILL,)),
        ([*SENT, PART, REST, event(K.FILL, 5, 1, "101", "x3")], S.FILLED, 101, (OVERFILL,)),
        # A state that we do not know counts as alive.
        ([*SENT, event(K.UNKNOWN, 3)], S.ACCEPTED, 0, (UNKNOWN_STATE,)),
    ],
)  # fmt: skip
def test_the_state_after_some_events(
    events: list[OrderEvent], state: S, filled: int, flags: tuple[str, ...]
) -> None:
    found = status(*events)
    assert (found.state, int(found.filled), found.flags) == (state, filled, flags)


def test_what_the_broker_says_is_filled_in_all_makes_up_for_a_lost_fill() -> None:
    told = event(K.CUMULATIVE, 5, 100, "100.6")
    found = status(*SENT, PART, told)
    synthetic = found.fills[-1]
    assert found.state is S.FILLED
    assert synthetic.execution_id == "o:cumulative"
    assert synthetic.quantity == 60
    assert synthetic.price == Decimal(101)  # (100.6 * 100 - 40 * 100) / 60
    # When the lost fill arrives, it takes the synthetic one's place.
    assert [fill.execution_id for fill in status(*SENT, PART, told, REST).fills] == ["x1", "x2"]


def test_of_two_accounts_of_one_fill_the_earlier_counts_whichever_came_first() -> None:
    other = event(K.FILL, 9, 41, "100", "x1")
    assert status(*SENT, PART, other) == status(*SENT, other, PART)
    assert status(*SENT, other, PART).filled == 40


KINDS = [kind for kind in K if kind not in {K.DENIED, K.REJECTED, K.CANCELED, K.EXPIRED}]


@st.composite
def histories(draw: st.DrawFn) -> list[OrderEvent]:
    """Events that can come of one order, with clocks that disagree by up to half a minute."""
    events = []
    fills = itertools.count()
    for kind in draw(st.lists(st.sampled_from(KINDS), max_size=6)):
        name = f"x{next(fills)}" if kind is K.FILL else ""
        shares = draw(st.integers(1, 60)) if kind in {K.FILL, K.CUMULATIVE} else 0
        price = draw(st.sampled_from(["99.5", "100", "101.25"]))
        events.append(event(kind, draw(st.integers(-30, 30)), shares, price, name))
    if draw(st.booleans()):
        events.append(
            event(draw(st.sampled_from([K.CANCELED, K.EXPIRED])), draw(st.integers(-30, 30)))
        )
    return events


@settings(max_examples=150, deadline=None)
@given(histories(), st.data())
def test_any_order_and_any_repetition_gives_the_same(
    events: list[OrderEvent], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(events), max_size=4)) if events else []
    shuffled = data.draw(st.permutations(events + again))
    assert status(*shuffled) == status(*events)


def test_another_step_than_the_tables_raises() -> None:
    for before, after in itertools.product(S, S):
        if after in TRANSITIONS[before]:
            assert transition(before, after) is after
        else:
            with pytest.raises(TransitionError, match=f"is {before} cannot become {after}"):
                transition(before, after)
    with pytest.raises(TransitionError):
        status(event(K.DENIED, 1), PART)


def test_out_of_an_end_there_is_no_way() -> None:
    ends = {state for state in S if state.is_end}
    assert ends == {S.DENIED, S.REJECTED, S.FILLED, S.CANCELED, S.EXPIRED}
