"""Values that cannot be meant are refused before anything is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml
from helm_python import HelmError

from tests.charts import given
from tests.charts.rendering import CHART, Values, merged, nested, render


def _maps(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted paths of all maps of values.yaml with keys of their own."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield f"{prefix}{key}"
            yield from _maps(value, f"{prefix}{key}.")


_VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
_FREE = ("pods.securityContext",)
"""Maps whose keys are Kubernetes's, which its API checks."""


@pytest.mark.parametrize("path", ["", *_maps(_VALUES)])
def test_a_misspelt_key_is_refused_wherever_it_is(path: str) -> None:
    if path.startswith(_FREE):
        assert render(nested(path, {"misspelt": True}))
        return
    with pytest.raises(HelmError, match="additional properties 'misspelt' not allowed"):
        render(nested(f"{path}.misspelt".removeprefix("."), True))  # noqa: FBT003 - a value


@pytest.mark.parametrize("block", ["server", "worker", "database.bundled", "hooks"])
def test_a_misspelt_setting_of_one_components_pods_is_refused(block: str) -> None:
    with pytest.raises(HelmError, match="'nodeSelektor' not allowed"):
        render(nested(f"{block}.pod.nodeSelektor", {"a": "b"}))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (nested("server.replicas", 2), "/redis/existingSecret"),
        (merged(given.REPLICATED, given.SQLITE), "/database/type"),
        (nested("database.type", "external"), "/database/external/existingSecret"),
        (nested("database.type", "mysql"), "/database/type"),
        (nested("prefect.apiUrl", "https://prefect.example.com/api"), "/prefect/auth/enabled"),
        (nested("prefect.apiUrl", "prefect.example.com"), "/prefect/apiUrl"),
        (nested("prefect.workPool", "prefect-pool"), "/prefect/workPool"),
        (nested("server.ingress.enabled", True), "/server/ingress/host"),  # noqa: FBT003
        (nested("storage.type", "s3"), "/storage/inputDir"),
        (nested("storage.inputDir", "/data"), "/storage/inputDir"),
        (nested("image.tag", "latest"), "/image/tag"),
        (nested("image.digest", "sha256:123"), "/image/digest"),
        (nested("jobs.jobPer", "pod"), "/jobs/jobPer"),
        (nested("jobs.resources.limits", None), "'limits'"),
        (nested("worker.resources.limits.memory", "lots"), "/worker/resources/limits/memory"),
        (nested("worker.replicas", 0), "/worker/replicas"),
        (nested("worker.maxPartitionJobs", "many"), "/worker/maxPartitionJobs"),
        (nested("serviceAccounts.jobs.create", False), "/serviceAccounts/jobs/name"),  # noqa: FBT003
        (nested("pods.extraEnv", [{"value": "nameless"}]), "/pods/extraEnv/0"),
        (nested("jobs.env", {"A": {"valueFrom": {}}}), "/jobs/env/A"),
        (nested("networkPolicy.kubernetesApiPorts", []), "/networkPolicy/kubernetesApiPorts"),
        (nested("monitoring.serviceMonitor.interval", "often"), "/serviceMonitor/interval"),
        (nested("fullnameOverride", "Not A Name"), "/fullnameOverride"),
        (nested("live.executor.replicas", 2), "'replicas' not allowed"),
        (nested("live.riskLimits", {"max_drawdawn": "0.2"}), "'max_drawdawn' not allowed"),
        (nested("live.symbols", ["aapl"]), "/live/symbols/0"),
        (nested("live.intervals", ["1d"]), "/live/intervals/0"),
        (nested("live.api.ingress.enabled", True), "/live/api/ingress/host"),  # noqa: FBT003
        (nested("live.executor.broker.url", "http://b.example.com"), "/live/executor/broker/url"),
    ],
)
def test_the_schema_names_the_value_that_is_wrong(values: Values, named: str) -> None:
    with pytest.raises(HelmError) as caught:
        render(values)
    assert named in str(caught.value)


@pytest.mark.parametrize("block", ["pods", "server.pod", "hooks.pod"])
@pytest.mark.parametrize(
    ("option", "named"),
    [
        # As `--set` reads them: what looks like a number or a boolean is one.
        ("extraEnv[0].name=PORT,{block}.extraEnv[0].value=8443", "/extraEnv/0/value': got number"),
        ("extraEnv[0].name=ON,{block}.extraEnv[0].value=true", "/extraEnv/0/value': got boolean"),
        ("extraEnv[0].name=A,{block}.extraEnv[0].vlaue=b", "'vlaue'"),
        ("extraEnvFrom[0].secretRef=keys", "/extraEnvFrom/0/secretRef': got string"),
        ("extraEnvFrom[0].name=keys", "/extraEnvFrom/0"),
        ("tolerations[0].key=spot,{block}.tolerations[0].value=true", "/tolerations/0/value'"),
        ("tolerations[0].key=spot,{block}.tolerations[0].effect=Never", "/tolerations/0/effect'"),
    ],
)
def test_a_list_for_pods_that_kubernetes_would_refuse_is_refused(
    block: str, option: str, named: str
) -> None:
    values = helm_python.parse_set_string(f"{block}.{option.format(block=block)}")
    with pytest.raises(HelmError) as caught:
        render(values)
    assert named in str(caught.value)


