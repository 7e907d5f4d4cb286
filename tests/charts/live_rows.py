"""What each value of the live side shows in: a row per value."""

# ruff: noqa: FBT003 - a value may be a boolean

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.charts import given
from tests.charts.rendering import Release, Values, merged, nested
from tests.charts.value_places import (
    Row,
    annotation,
    argument,
    exists,
    has_port,
    lets_in,
    ports,
    secret_of,
    setting,
    spec,
    variable,
)

_LIVE = ("stream", "windows", "signals", "alerts", "executor")
_URLS = {"database": "TRADING_DATABASE_URL", "bus": "TRADING_BUS_URL"}
_PEER = {"ipBlock": {"cidr": "192.0.2.0/24"}}
_REAL_MONEY: Values = {
    "live": {
        "executor": {
            "broker": {
                "url": "https://api.alpaca.markets",
                "allowLive": True,
                "confirmAccount": "123456789",
            }
        }
    }
}
_ALL_HOURS = merged(given.LIVE, nested("live.intervals", ["1m", "5m"]))
_TWO_STRATEGIES = merged(given.LIVE, nested("live.strategies", ["rsi_reversion", "macd_cross"]))


def _everywhere(kind: str, part: str) -> Callable[[Release], set[Any]]:
    """A part of the reference to the database's or the bus's URL, wherever there is one."""

    def found(release: Release) -> set[Any]:
        in_pods = {
            secret_of(component, _URLS[kind], part)(release)
            for component in (*_LIVE, "api", "console")
        }
        in_runs = {
            one["valueFrom"]["secretKeyRef"][part]
            for one in release.job_default("env_value_from")
            if one["name"] == _URLS[kind]
        }
        return in_pods | in_runs

    return found


def _port_everywhere(port: int) -> Callable[[Release], set[bool]]:
    return lambda release: {
        has_port(policy, port)(release) for policy in (*_LIVE, "api", "console", "flow-run")
    }


def _keys(component: str) -> Callable[[Release], list[str]]:
    """The Secrets whose keys become environment variables."""
    return lambda release: [
        one["secretRef"]["name"]
        for one in release.container(component)["envFrom"]
        if "secretRef" in one
    ]


