"""Which partitions failed, for the alert rules about them: what only a Prefect server knows."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from datetime import datetime, timedelta

import httpx

from trading.alerts.observations import Finding, Survey
from trading.instruments.clock import nanoseconds_of

LOOK_BACK = timedelta(hours=24)
"""A partition that failed before, and was not tried since, is no news."""

PARTITIONS = (
    "analyze-time-partition", "bronze-partition", "silver-partition", "gold-partition",
    "backtest-partition",
)  # fmt: skip
"""The flows whose runs are partitions."""

logger = logging.getLogger(__name__)

_PAGE = 200
_MOST = 20 * _PAGE
_FAILED = ("FAILED", "CRASHED")


class FailedPartitions:
    """Looks at the runs that ended lately, by Prefect's REST interface.

    The alerts process asks every few seconds: a plain request costs it no client of Prefect's.

    It signs in as Prefect's own client does: by `PREFECT_API_AUTH_STRING` (`user:password`), or by
    `PREFECT_API_KEY`.

    Args:
        api_url: The server's.
        timeout_seconds: How long it may take to answer.
    """

    def __init__(self, api_url: str, timeout_seconds: float = 5.0) -> None:
        key = os.environ.get("PREFECT_API_KEY")
        user, _, password = os.environ.get("PREFECT_API_AUTH_STRING", "").partition(":")
        self._http = httpx.Client(
            base_url=api_url.rstrip("/"),
            timeout=timeout_seconds,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            auth=httpx.BasicAuth(user, password) if user else None,
        )
        self._is_silent = False

    def __call__(self, now: datetime) -> Survey | None:
        """The partitions whose last run failed; None when the server does not tell."""
        try:
            runs = self._ended(_FAILED, now)
            names = sorted({run["name"] for run in runs})
            again = self._ended(("COMPLETED",), now, names) if names else []
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            if not self._is_silent:
                logger.warning(
                    "Prefect does not say which partitions failed (%s); rules about them wait "
                    "until it does",
                    _reason(error),
                )
            self._is_silent = True
            return None
        self._is_silent = False
        at = nanoseconds_of(now)
        return Survey("failed_partition", at, tuple(_findings([*runs, *again])))

    def _ended(
        self, states: Iterable[str], now: datetime, names: list[str] | None = None
    ) -> list[dict[str, str]]:
        """Runs of partitions that ended lately in one of some states."""
        wanted = {
            "state": {"type": {"any_": list(states)}},
            "end_time": {"after_": (now - LOOK_BACK).isoformat()},
        }
        if names is not None:
            wanted["name"] = {"any_": names}
        found: list[dict[str, str]] = []
        while len(found) < _MOST:
            answer = self._http.post(
                "/flow_runs/filter",
                json={
                    "flow_runs": wanted,
                    "flows": {"name": {"any_": list(PARTITIONS)}},
                    "sort": "END_TIME_DESC",
                    "limit": _PAGE,
                    "offset": len(found),
                },
            )
            answer.raise_for_status()
            page = answer.json()
            found += [
                {
                    name: str(run[name])
                    for name in ("id", "name", "flow_id", "state_type", "end_time")
                }
                for run in page
            ]
            if len(page) < _PAGE:
                break
        return found


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        refused = status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
        hint = "; check PREFECT_API_AUTH_STRING or PREFECT_API_KEY" if refused else ""
        return f"HTTP {status}{hint}"
    return type(error).__name__


def _findings(runs: Iterable[dict[str, str]]) -> Iterable[Finding]:
    last: dict[tuple[str, str], dict[str, str]] = {}
    for run in sorted(runs, key=lambda run: run["end_time"]):
        last[run["flow_id"], run["name"]] = run
    for run in last.values():
        if run["state_type"] in _FAILED:
            detail = f"The partition {run['name']} {run['state_type'].lower()}"
            yield Finding(run["name"], is_wrong=True, detail=detail)
