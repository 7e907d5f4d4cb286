"""Silver of each session as a flow run, while the Prefect server and its worker are killed.

It is made in a lake of its own, so that what is told live is not disturbed. `trading up` keeps the
server; it is begun again by the same command, and a run that crashed with it by another run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks.week.plan import Plan
from benchmarks.week.prices import Checked
from flows.deploy.deployments import SILVER, SILVER_PARTITION
from lake.files import stored_fingerprints
from lake.silver.table import SILVER as DATASET
from servers.prefect import api_url
from servers.start_up import bound_port
from storage.directory import open_directory
from trading.instruments.calendar import sessions

VICTIMS = ("worker", "server")
"""What is killed in each session's run, in this order: with the server the run is gone."""

COMPLETED, RUNNING = "COMPLETED", "RUNNING"
_ENDED = {COMPLETED, "FAILED", "CRASHED", "CANCELLED"}
_LOOK_SECONDS = 0.2
_ANSWER_SECONDS = 2.0
_PAGE = 200


@dataclass(slots=True)
class Evenings:
    """A Prefect server with a worker, and a run of each session that is over.

    Attributes:
        plan: What is told.
        port: The server's.
        kills: How often server and worker were killed while a run was going on.
        runs: The runs of each session, in order.
        begun: How often `trading up` was started.
        partitions: Of each partition of a session how many runs completed.
        ends: How each run ended, by its identity.
    """

    plan: Plan
    port: int = field(default_factory=lambda: bound_port(0))
    kills: Counter[str] = field(default_factory=Counter)
    runs: dict[date, list[str]] = field(default_factory=dict)
    begun: int = 0
    partitions: Counter[str] = field(default_factory=Counter)
    ends: dict[str, str] = field(default_factory=dict)
    _up: subprocess.Popen[bytes] | None = None
    _look_at: float = 0.0

    @property
    def lake(self) -> Path:
        """The lake that the runs fill."""
        return self.plan.folder / "evening-lake"

    @property
    def folder(self) -> Path:
        """Where the server keeps its data."""
        return self.plan.folder / "prefect"

    def prepare(self) -> None:
        """Copy the lake as it is on the first morning."""
        shutil.copytree(self.plan.lake, self.lake)

    def look(self, told: int) -> None:
        """Start what is due, begin again what has ended, and kill what is to be killed.

        Args:
            told: The last time that the stream told, nanoseconds since 1970 in UTC.
        """
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_SECONDS
        if self._up is None or self._up.poll() is not None:
            self._start()
        day = self._next(told)
        if day is None:
            return
        with contextlib.suppress(httpx.HTTPError), self._api() as api:
            self._advance(api, day)

    def is_done(self) -> bool:
        """Whether each session has a run that completed."""
        return all(self._is_over(day) for day in self.plan.days)

    def finish(self, seconds: float) -> None:
        """Wait until all is done or the time is over, note what the server knows, and end it."""
        deadline = time.monotonic() + seconds
        while not self.is_done() and time.monotonic() < deadline:
            self.look(self.plan.end)
            time.sleep(_LOOK_SECONDS)
        with contextlib.suppress(httpx.HTTPError), self._api() as api:
            self.partitions = _completed_partitions(api)
        self.stop()

    def stop(self) -> None:
        """End `trading up` by Ctrl-C; safe to call twice."""
        if self._up is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._up.send_signal(signal.SIGINT)
        try:
            self._up.wait(60)
        except subprocess.TimeoutExpired:
            self._up.kill()
            self._up.wait()

    def checked(self) -> Checked:
        """Exactly one run of each session completed; no partition was lost, another, or doubled."""
        wrong = []
        for day in self.plan.days:
            ends = Counter(self.ends.get(run, "no end") for run in self.runs.get(day, []))
            if ends[COMPLETED] != 1:
                wrong.append(f"{ends[COMPLETED]} runs of {day} completed: {dict(ends)}")
        wrong += [f"{name} was completed {count} times" for name, count in self.partitions.items()
                  if count > 1]  # fmt: skip
        if not self.partitions:
            wrong.append("the server does not say which partitions were completed")
        if set(self.kills) != set(VICTIMS):
            wrong.append(f"only these were killed while a run was going on: {dict(self.kills)}")
        made = self._fingerprints(str(self.lake))
        wanted = self._fingerprints(self.plan.lake)
        wrong += [f"{name} is lost" for name in sorted(set(wanted) - set(made))]
        wrong += [f"{name} is another" for name in sorted(set(wanted) & set(made))
                  if wanted[name] != made[name]]  # fmt: skip
        count = sum(map(len, self.runs.values()))
        told = f"{count} runs, {self.kills.total()} kills, trading up begun {self.begun} times"
        return Checked("evenings on Prefect", len(made), wrong, told)

    def _fingerprints(self, lake: str) -> dict[str, str]:
        place = open_directory(lake, "lake_dir")
        found: dict[str, str] = {}
        for symbol in self.plan.symbols:
            found |= stored_fingerprints(
                place, f"{DATASET}/{symbol}", DATASET, symbol,
                first=self.plan.first, last=self.plan.last,
            )  # fmt: skip
        return found

    def _start(self) -> None:
        self.begun += 1
        kept = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
        places = {
            f"TRADING_{name.upper()}_DIR": str(self.plan.folder / f"evening-{name}")
            for name in ("lake", "input", "output")
        }
        with (self.plan.folder / "trading-up.log").open("ab") as log:
            self._up = subprocess.Popen(
                [sys.executable, "-m", "cli", "up", "--port", str(self.port),
                 "--server-dir", str(self.folder)],
                env=kept | places, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _next(self, told: int) -> date | None:
        """The first session that is over and has no run that completed."""
        over = sessions(self.plan.first, self.plan.last).closes.astype(np.int64) < told
        due = [day for day, is_over in zip(self.plan.days, over, strict=True) if is_over]
        return next((day for day in due if not self._is_over(day)), None)

    def _is_over(self, day: date) -> bool:
        return any(self.ends.get(run) == COMPLETED for run in self.runs.get(day, []))

    def _api(self) -> httpx.Client:
        return httpx.Client(base_url=api_url(self.port), timeout=_ANSWER_SECONDS)

    def _advance(self, api: httpx.Client, day: date) -> None:
        runs = self.runs.setdefault(day, [])
        if not runs or runs[-1] in self.ends:
            runs.append(self._begin(api, day, len(runs)))
            return
        state = _got(api.get(f"/flow_runs/{runs[-1]}"))["state_type"]
        if state in _ENDED:
            self.ends[runs[-1]] = state
        elif state == RUNNING:
            self._kill_next(day)

    def _begin(self, api: httpx.Client, day: date, attempt: int) -> str:
        deployment = _got(api.get(f"/deployments/name/{SILVER}"))["id"]
        asked = {
            "parameters": {
                "symbols": list(self.plan.symbols), "first": day.isoformat(),
                "last": day.isoformat(), "lake_dir": str(self.lake),
            },
            # The answer may be lost with the server: asked again, it is the same run.
            "idempotency_key": f"evening-{day}-{attempt}",
        }  # fmt: skip
        return str(_got(api.post(f"/deployments/{deployment}/create_flow_run", json=asked))["id"])

    def _kill_next(self, day: date) -> None:
        number = self.plan.days.index(day)
        left = [name for name in VICTIMS if self.kills[name] <= number]
        if left and self._up is not None:
            with contextlib.suppress(psutil.Error):
                for child in psutil.Process(self._up.pid).children():
                    if child.cmdline()[2:6] == ["servers.lifeline", "prefect", left[0], "start"]:
                        child.kill()
                        self.kills[left[0]] += 1
                        return


def _got(answer: httpx.Response) -> Mapping[str, Any]:
    found: Mapping[str, Any] = answer.raise_for_status().json()
    return found


def _completed_partitions(api: httpx.Client) -> Counter[str]:
    """Of each partition of a session how many of its runs completed."""
    found: Counter[str] = Counter()
    for page in range(1000):
        asked = {
            "flows": {"name": {"any_": [SILVER_PARTITION.partition("/")[0]]}},
            "flow_runs": {"state": {"type": {"any_": [COMPLETED]}}},
            "limit": _PAGE, "offset": page * _PAGE, "sort": "ID_DESC",
        }  # fmt: skip
        runs = api.post("/flow_runs/filter", json=asked).raise_for_status().json()
        for run in runs:
            given = run["parameters"]
            if given.get("dataset", DATASET) == DATASET:
                found[f"{given['symbol']} {given['partition']}"] += 1
        if len(runs) < _PAGE:
            break
    return found
