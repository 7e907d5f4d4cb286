from __future__ import annotations

import re

from database.orders.events import ENDED
from trading.orders.states import OrderState


def test_statements_and_the_fold_agree_on_which_orders_have_ended() -> None:
    assert set(re.findall(r"\w+", ENDED)) == {state.value for state in OrderState if state.is_end}
