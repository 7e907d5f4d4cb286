"""Flow runs, by the REST interface of a Prefect server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import httpx

_REFUSALS = (409, 422)

SECONDS = 5.0
"""How long the server may take to answer."""


class RunsUnavailableError(Exception):
    """The Prefect server does not answer, or not as it should."""


class DeploymentMissingError(Exception):
    """The server has no deployment of that name."""


class ParametersRefusedError(Exception):
    """The flow does not take these parameters; the message is the server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A flow run.

    Attributes:
        id: Its id.
        name: Its name.
        state: E.g. `Completed`.
        state_type: E.g. `COMPLETED`.
        created: When it was made.
        start_time: When it began; None before.
        end_time: When it ended; None before.
        tags: Its tags.
        parameters: What it was started with.
    """

    id: UUID
    name: str
    state: str
    state_type: str
    created: datetime
    start_time: datetime | None
    end_time: datetime | None
    tags: tuple[str, ...]
    parameters: Mapping[str, Any]


class Runs(Protocol):
    """Flow runs on a server."""

    def recent(
        self, limit: int, offset: int, tags: Sequence[str] = (), flow: str | None = None
    ) -> list[Run]:
        """Runs, the newest first.

        Args:
            limit: How many, up to 200.
            offset: How many of the newest are left out.
            tags: Those alone that have all of these tags.
            flow: Those of this flow alone.

        Raises:
            RunsUnavailableError: The server does not answer.
        """
        ...

    def one(self, run_id: UUID) -> Run | None:
        """A run by its id, None when there is none.

        Raises:
            RunsUnavailableError: The server does not answer.
        """
        ...

    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str) -> Run:
        """Start a deployment's flow; the same key gives the run that it started before.

        Args:
            deployment: `flow/deployment`.
            parameters: Of the flow.
            idempotency_key: Identifies the request: a repeat finds the run of the first.

        Raises:
            DeploymentMissingError: There is no such deployment.
            ParametersRefusedError: The flow does not take the parameters.
            RunsUnavailableError: The server does not answer.
        """
        ...


class PrefectRuns:
    """Flow runs on a Prefect server; safe to use from many threads.

    Args:
        api_url: E.g. `http://127.0.0.1:4200/api`.
        headers: What the server wants beside, e.g. an `Authorization`.
    """

    def __init__(self, api_url: str, headers: Mapping[str, str] | None = None) -> None:
        self._client = httpx.Client(
            base_url=api_url.rstrip("/") + "/", timeout=SECONDS, headers=dict(headers or {})
        )

    def recent(
        self, limit: int, offset: int, tags: Sequence[str] = (), flow: str | None = None
    ) -> list[Run]:
        """Runs, the newest first; see `Runs`."""
        wanted: dict[str, Any] = {"limit": limit, "offset": offset, "sort": "START_TIME_DESC"}
        if tags:
            wanted["flow_runs"] = {"tags": {"all_": list(tags)}}
        if flow is not None:
            wanted["flows"] = {"name": {"any_": [flow]}}
        return [_run(found) for found in self._asked("POST", "flow_runs/filter", wanted)]

    def one(self, run_id: UUID) -> Run | None:
        """A run by its id; see `Runs`."""
        found = self._asked("GET", f"flow_runs/{run_id}", missing=True)
        return None if found is None else _run(found)

    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str) -> Run:
        """Start a deployment's flow; see `Runs`."""
        found = self._asked("GET", f"deployments/name/{deployment}", missing=True)
        if found is None:
            raise DeploymentMissingError(deployment)
        wanted = {
            "parameters": dict(parameters),
            "idempotency_key": idempotency_key,
            "state": {"type": "SCHEDULED"},
            "tags": ["api"],
        }
        made = self._asked("POST", f"deployments/{found['id']}/create_flow_run", wanted)
        return _run(made)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _asked(self, method: str, path: str, body: object = None, *, missing: bool = False) -> Any:  # noqa: ANN401 - JSON
        try:
            response = self._client.request(method, path, json=body)
            if missing and response.status_code == httpx.codes.NOT_FOUND:
                return None
            if response.status_code in _REFUSALS:
                raise ParametersRefusedError(_detail(response))
            response.raise_for_status()
            return response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise RunsUnavailableError(type(error).__name__) from error


def _detail(response: httpx.Response) -> str:
    """What the server has against the parameters, in short."""
    try:
        detail = response.json().get("detail", "")
    except (ValueError, AttributeError):
        detail = ""
    return " ".join(str(detail).split())[:300]


def _run(found: Mapping[str, Any]) -> Run:
    return Run(
        id=UUID(found["id"]),
        name=found["name"],
        state=found.get("state_name") or "Unknown",
        state_type=found.get("state_type") or "UNKNOWN",
        created=datetime.fromisoformat(found["created"]),
        start_time=_moment(found.get("start_time")),
        end_time=_moment(found.get("end_time")),
        tags=tuple(found.get("tags") or ()),
        parameters=found.get("parameters") or {},
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