@pytest.mark.parametrize("block", ["pods", "worker.pod"])
def test_lists_for_pods_take_what_kubernetes_takes(block: str) -> None:
    source = {"fieldRef": {"fieldPath": "status.podIP"}}
    values = {
        "extraEnv": [{"name": "PORT", "value": "8443"}, {"name": "IP", "valueFrom": source}],
        "extraEnvFrom": [{"secretRef": {"name": "keys", "optional": True}, "prefix": "OUR_"}],
        "tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoExecute",
                                                 "tolerationSeconds": 60}],
    }  # fmt: skip
    workload = render(nested(block, values)).workloads()["worker"]
    kubernetes_validate.validate(workload, "1.36", strict=True)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            merged(given.SQLITE, nested("worker.maxPartitionJobs", 20)),
            "database.type=sqlite with worker.maxPartitionJobs=20: .*; set ",
        ),
        (
            merged(given.OWN_API, nested("monitoring.serviceMonitor.enabled", True)),  # noqa: FBT003
            "monitoring.serviceMonitor.enabled=true with prefect.apiUrl=https://.*; set ",
        ),
        (
            merged(given.OWN_API, given.INGRESS),
            "server.ingress.enabled=true with prefect.apiUrl=https://.*; set ",
        ),
        (
            nested("storage.s3.credentialsBlock", "research"),
            "storage.s3.credentialsBlock=research with storage.type=embedded: .*; set ",
        ),
        (
            nested("live.enabled", True),  # noqa: FBT003
            "live.enabled=true without live.database.existingSecret: .* set ",
        ),
        (
            merged(given.LIVE, nested("live.bus.existingSecret", "")),
            "live.enabled=true without live.bus.existingSecret: .* set ",
        ),
        (
            merged(given.LIVE, nested("live.source", "alpaca")),
            "live.source=alpaca without live.stream.existingSecret: .* set ",
        ),
        (
            merged(given.LIVE, nested("live.executor.strategy", "regime")),
            "live.executor.strategy=regime is none of live.strategies=rsi_reversion, .*; set ",
        ),
        (
            merged(given.LIVE, nested("live.executor.interval", "5m")),
            "live.executor.interval=5m is none of live.intervals=1m, .*; set ",
        ),
        (
            merged(given.BROKER, nested("live.source", "replay")),
            "live.executor.broker.type=alpaca with live.source=replay: .*; set ",
        ),
        (
            merged(given.BROKER, nested("live.executor.broker.existingSecret", "")),
            "type=alpaca without live.executor.broker.existingSecret: .* set ",
        ),
        (
            merged(given.BROKER, nested("live.executor.broker.url", "https://api.alpaca.markets")),
            "live.executor.broker.url=https://api.alpaca.markets trades with real money: set ",
        ),
        (
            merged(given.AUTOSCALED, nested("live.api.autoscaling.minReplicas", 7)),
            "minReplicas=7 is more than live.api.autoscaling.maxReplicas=6; set ",
        ),
    ],
)
def test_combinations_are_refused_with_a_sentence(values: Values, sentence: str) -> None:
    with pytest.raises(HelmError, match=sentence):
        render(values)


@pytest.mark.parametrize(
    "values",
    [
        given.REPLICATED,
        merged(given.REPLICATED, given.EXTERNAL_DATABASE),
        given.SQLITE,
        given.OWN_API,
        given.OWN_STORE,
        given.LIVE,
        given.BROKER,
        merged(given.OWN_API, given.SCRAPED),
    ],
)
def test_what_the_refusals_ask_for_is_accepted(values: Values) -> None:
    assert render(values).manifests


def test_the_schema_forbids_unknown_keys_in_every_map_that_it_lists() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def check(node: object, at: str) -> None:
        if isinstance(node, dict):
            if node.get("type") == "object" and "properties" in node:
                assert node.get("additionalProperties") is False, at
            for key, value in node.items():
                # Conditions and items of Kubernetes's own types restrict, and list nothing.
                if key not in ("if", "then", "anyOf", "allOf", "items"):
                    check(value, f"{at}/{key}")

    check(schema, "")
