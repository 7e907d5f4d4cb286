"""Which sources have the bars that are asked for, by what is known of them without asking."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from adapters.market_data.bar_source import BarSource
from lake.bronze.request import BronzeRequest
from trading.errors import ParameterError
from trading.instruments.clock import NEW_YORK


def serving_sources(sources: Sequence[BarSource], request: BronzeRequest) -> list[BarSource]:
    """Those of the sources that have bars of the interval, and as far back as asked for.

    Raises:
        ParameterError: A source is named twice, or none has bars of the interval, or so far back.
    """
    names = [source.name for source in sources]
    if len(set(names)) != len(names):
        allowed = "a list of different sources"
        raise ParameterError("sources", names, allowed, "name each once")
    interval = request.interval
    serving = [source for source in sources if interval in source.capability.reach]
    if not serving:
        served = sorted({i.value for s in sources for i in s.capability.intervals})
        allowed = f"an interval that {' or '.join(names)} has"
        next_step = f"choose from {', '.join(served)}, or name another source"
        raise ParameterError("interval", interval.value, allowed, next_step)
    if request.only is None:
        _check_reach(serving, request)
    return serving


def _check_reach(sources: Sequence[BarSource], request: BronzeRequest) -> None:
    now = datetime.now(UTC)
    reaches = [s.capability.reach[request.interval].earliest(now) for s in sources]
    limits = [moment for moment in reaches if moment is not None]
    if len(limits) < len(reaches):
        return  # one of them has no limit
    since = min(limits).astimezone(NEW_YORK).date()
    if request.first < since:
        who = " or ".join(source.name for source in sources)
        allowed = f"a day from {since.isoformat()} on, from when {who} has {request.interval} bars"
        next_step = f"pass start={since.isoformat()}, or name another source"
        raise ParameterError("start", request.first.isoformat(), allowed, next_step)
