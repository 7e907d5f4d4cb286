"""A desk's database as it looks on a Wednesday afternoon: the tables filled directly.

Everything follows from one random seed and the moment `NOW`, so that two fillings are the same.
"""

from __future__ import annotations

from datetime import datetime

import psycopg

from tests.api.desk.seed_market import SeededMarket
from tests.api.desk.seed_messages import alerts, company, news, services
from tests.api.desk.seed_trading import SeededTrading
from tests.api.desk.seed_values import ACCOUNT, LIMITS, NOW

__all__ = ["ACCOUNT", "LIMITS", "NOW", "fill"]


def fill(url: str, now: datetime = NOW) -> None:
    """Fill a migrated, empty database."""
    with psycopg.connect(url, autocommit=False) as connection:
        market = SeededMarket(connection, now)
        market.fill()
        SeededTrading(connection, now, market.live).fill()
        for part in (alerts, news, company, services):
            part(connection, now)