LIVE_ROWS = [
    Row("live.enabled", True,
        lambda release: (set(_LIVE) <= set(release.workloads()),
                         release.has("Job", "prepare-database")), (True, True),
        {"live": {kind: {"existingSecret": kind} for kind in ("database", "bus")}}),
    Row("live.source", "replay",
        lambda release: (argument("stream", "--source")(release),
                         release.pod("stream")["spec"]["serviceAccountName"]),
        ("replay", "demo-trading-fanout-jobs"), given.LIVE),
    Row("live.symbols", ["ABC", "BRK-B"],
        lambda release: {argument(one, "--symbols")(release) for one in ("stream", "executor")},
        {"ABC,BRK-B"}, given.LIVE),
    Row("live.strategies", ["vegas_channel", "macd_cross"],
        lambda release: (argument("signals", "--strategy")(release),
                         argument("executor", "--strategy")(release)),
        ("vegas_channel,macd_cross", "vegas_channel"), given.LIVE),
    Row("live.intervals", ["5m", "1h"],
        lambda release: (argument("signals", "--interval")(release),
                         argument("executor", "--interval")(release)), ("5m,1h", "5m"),
        given.LIVE),
    Row("live.riskLimits", {"max_drawdown": "0.2"},
        lambda release: json.loads(release.settings().get("TRADING_RISK_LIMITS", "{}")),
        {"max_drawdown": "0.2"}, given.LIVE),
    Row("live.schedules", True, lambda release: "--schedules" in release.arguments("register"),
        True, given.LIVE),
    Row("live.database.existingSecret", "ours", _everywhere("database", "name"), {"ours"},
        given.LIVE_API),
    Row("live.database.key", "address", _everywhere("database", "key"), {"address"},
        given.LIVE_API),
    Row("live.database.port", 6432,
        lambda release: (_port_everywhere(6432)(release), ports("prepare-database")(release)),
        ({True}, {53, 6432}), given.LIVE_API),
    Row("live.bus.existingSecret", "ours", _everywhere("bus", "name"), {"ours"}, given.LIVE_API),
    Row("live.bus.key", "address", _everywhere("bus", "key"), {"address"}, given.LIVE_API),
    Row("live.bus.port", 9092, _port_everywhere(9092), {True}, given.LIVE_API),
    Row("live.notifications.existingSecret", "channels",
        lambda release: ("TRADING_NOTIFY" in release.variables("alerts"),
                         ports("alerts")(release) >= {443, 587}), (True, True), given.LIVE),
    Row("live.notifications.key", "urls", secret_of("alerts", "TRADING_NOTIFY", "key"), "urls",
        given.NOTIFIED),
    Row("live.notifications.ports", [25], ports("alerts"),
        {53, 4200, 5432, 6379, 25}, given.NOTIFIED),
    Row("live.stream.existingSecret", "data-keys", _keys("stream"), ["data-keys"], given.LIVE),
    Row("live.stream.rate", 50, argument("stream", "--rate"), "50", given.LIVE),
    Row("live.stream.speed", 120, argument("stream", "--speed"), "120", given.LIVE),
    Row("live.stream.firstDay", "2024-01-02", argument("stream", "--from"), "2024-01-02",
        given.REPLAYED),
    Row("live.stream.lastDay", "2024-01-03", argument("stream", "--to"), "2024-01-03",
        given.REPLAYED),
    Row("live.executor.account", "desk", argument("executor", "--account"), "desk", given.LIVE),
    Row("live.executor.strategy", "macd_cross", argument("executor", "--strategy"), "macd_cross",
        _TWO_STRATEGIES),
    Row("live.executor.interval", "5m", argument("executor", "--interval"), "5m", _ALL_HOURS),
    Row("live.executor.capital", "5000", argument("executor", "--capital"), "5000", given.LIVE),
    Row("live.executor.allowShort", True,
        lambda release: "--allow-short" in release.arguments("executor"), True, given.LIVE),
    Row("live.executor.broker.type", "alpaca",
        lambda release: (argument("executor", "--broker")(release),
                         has_port("executor", 443)(release), _keys("executor")(release)),
        ("alpaca", True, ["broker-keys"]),
        merged(given.BROKER, nested("live.executor.broker.type", "paper"))),
    Row("live.executor.broker.existingSecret", "ours", _keys("executor"), ["ours"], given.BROKER),
    Row("live.executor.broker.url", "https://api.alpaca.markets",
        variable("executor", "TRADING_ALPACA_TRADING_URL"), "https://api.alpaca.markets",
        merged(given.BROKER, _REAL_MONEY,
               nested("live.executor.broker.url", "https://paper-api.alpaca.markets"))),
    Row("live.executor.broker.allowLive", True, variable("executor", "TRADING_ALLOW_LIVE"), "yes",
        given.BROKER),
    Row("live.executor.broker.confirmAccount", "42", argument("executor", "--confirm-account"),
        "42", given.BROKER),
    Row("live.api.enabled", True,
        lambda release: (release.has("Deployment", "api"), release.has("Service", "api"),
                         release.has("PodDisruptionBudget", "api")), (True, True, True),
        given.LIVE),
    Row("live.api.replicas", 3, spec("Deployment", "api", "replicas"), 3, given.LIVE_API),
    Row("live.api.autoscaling.enabled", True,
        lambda release: (release.has("HorizontalPodAutoscaler", "api"),
                         "replicas" in release.one("Deployment", "api")["spec"]), (True, False),
        given.LIVE_API),
    Row("live.api.autoscaling.minReplicas", 3,
        spec("HorizontalPodAutoscaler", "api", "minReplicas"), 3, given.AUTOSCALED),
    Row("live.api.autoscaling.maxReplicas", 9,
        spec("HorizontalPodAutoscaler", "api", "maxReplicas"), 9, given.AUTOSCALED),
    Row("live.api.autoscaling.cpuPercent", 50,
        spec("HorizontalPodAutoscaler", "api", "metrics", "0", "resource", "target",
             "averageUtilization"), 50, given.AUTOSCALED),
    Row("live.api.requestsPerMinute", 1000000, argument("api", "--requests-per-minute"),
        "1000000", given.LIVE_API),
    Row("live.api.service.type", "NodePort", spec("Service", "api", "type"), "NodePort",
        given.LIVE_API),
    Row("live.api.service.port", 8080, spec("Service", "api", "ports", "0", "port"), 8080,
        given.LIVE_API),
    Row("live.api.service.annotations", {"a": "b"}, annotation("Service", "api", "a"), "b",
        given.LIVE_API),
    Row("live.api.ingress.enabled", True,
        lambda release: (release.has("Ingress", "api"),
                         lets_in("api", {"namespaceSelector": {}})(release)), (True, True),
        merged(given.LIVE_API, nested("live.api.ingress.host", "api.example.com"))),
    Row("live.api.ingress.className", "nginx", spec("Ingress", "api", "ingressClassName"),
        "nginx", given.LIVE_INGRESS),
    Row("live.api.ingress.host", "a.example.com", spec("Ingress", "api", "rules", "0", "host"),
        "a.example.com", given.LIVE_INGRESS),
    Row("live.api.ingress.annotations", {"a": "b"}, annotation("Ingress", "api", "a"), "b",
        given.LIVE_INGRESS),
    Row("live.api.ingress.tlsSecret", "certificate", spec("Ingress", "api", "tls"),
        [{"hosts": ["api.example.com"], "secretName": "certificate"}], given.LIVE_INGRESS),
    Row("live.api.from", [_PEER], lets_in("api", _PEER), True, given.LIVE_API),
    Row("storage.lakeDir", "s3://bars/lake", setting("TRADING_LAKE_DIR"), "s3://bars/lake"),
    Row("monitoring.serviceMonitor.apiKey.existingSecret", "reader",
        exists("ServiceMonitor", "api"), True, merged(given.MONITORED, given.LIVE_API)),
    Row("monitoring.serviceMonitor.apiKey.key", "bearer",
        spec("ServiceMonitor", "api", "endpoints", "0", "authorization", "credentials", "key"),
        "bearer", given.SCRAPED),
]  # fmt: skip
