"""Flow runs without a Prefect server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from api.prefect_runs import DeploymentMissingError, Run, RunsUnavailableError


class Started:
    """A server that keeps its word: one run for each idempotency key.

    Args:
        missing: The deployment that it does not have; None when it has all.
    """

    def __init__(self, missing: str | None = "medallion/medallion") -> None:
        self.missing = missing
        self.runs: dict[str, Run] = {}
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.gone = False

    def recent(
        self, limit: int, offset: int, tags: Sequence[str] = (), flow: str | None = None
    ) -> list[Run]:
        return list(self.runs.values())[offset : offset + limit]

    def one(self, run_id: UUID) -> Run | None:
        return next((run for run in self.runs.values() if run.id == run_id), None)

    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str) -> Run:
        if self.gone:
            raise RunsUnavailableError("ConnectError")
        if deployment == self.missing:
            raise DeploymentMissingError(deployment)
        self.asked.append((deployment, parameters))
        made = Run(
            id=uuid4(), name="quick-fox", state="Scheduled", state_type="SCHEDULED",
            created=datetime.now(UTC), start_time=None, end_time=None, tags=("api",),
            parameters=parameters,
        )  # fmt: skip
        return self.runs.setdefault(idempotency_key, made)
