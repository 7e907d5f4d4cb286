"""The alert rules and the dashboard, on a real Prometheus that reads real processes' metrics."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from api.metrics import Measures
from flows.boundary.settings import project_root
from live.telemetry import Telemetry, served
from tests.waiting import wait_until

FOLDER = project_root() / "k8s" / "monitoring"
RULES: dict[str, Any] = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())

QUERIES = {
    **{
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    },
    **{rule["alert"]: rule["expr"] for group in RULES["groups"] for rule in group["rules"]},
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("prometheus") is None,
        reason="there is no prometheus on the PATH; Debian: apt-get install prometheus",
    ),
]


def test_promtool_accepts_the_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", str(FOLDER / "alerts.yaml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that has read a live process and an API twice."""
    folder = tmp_path_factory.mktemp("prometheus")
    live, api = Telemetry("windows"), Measures()
    with served(live, 0) as live_port, served(_as_telemetry(api), 0) as api_port:
        targets = [f"127.0.0.1:{live_port}", f"127.0.0.1:{api_port}"]
        port = _free_port()
        with _running(folder, port, targets) as url:
            for _ in range(3):
                _use(live, api)
                before = _scrapes(url)
                _wait_for_scrapes(url, before + 2)
            yield url


def _wait_for_scrapes(url: str, count: float) -> None:
    wait_until(lambda: _scrapes(url) >= count, "another scrape")


def _as_telemetry(api: Measures) -> Telemetry:
    """The API's numbers behind the same small server."""
    telemetry = Telemetry("api")
    telemetry.registry = api.registry
    return telemetry


def _use(live: Telemetry, api: Measures) -> None:
    live.turn()
    live.received("ticks", 10)
    live.published("bars", 1)
    live.error("reconnect")
    live.lag(0.1)
    api.requests.labels("/v1/bars", "GET", "200").inc()
    api.requests.labels("/v1/bars", "GET", "500").inc()
    api.seconds.labels("/v1/bars").observe(0.01)


def _scrapes(url: str) -> float:
    """How often all targets together were scraped."""
    found = query(url, "sum(count_over_time(up[1h]))")
    return float(found[0]["value"][1]) if found else 0.0


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


@contextlib.contextmanager
def _running(folder: Path, port: int, targets: list[str]) -> Iterator[str]:
    configuration = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
        "rule_files": [str(FOLDER / "alerts.yaml")],
        "scrape_configs": [{"job_name": "trading", "static_configs": [{"targets": targets}]}],
    }
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(configuration))
    command = [
        "prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(lambda: _answers(url), "Prometheus answers")
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").status_code == 200
    except httpx.HTTPError:
        return False


def query(url: str, expression: str) -> list[dict[str, Any]]:
    """The result of a query now.

    A window of five minutes holds all that was scraped, so each rate has something to go by.
    """
    answer = httpx.get(f"{url}/api/v1/query", params={"query": expression}).json()
    assert answer["status"] == "success", answer
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_of_metrics_that_exist(name: str, prometheus: str) -> None:
    """What an alert compares is there, whether or not the alert fires now."""
    expression = QUERIES[name]
    for sign in (" == ", " > "):
        expression = expression.rpartition(sign)[0] or expression
    assert query(prometheus, expression), expression


def test_the_rules_are_loaded_and_evaluated(prometheus: str) -> None:
    groups = httpx.get(f"{prometheus}/api/v1/rules").json()["data"]["groups"]
    found = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    names = {rule["alert"] for group in RULES["groups"] for rule in group["rules"]}
    assert set(found) == names
    assert "err" not in found.values()


def test_each_alert_says_what_to_do_and_how_much_it_matters() -> None:
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"warning", "critical"}
            assert rule["annotations"]["summary"].endswith(".")
