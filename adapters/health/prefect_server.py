"""A Prefect server by its REST API: whether it answers, what is late, what last succeeded."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import TypeAdapter

_MOMENT = TypeAdapter(datetime)


class PrefectUnreachableError(Exception):
    """The server does not answer, or refuses; the message says which."""


@dataclass(frozen=True, slots=True)
class PrefectState:
    """What a server says.

    Attributes:
        version: Of the server.
        workers: Names of online workers of the pool.
        late: Flow runs that should have begun more than ten minutes ago.
        last_success: Deployment name -> when a run of it last completed.
        schedules: Deployments with an active schedule.
        certificate_ends: When the server's certificate ends; None without TLS.
    """

    version: str
    workers: tuple[str, ...]
    late: int
    last_success: dict[str, datetime]
    schedules: tuple[str, ...]
    certificate_ends: datetime | None


def prefect_state(
    api_url: str, pool: str, *, now: datetime, auth: str | None = None, key: str | None = None
) -> PrefectState:
    """Ask a server.

    Args:
        api_url: Its API, e.g. `http://127.0.0.1:4200/api`.
        pool: The work pool.
        now: The moment.
        auth: `user:password` of its basic authentication.
        key: API key of Prefect Cloud.

    Raises:
        PrefectUnreachableError: It does not answer, or refuses.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    user, _, password = (auth or "").partition(":")
    login = httpx.BasicAuth(user, password) if auth else None
    try:
        with httpx.Client(base_url=api_url, headers=headers, auth=login, timeout=10) as client:
            return PrefectState(
                version=str(_get(client, "/admin/version")),
                workers=_workers(client, pool),
                late=_late(client, now),
                last_success=_successes(client),
                schedules=_scheduled(client),
                certificate_ends=_certificate_end(api_url),
            )
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise PrefectUnreachableError(f"it refuses with {status}") from None
    except (httpx.HTTPError, OSError, ValueError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise PrefectUnreachableError(said) from None


def _get(client: httpx.Client, path: str) -> Any:  # noqa: ANN401 - JSON
    answer = client.get(path)
    answer.raise_for_status()
    return answer.json()


def _post(client: httpx.Client, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    answer = client.post(path, json=body)
    answer.raise_for_status()
    return answer.json()


def _workers(client: httpx.Client, pool: str) -> tuple[str, ...]:
    answer = client.post(f"/work_pools/{pool}/workers/filter", json={})
    if answer.status_code == httpx.codes.NOT_FOUND:
        return ()
    answer.raise_for_status()
    return tuple(w["name"] for w in answer.json() if w.get("status") == "ONLINE")


def _late(client: httpx.Client, now: datetime) -> int:
    before = datetime.fromtimestamp(now.timestamp() - 600, now.tzinfo).isoformat()
    runs = {
        "state": {"type": {"any_": ["SCHEDULED"]}},
        "expected_start_time": {"before_": before},
    }
    return int(_post(client, "/flow_runs/count", {"flow_runs": runs}))


def _successes(client: httpx.Client) -> dict[str, datetime]:
    """The last completed run of each deployment that has a schedule or is a parent."""
    found = {}
    for deployment in _post(client, "/deployments/filter", {"limit": 200}):
        if deployment["name"].endswith("-partition"):
            continue
        runs = _post(
            client,
            "/flow_runs/filter",
            {
                "limit": 1,
                "sort": "END_TIME_DESC",
                "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
                "deployments": {"id": {"any_": [deployment["id"]]}},
            },
        )
        if runs and runs[0]["end_time"]:
            found[deployment["name"]] = _MOMENT.validate_python(runs[0]["end_time"])
    return found


def _scheduled(client: httpx.Client) -> tuple[str, ...]:
    deployments = _post(client, "/deployments/filter", {"limit": 200})
    return tuple(
        d["name"] for d in deployments if any(s.get("active") for s in d.get("schedules", ()))
    )


def _certificate_end(api_url: str) -> datetime | None:
    parts = urlsplit(api_url)
    if parts.scheme != "https":
        return None
    pem = ssl.get_server_certificate((parts.hostname or "", parts.port or 443), timeout=10)
    from cryptography import x509  # noqa: PLC0415 - only where there is TLS

    return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
